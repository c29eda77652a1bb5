/* What this process has begun is known beside the file: where another file takes its place, open
 * intents, throttles that stand and the restarts of late are told to it. */
#include "base/grow.h"
#include "keep/private.h"
#include <string.h>

static void remove_intent(struct keep *keep, size_t at)
{
    keep->n_intents--;
    memmove(keep->intents + at, keep->intents + at + 1,
            (keep->n_intents - at) * sizeof *keep->intents);
}

/* Where memory is spent it is known to the file alone. */
void keep_know_intent(struct keep *keep, const struct intent *intent)
{
    for (size_t i = 0; i < keep->n_intents && keep->n_intents >= KEEP_KNOWN_MAX; i++)
        if (keep->intents[i].state != INTENT_OPEN)
            remove_intent(keep, i--);
    struct intent *more = array_more(&keep->intents, &keep->n_intents, KEEP_OPEN_MAX, sizeof *more);
    if (more)
        *more = *intent;
}

void keep_know_life(struct keep *keep, int64_t id, const char *started_at)
{
    for (size_t i = 0; i < keep->n_intents; i++)
        if (keep->intents[i].id == id && keep->intents[i].state == INTENT_OPEN)
            text_copy(keep->intents[i].started_at, sizeof keep->intents[i].started_at, started_at);
}

void keep_know_end(struct keep *keep, const struct intent *ended)
{
    for (size_t i = 0; i < keep->n_intents; i++) {
        struct intent *intent = &keep->intents[i];
        if (intent->id != ended->id || intent->state != INTENT_OPEN)
            continue;
        intent->state = ended->state;
        intent->held_after = ended->held_after;
        intent->ended_wall_ms = ended->ended_wall_ms;
        memcpy(intent->outcome, ended->outcome, sizeof intent->outcome);
        return;
    }
}

void keep_forget_throttle(struct keep *keep, const char *container)
{
    for (size_t i = 0; i < keep->n_throttles; i++)
        if (!strcmp(keep->throttles[i].container, container)) {
            keep->throttles[i] = keep->throttles[--keep->n_throttles];
            return;
        }
}

void keep_know_throttle(struct keep *keep, const struct throttle *throttle)
{
    keep_forget_throttle(keep, throttle->container);
    struct throttle *more =
        array_more(&keep->throttles, &keep->n_throttles, KEEP_THROTTLES_MAX, sizeof *more);
    if (more)
        *more = *throttle;
}

/* One intent of ours into the file that is open. Its id may be another's there. */
static void tell_intent(struct keep *keep, const struct intent *intent, bool *ret_missing)
{
    keep_insert_intent(keep, intent);
    *ret_missing |= keep->rc == SQLITE_OK && sqlite3_changes(keep->db) > 0;
    int64_t ours = keep_number(
        keep, 0, "SELECT 1 FROM intents WHERE id = ? AND container = ? AND begun_wall_ms = ?",
        "iti", intent->id, intent->container, intent->begun_wall_ms);
    if (ours && intent->state != INTENT_OPEN)
        keep_end_intent(keep, intent);
}

int keep_tell_known(struct keep *keep, const char *doing, bool *ret_missing, struct error *err)
{
    keep_run(keep, "BEGIN IMMEDIATE", "");
    *ret_missing = false;
    for (size_t i = 0; i < keep->n_intents; i++)
        tell_intent(keep, &keep->intents[i], ret_missing);
    for (size_t i = 0; i < keep->n_throttles; i++) {
        keep_insert_throttle(keep, &keep->throttles[i]);
        *ret_missing |= keep->rc == SQLITE_OK && sqlite3_changes(keep->db) > 0;
    }
    int r = keep_done(keep, doing, err);
    keep->owed = r < 0;
    return r;
}
