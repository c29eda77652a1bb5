/* Intents: what is about to be done to a container, and how it ended. */
#include "keep/private.h"
#include <errno.h>
#include <stdlib.h>

#define COLUMNS                                                                                    \
    "id, container, started_at, key, verdict, step, pid, process_started_us, grace_s,"             \
    " begun_wall_ms, boot_id, begun_boottime_s, attempt, held_before, held_after, state,"          \
    " ended_wall_ms, outcome"

int keep_insert_intent(struct keep *keep, const struct intent *intent)
{
    return keep_run(keep,
                    "INSERT INTO intents (" COLUMNS ")"
                    " VALUES (nullif(?, 0), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (id) DO NOTHING",
                    "itttttiiiitdiiiiit", intent->id, intent->container, intent->started_at,
                    intent->key, intent->verdict, intent->step, intent->pid,
                    intent->process_started_us, intent->grace_s, intent->begun_wall_ms,
                    intent->boot_id, intent->begun_boottime_s, intent->attempt, intent->held_before,
                    intent->held_after, (int64_t)intent->state, intent->ended_wall_ms,
                    intent->outcome);
}

static int begin(struct keep *keep, struct intent *intent, struct error *err)
{
    KEEP_LOCKED(keep);
    struct intent fresh = *intent;
    fresh.id = fresh.ended_wall_ms = 0;
    fresh.held_after = FACT_UNKNOWN;
    fresh.state = INTENT_OPEN;
    fresh.outcome[0] = '\0';
    int64_t open = 0, id = 0;
    int rc = keep_run(keep, "BEGIN IMMEDIATE", "");
    if (rc == SQLITE_OK)
        rc = keep_number(keep, &open, "SELECT count(*) FROM intents WHERE state = 0", "");
    if (rc == SQLITE_OK && open >= KEEP_OPEN_MAX) /* nobody followed them to their end */
        rc = keep_run(keep,
                      "UPDATE intents SET state = 2, outcome = 'too many were open', ended_wall_ms"
                      " = ? WHERE id IN (SELECT id FROM intents WHERE state = 0 ORDER BY id"
                      " LIMIT ?)",
                      "ii", intent->begun_wall_ms, open + 1 - KEEP_OPEN_MAX);
    if (rc == SQLITE_OK)
        rc = keep_insert_intent(keep, &fresh);
    if (rc == SQLITE_OK) { /* ids are given in order and without gaps */
        id = sqlite3_last_insert_rowid(keep->db);
        rc = keep_run(keep, "DELETE FROM intents WHERE id < ? AND state <> 0", "i",
                      id - KEEP_ENDED_MAX);
    }
    int r = keep_done(keep, rc, "record the intent", err);
    if (r < 0)
        return r;
    intent->id = fresh.id = id;
    intent->state = INTENT_OPEN;
    keep_know_intent(keep, &fresh);
    keep_done(keep, keep_reserve(keep), "keep room", NULL); /* this intent has had its room */
    return 0;
}

int keep_intent_begin(struct keep *keep, struct intent *intent, struct error *err)
{
    int r = begin(keep, intent, err);
    /* Found out by this very call: what can be mended at once keeps no deed waiting. */
    return r == -EUCLEAN || r == -EIO ? begin(keep, intent, err) : r;
}

int keep_intent_end(struct keep *keep, int64_t id, enum intent_state state, fact held_after,
                    int64_t ended_wall_ms, const char *outcome, struct error *err)
{
    if (state != INTENT_DONE && state != INTENT_FAILED && state != INTENT_DROPPED)
        return error_set(err, FAILURE_USAGE, -EINVAL, "an intent cannot end in state %d",
                         (int)state);
    KEEP_LOCKED(keep);
    char text[sizeof((struct intent *)NULL)->outcome];
    keep_text(text, sizeof text, outcome);
    keep_know_end(keep, id, state, held_after, ended_wall_ms, text);
    int rc = keep_run(keep,
                      "UPDATE intents SET state = ?, held_after = ?, ended_wall_ms = ?, outcome = ?"
                      " WHERE id = ? AND state = 0",
                      "iiiti", (int64_t)state, held_after, ended_wall_ms, text, id);
    bool ended = rc == SQLITE_OK && sqlite3_changes(keep->db) > 0;
    int64_t known = 0;
    if (rc == SQLITE_OK && !ended)
        rc = keep_number(keep, &known, "SELECT count(*) FROM intents WHERE id = ?", "i", id);
    int r = keep_done(keep, rc, "record the end of the intent", err);
    keep->owed |= r < 0;
    if (r < 0 || ended || known)
        return r;
    return error_set(err, FAILURE_JOB, -ENOENT, "%s has no intent %lld", keep->path, (long long)id);
}

#define TEXT(column, member)                                                                       \
    keep_text(intent.member, sizeof intent.member,                                                 \
              (const char *)sqlite3_column_text(statement, column))

/* A row of COLUMNS. */
static struct intent intent_of(sqlite3_stmt *statement)
{
    struct intent intent = {
        .id = sqlite3_column_int64(statement, 0),
        .pid = sqlite3_column_int64(statement, 6),
        .process_started_us = sqlite3_column_int64(statement, 7),
        .grace_s = sqlite3_column_int64(statement, 8),
        .begun_wall_ms = sqlite3_column_int64(statement, 9),
        .begun_boottime_s = sqlite3_column_double(statement, 11),
        .attempt = sqlite3_column_int64(statement, 12),
        .held_before = sqlite3_column_int64(statement, 13),
        .held_after = sqlite3_column_int64(statement, 14),
        .state = (enum intent_state)sqlite3_column_int(statement, 15),
        .ended_wall_ms = sqlite3_column_int64(statement, 16),
    };
    TEXT(1, container);
    TEXT(2, started_at);
    TEXT(3, key);
    TEXT(4, verdict);
    TEXT(5, step);
    TEXT(10, boot_id);
    TEXT(17, outcome);
    return intent;
}

static void free_intents(struct intent **intents)
{
    free(*intents);
}

/* All rows of a statement into an array of their number; ends the call. */
static int read_all(struct keep *keep, int rc, sqlite3_stmt *statement, struct intent **ret_intents,
                    size_t *ret_n, struct error *err)
{
    __attribute__((cleanup(free_intents))) struct intent *intents = NULL;
    size_t n = 0, room = 0;
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        if (n == room) {
            room = room ? 2 * room : 16;
            struct intent *more = reallocarray(intents, room, sizeof *intents);
            if (!more) {
                rc = SQLITE_NOMEM;
                break;
            }
            intents = more;
        }
        intents[n++] = intent_of(statement);
        rc = SQLITE_OK;
    }
    int r = keep_done(keep, rc == SQLITE_DONE ? SQLITE_OK : rc, "read the intents", err);
    if (r < 0)
        return r;
    *ret_intents = intents;
    *ret_n = n;
    intents = NULL;
    return 0;
}

int keep_intents_open(struct keep *keep, struct intent **ret_intents, size_t *ret_n,
                      struct error *err)
{
    KEEP_LOCKED(keep);
    KEEP_STATEMENT *statement = NULL;
    if (keep->db && keep->owed) /* what ended would count as open */
        return error_set(err, FAILURE_UNREACHABLE, -EBUSY,
                         "the end of an intent could not be recorded in %s yet", keep->path);
    int rc = keep_prepare(keep, &statement,
                          "SELECT " COLUMNS " FROM intents WHERE state = 0 ORDER BY id", "");
    return read_all(keep, rc, statement, ret_intents, ret_n, err);
}

int keep_intents_recent(struct keep *keep, const char *key, size_t limit,
                        struct intent **ret_intents, size_t *ret_n, struct error *err)
{
    KEEP_LOCKED(keep);
    KEEP_STATEMENT *statement = NULL;
    int64_t rows =
        limit < KEEP_ENDED_MAX + KEEP_OPEN_MAX ? (int64_t)limit : KEEP_ENDED_MAX + KEEP_OPEN_MAX;
    int rc = keep_prepare(keep, &statement,
                          "SELECT " COLUMNS " FROM intents WHERE ?1 IN ('', key)"
                          " ORDER BY id DESC LIMIT ?2",
                          "ti", key, rows);
    return read_all(keep, rc, statement, ret_intents, ret_n, err);
}
