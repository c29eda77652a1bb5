/* What was done about models of late: intents that name one. */
#include "judge/kinds.h"
#include "keep/private.h"

#include <string.h>

/* false: the row is of a verdict or a step that this program does not know. */
static bool take(sqlite3_stmt *row, struct deed *deed)
{
    const char *verdict = keep_text_of(row, 0), *step = keep_text_of(row, 1);
    deed->kind = VERDICT_KINDS;
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        if (!strcmp(verdict_kind_name((enum verdict_kind)kind), verdict))
            deed->kind = (enum verdict_kind)kind;
    deed->remedy = !strcmp(step, "kill")     ? REMEDY_KILL_RUNNER
                   : !strcmp(step, "unload") ? REMEDY_UNLOAD
                                             : REMEDY_NONE;
    text_copy(deed->blob, sizeof deed->blob, keep_text_of(row, 2));
    return deed->kind < VERDICT_KINDS && deed->remedy != REMEDY_NONE;
}

int keep_deeds(struct keep *keep, const char *key, const struct keep_now *now,
               struct deeds *ret_deeds, struct error *err)
{
    KEEP_LOCKED(keep);
    struct deeds deeds = {0};
    KEEP_STATEMENT *row = keep_prepare(
        keep,
        "SELECT verdict, step, blob, boot_id, begun_boottime_s, begun_wall_ms"
        " FROM intents WHERE key = ? AND blob <> '' AND step <> 'restart' AND state <> 3"
        " ORDER BY id DESC",
        "t", key);
    while (deeds.n < DEEDS_MAX && keep_row(keep, row)) {
        struct deed *deed = &deeds.all[deeds.n];
        deed->age_s = keep_age_of(row, 3, now);
        if (deed->age_s >= deeds_kept_s)
            break;
        deeds.n += take(row, deed);
    }
    int r = keep_done(keep, "read what was done", err);
    if (r == 0)
        *ret_deeds = deeds;
    return r;
}
