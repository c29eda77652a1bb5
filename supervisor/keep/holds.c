/* What is kept by key: the hold, the point from which restarts count, the largest footprint. */
#include "keep/private.h"
#include <errno.h>

enum { WHY_SIZE = 256 };

/* Drops keys beyond the cap: first those without a hold, which were written longest ago, but never
 * the one that was written now. */
static void trim_keys(struct keep *keep, const char *key)
{
    keep_run(keep, "UPDATE keys SET rowid = (SELECT max(rowid) + 1 FROM keys) WHERE key = ?", "t",
             key);
    keep_run(keep,
             "DELETE FROM keys WHERE rowid IN (SELECT rowid FROM keys WHERE key <> ?"
             " ORDER BY hold_since_ms <> 0, rowid"
             " LIMIT max(0, (SELECT count(*) FROM keys) - ?))",
             "ti", key, (int64_t)KEEP_KEYS_MAX);
}

static int64_t hold_of(struct keep *keep, const char *key)
{
    return keep_number(keep, 0, "SELECT hold_since_ms FROM keys WHERE key = ?", "t", key);
}

static fact footprint_of(struct keep *keep, const char *key)
{
    return keep_number(keep, FACT_UNKNOWN, "SELECT footprint FROM keys WHERE key = ?", "t", key);
}

int keep_hold_set(struct keep *keep, const char *key, int64_t since_wall_ms, const char *why,
                  struct error *err)
{
    KEEP_LOCKED(keep);
    char text[WHY_SIZE];
    text_copy(text, sizeof text, why);
    keep_run(keep, "BEGIN IMMEDIATE", "");
    keep_run(keep,
             "INSERT INTO keys (key, hold_since_ms, hold_why) VALUES (?, ?, ?)"
             " ON CONFLICT (key) DO UPDATE SET"
             " hold_since_ms = excluded.hold_since_ms, hold_why = excluded.hold_why",
             "tit", key, since_wall_ms, text);
    trim_keys(keep, key);
    return keep_done(keep, "record the hold", err);
}

int keep_hold_get(struct keep *keep, const char *key, int64_t *ret_since_wall_ms, struct error *err)
{
    KEEP_LOCKED(keep);
    *ret_since_wall_ms = hold_of(keep, key);
    return keep_done(keep, "read the hold", err);
}

int keep_release(struct keep *keep, const char *key, int64_t now_wall_ms, struct error *err)
{
    KEEP_LOCKED(keep);
    keep_run(keep, "BEGIN IMMEDIATE", "");
    int64_t since_wall_ms = hold_of(keep, key);
    /* By id, not by time: a clock that was set back must not undo it. */
    keep_run(keep,
             "INSERT INTO keys (key, released_ms, released_id)"
             " VALUES (?, ?, (SELECT ifnull(max(id), 0) FROM intents))"
             " ON CONFLICT (key) DO UPDATE SET hold_since_ms = 0, hold_why = '',"
             " released_ms = excluded.released_ms, released_id = excluded.released_id",
             "ti", key, now_wall_ms);
    trim_keys(keep, key);
    int r = keep_done(keep, "record the release", err);
    if (r < 0 || since_wall_ms != 0)
        return r;
    return error_set(err, FAILURE_JOB, -ENOENT,
                     "\"%s\" was not held; its restarts count afresh from now", key);
}

int keep_footprint_raise(struct keep *keep, const char *key, fact held, struct error *err)
{
    KEEP_LOCKED(keep);
    if (held > footprint_of(keep, key) && fact_known(held)) {
        keep_run(keep, "BEGIN IMMEDIATE", "");
        keep_run(keep,
                 "INSERT INTO keys (key, footprint) VALUES (?, ?) ON CONFLICT (key)"
                 " DO UPDATE SET footprint = max(footprint, excluded.footprint)",
                 "ti", key, held);
        trim_keys(keep, key);
    }
    return keep_done(keep, "record the footprint", err);
}

int keep_footprint_get(struct keep *keep, const char *key, fact *ret_held, struct error *err)
{
    KEEP_LOCKED(keep);
    *ret_held = footprint_of(keep, key);
    return keep_done(keep, "read the footprint", err);
}
