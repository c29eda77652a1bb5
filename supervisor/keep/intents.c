/* Intents: what is about to be done to a container, and how it ended. */
#include "keep/private.h"
#include <errno.h>

#define COLUMNS                                                                                    \
    "id, container, started_at, key, verdict, step, pid, process_started_us, grace_s,"             \
    " begun_wall_ms, boot_id, begun_boottime_s, attempt, held_before, held_after, state,"          \
    " ended_wall_ms, outcome, blob"

#define COLUMN(type, member) KEEP_COLUMN(type, intent, member)
static const struct keep_column columns[] = {
    COLUMN(INTEGER, id),
    COLUMN(TEXT, container),
    COLUMN(TEXT, started_at),
    COLUMN(TEXT, key),
    COLUMN(TEXT, verdict),
    COLUMN(TEXT, step),
    COLUMN(INTEGER, pid),
    COLUMN(INTEGER, process_started_us),
    COLUMN(INTEGER, grace_s),
    COLUMN(INTEGER, begun_wall_ms),
    COLUMN(TEXT, boot_id),
    COLUMN(REAL, begun_boottime_s),
    COLUMN(INTEGER, attempt),
    COLUMN(INTEGER, held_before),
    COLUMN(INTEGER, held_after),
    COLUMN(ENUM, state),
    COLUMN(INTEGER, ended_wall_ms),
    COLUMN(TEXT, outcome),
    COLUMN(TEXT, blob),
};

void keep_insert_intent(struct keep *keep, const struct intent *intent)
{
    keep_insert(keep,
                "INSERT INTO intents (" COLUMNS ")"
                " VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO NOTHING",
                columns, KEEP_COUNT(columns), intent);
}

void keep_end_intent(struct keep *keep, const struct intent *ended)
{
    keep_run(keep,
             "UPDATE intents SET state = ?, held_after = ?, ended_wall_ms = ?, outcome = ?"
             " WHERE id = ? AND state = 0",
             "iiiti", (int64_t)ended->state, ended->held_after, ended->ended_wall_ms,
             ended->outcome, ended->id);
}

static int begin(struct keep *keep, struct intent *intent, struct error *err)
{
    KEEP_LOCKED(keep);
    struct intent fresh = *intent;
    fresh.id = fresh.ended_wall_ms = 0;
    fresh.held_after = FACT_UNKNOWN;
    fresh.state = INTENT_OPEN;
    fresh.outcome[0] = '\0';
    keep_run(keep, "BEGIN IMMEDIATE", "");
    int64_t open = keep_number(keep, 0, "SELECT count(*) FROM intents WHERE state = 0", "");
    if (open >= KEEP_OPEN_MAX) /* nobody followed them to their end */
        keep_run(keep,
                 "UPDATE intents SET state = 2, outcome = 'too many were open', ended_wall_ms"
                 " = ? WHERE id IN (SELECT id FROM intents WHERE state = 0 ORDER BY id LIMIT ?)",
                 "ii", intent->begun_wall_ms, open + 1 - KEEP_OPEN_MAX);
    keep_insert_intent(keep, &fresh);
    /* Ids are given in order and without gaps. */
    int64_t id = keep->db ? sqlite3_last_insert_rowid(keep->db) : 0;
    keep_run(keep, "DELETE FROM intents WHERE id < ? AND state <> 0", "i", id - KEEP_ENDED_MAX);
    int r = keep_done(keep, "record the intent", err);
    if (r < 0)
        return r;
    intent->id = fresh.id = id;
    intent->state = INTENT_OPEN;
    keep_know_intent(keep, &fresh);
    keep_reserve(keep, NULL); /* this intent has had its room */
    return 0;
}

int keep_intent_begin(struct keep *keep, struct intent *intent, struct error *err)
{
    int r = begin(keep, intent, err);
    /* Found out by this very call: what can be mended at once keeps no deed waiting. */
    return r == -EUCLEAN || r == -EIO ? begin(keep, intent, err) : r;
}

int keep_intent_move(struct keep *keep, int64_t id, const char *started_at, struct error *err)
{
    KEEP_LOCKED(keep);
    keep_know_life(keep, id, started_at);
    keep_run(keep, "UPDATE intents SET started_at = ? WHERE id = ? AND state = 0", "ti", started_at,
             id);
    return keep_done(keep, "record which life was stopped", err);
}

int keep_intent_end(struct keep *keep, int64_t id, enum intent_state state, fact held_after,
                    int64_t ended_wall_ms, const char *outcome, struct error *err)
{
    if (state != INTENT_DONE && state != INTENT_FAILED && state != INTENT_DROPPED)
        return error_set(err, FAILURE_USAGE, -EINVAL, "an intent cannot end in state %d",
                         (int)state);
    KEEP_LOCKED(keep);
    struct intent end = {
        .id = id, .state = state, .held_after = held_after, .ended_wall_ms = ended_wall_ms};
    text_copy(end.outcome, sizeof end.outcome, outcome);
    keep_know_end(keep, &end);
    keep_end_intent(keep, &end);
    bool ended = keep->rc == SQLITE_OK && sqlite3_changes(keep->db) > 0;
    int64_t known =
        ended ? 1 : keep_number(keep, 0, "SELECT count(*) FROM intents WHERE id = ?", "i", id);
    int r = keep_done(keep, "record the end of the intent", err);
    keep->owed |= r < 0;
    if (r < 0 || known)
        return r;
    return error_set(err, FAILURE_JOB, -ENOENT, "%s has no intent %lld", keep->path, (long long)id);
}

static const struct keep_rows intents = {columns, KEEP_COUNT(columns), sizeof(struct intent),
                                         "read the intents"};

int keep_intents_open(struct keep *keep, struct intent **ret_intents, size_t *ret_n,
                      struct error *err)
{
    KEEP_LOCKED(keep);
    if (keep->db && keep->owed) /* what ended would count as open */
        return error_set(err, FAILURE_UNREACHABLE, -EBUSY,
                         "the end of an intent could not be recorded in %s yet", keep->path);
    KEEP_STATEMENT *statement =
        keep_prepare(keep, "SELECT " COLUMNS " FROM intents WHERE state = 0 ORDER BY id", "");
    return keep_read_all(keep, statement, &intents, ret_intents, ret_n, err);
}

int keep_intents_recent(struct keep *keep, const char *key, size_t limit,
                        struct intent **ret_intents, size_t *ret_n, struct error *err)
{
    KEEP_LOCKED(keep);
    int64_t rows =
        limit < KEEP_ENDED_MAX + KEEP_OPEN_MAX ? (int64_t)limit : KEEP_ENDED_MAX + KEEP_OPEN_MAX;
    KEEP_STATEMENT *statement = keep_prepare(keep,
                                             "SELECT " COLUMNS " FROM intents WHERE ?1 IN ('', key)"
                                             " ORDER BY id DESC LIMIT ?2",
                                             "ti", key, rows);
    return keep_read_all(keep, statement, &intents, ret_intents, ret_n, err);
}
