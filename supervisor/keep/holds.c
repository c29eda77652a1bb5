/* What is kept by key: the hold, the point from which restarts count, the largest footprint. */
#include "keep/private.h"
#include <errno.h>

enum { WHY_SIZE = 256 };

/* Drops keys beyond the cap: first those without a hold, which were written longest ago, but never
 * the one that was written now. */
static int trim_keys(struct keep *keep, const char *key)
{
    int rc = keep_run(
        keep, "UPDATE keys SET rowid = (SELECT max(rowid) + 1 FROM keys) WHERE key = ?", "t", key);
    return rc != SQLITE_OK
               ? rc
               : keep_run(keep,
                          "DELETE FROM keys WHERE rowid IN (SELECT rowid FROM keys WHERE key <> ?"
                          " ORDER BY hold_since_ms <> 0, rowid"
                          " LIMIT max(0, (SELECT count(*) FROM keys) - ?))",
                          "ti", key, (int64_t)KEEP_KEYS_MAX);
}

static int hold_of(struct keep *keep, const char *key, int64_t *ret_since_wall_ms)
{
    return keep_number(keep, ret_since_wall_ms, "SELECT hold_since_ms FROM keys WHERE key = ?", "t",
                       key);
}

static int footprint_of(struct keep *keep, const char *key, fact *ret_held)
{
    return keep_number(keep, ret_held, "SELECT footprint FROM keys WHERE key = ?", "t", key);
}

int keep_hold_set(struct keep *keep, const char *key, int64_t since_wall_ms, const char *why,
                  struct error *err)
{
    KEEP_LOCKED(keep);
    char text[WHY_SIZE];
    keep_text(text, sizeof text, why);
    int rc = keep_run(keep, "BEGIN IMMEDIATE", "");
    if (rc == SQLITE_OK)
        rc = keep_run(keep,
                      "INSERT INTO keys (key, hold_since_ms, hold_why) VALUES (?, ?, ?)"
                      " ON CONFLICT (key) DO UPDATE SET"
                      " hold_since_ms = excluded.hold_since_ms, hold_why = excluded.hold_why",
                      "tit", key, since_wall_ms, text);
    if (rc == SQLITE_OK)
        rc = trim_keys(keep, key);
    return keep_done(keep, rc, "record the hold", err);
}

int keep_hold_get(struct keep *keep, const char *key, int64_t *ret_since_wall_ms, struct error *err)
{
    KEEP_LOCKED(keep);
    int64_t since_wall_ms = 0;
    int r = keep_done(keep, hold_of(keep, key, &since_wall_ms), "read the hold", err);
    if (r == 0)
        *ret_since_wall_ms = since_wall_ms;
    return r;
}

int keep_release(struct keep *keep, const char *key, int64_t now_wall_ms, struct error *err)
{
    KEEP_LOCKED(keep);
    int64_t since_wall_ms = 0;
    int rc = keep_run(keep, "BEGIN IMMEDIATE", "");
    if (rc == SQLITE_OK)
        rc = hold_of(keep, key, &since_wall_ms);
    if (rc == SQLITE_OK) /* by id, not by time: a clock that was set back must not undo it */
        rc = keep_run(keep,
                      "INSERT INTO keys (key, released_ms, released_id)"
                      " VALUES (?, ?, (SELECT ifnull(max(id), 0) FROM intents))"
                      " ON CONFLICT (key) DO UPDATE SET hold_since_ms = 0, hold_why = '',"
                      " released_ms = excluded.released_ms, released_id = excluded.released_id",
                      "ti", key, now_wall_ms);
    if (rc == SQLITE_OK)
        rc = trim_keys(keep, key);
    int r = keep_done(keep, rc, "record the release", err);
    if (r < 0 || since_wall_ms != 0)
        return r;
    return error_set(err, FAILURE_JOB, -ENOENT,
                     "\"%s\" was not held; its restarts count afresh from now", key);
}

int keep_footprint_raise(struct keep *keep, const char *key, fact held, struct error *err)
{
    KEEP_LOCKED(keep);
    fact before = FACT_UNKNOWN;
    int rc = footprint_of(keep, key, &before);
    if (rc == SQLITE_OK && held > before && fact_known(held)) {
        rc = keep_run(keep, "BEGIN IMMEDIATE", "");
        if (rc == SQLITE_OK)
            rc = keep_run(keep,
                          "INSERT INTO keys (key, footprint) VALUES (?, ?) ON CONFLICT (key)"
                          " DO UPDATE SET footprint = max(footprint, excluded.footprint)",
                          "ti", key, held);
        if (rc == SQLITE_OK)
            rc = trim_keys(keep, key);
    }
    return keep_done(keep, rc, "record the footprint", err);
}

int keep_footprint_get(struct keep *keep, const char *key, fact *ret_held, struct error *err)
{
    KEEP_LOCKED(keep);
    fact held = FACT_UNKNOWN;
    int r = keep_done(keep, footprint_of(keep, key, &held), "read the footprint", err);
    if (r == 0)
        *ret_held = held;
    return r;
}
