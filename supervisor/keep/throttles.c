#include "keep/throttles.h"
#include "keep/private.h"
#include <errno.h>
#include <stdlib.h>

#define COLUMNS                                                                                    \
    "container, name, started_at, boot_id, version, inode, directory, cpu_directory, high_before," \
    " high_set, quota_before_us, quota_set_us, period_us, since_wall_ms"

int keep_insert_throttle(struct keep *keep, const struct throttle *t)
{
    return keep_run(keep,
                    "INSERT INTO throttles (" COLUMNS ")"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (container) DO NOTHING",
                    "ttttiittiiiiii", t->container, t->name, t->started_at, t->boot_id, t->version,
                    t->inode, t->directory, t->cpu_directory, t->high_before, t->high_set,
                    t->quota_before_us, t->quota_set_us, t->period_us, t->since_wall_ms);
}

int keep_throttle_begin(struct keep *keep, const struct throttle *t, struct error *err)
{
    KEEP_LOCKED(keep);
    int64_t others = 0;
    int rc = keep_run(keep, "BEGIN IMMEDIATE", "");
    if (rc == SQLITE_OK)
        rc = keep_number(keep, &others, "SELECT count(*) FROM throttles WHERE container <> ?", "t",
                         t->container);
    if (rc == SQLITE_OK && others >= KEEP_THROTTLES_MAX) {
        keep_run(keep, "ROLLBACK", "");
        return error_set(err, FAILURE_JOB, -E2BIG, "%s has %d throttled containers already",
                         keep->path, KEEP_THROTTLES_MAX);
    }
    if (rc == SQLITE_OK)
        rc = keep_run(keep,
                      "DELETE FROM throttles WHERE container = ? AND (boot_id <> ? OR inode <> ?)",
                      "tti", t->container, t->boot_id, t->inode);
    if (rc == SQLITE_OK)
        rc = keep_insert_throttle(keep, t);
    bool stands = rc == SQLITE_OK && sqlite3_changes(keep->db) == 0;
    int r = keep_done(keep, rc, "record the throttle", err);
    if (r == 0 && stands)
        return error_set(err, FAILURE_JOB, -EEXIST, "%s has a throttle of %s that was not undone",
                         keep->path, t->name);
    if (r < 0)
        return r;
    keep_know_throttle(keep, t);
    keep_done(keep, keep_reserve(keep), "keep room", NULL); /* this row has had its room */
    return 0;
}

int keep_throttle_end(struct keep *keep, const char *container, struct error *err)
{
    KEEP_LOCKED(keep);
    keep_forget_throttle(keep, container);
    return keep_done(keep,
                     keep_run(keep, "DELETE FROM throttles WHERE container = ?", "t", container),
                     "record the end of the throttle", err);
}

#define TEXT(column, member)                                                                       \
    keep_text(t.member, sizeof t.member, (const char *)sqlite3_column_text(statement, column))

/* A row of COLUMNS. */
static struct throttle throttle_of(sqlite3_stmt *statement)
{
    struct throttle t = {
        .version = sqlite3_column_int64(statement, 4),
        .inode = sqlite3_column_int64(statement, 5),
        .high_before = sqlite3_column_int64(statement, 8),
        .high_set = sqlite3_column_int64(statement, 9),
        .quota_before_us = sqlite3_column_int64(statement, 10),
        .quota_set_us = sqlite3_column_int64(statement, 11),
        .period_us = sqlite3_column_int64(statement, 12),
        .since_wall_ms = sqlite3_column_int64(statement, 13),
    };
    TEXT(0, container);
    TEXT(1, name);
    TEXT(2, started_at);
    TEXT(3, boot_id);
    TEXT(6, directory);
    TEXT(7, cpu_directory);
    return t;
}

static void free_throttles(struct throttle **throttles)
{
    free(*throttles);
}

int keep_throttles(struct keep *keep, struct throttle **ret_throttles, size_t *ret_n,
                   struct error *err)
{
    KEEP_LOCKED(keep);
    KEEP_STATEMENT *statement = NULL;
    __attribute__((cleanup(free_throttles))) struct throttle *throttles = NULL;
    size_t n = 0;
    int rc = keep_prepare(keep, &statement, "SELECT " COLUMNS " FROM throttles ORDER BY rowid", "");
    while (rc == SQLITE_OK && (rc = sqlite3_step(statement)) == SQLITE_ROW) {
        struct throttle *more = reallocarray(throttles, n + 1, sizeof *throttles);
        if (more) {
            throttles = more;
            throttles[n++] = throttle_of(statement);
        }
        rc = more ? SQLITE_OK : SQLITE_NOMEM;
    }
    int r = keep_done(keep, rc == SQLITE_DONE ? SQLITE_OK : rc, "read the throttles", err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++)
        keep_know_throttle(keep, &throttles[i]);
    *ret_throttles = throttles;
    *ret_n = n;
    throttles = NULL;
    return 0;
}
