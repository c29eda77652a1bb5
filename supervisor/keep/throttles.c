#include "keep/throttles.h"
#include "keep/private.h"
#include <errno.h>

#define COLUMNS                                                                                    \
    "container, name, started_at, boot_id, version, inode, directory, cpu_directory, high_before," \
    " high_set, quota_before_us, quota_set_us, period_us, since_wall_ms"

#define COLUMN(type, member) KEEP_COLUMN(type, throttle, member)
static const struct keep_column columns[] = {
    COLUMN(TEXT, container),          COLUMN(TEXT, name),
    COLUMN(TEXT, started_at),         COLUMN(TEXT, boot_id),
    COLUMN(INTEGER, version),         COLUMN(INTEGER, inode),
    COLUMN(TEXT, directory),          COLUMN(TEXT, cpu_directory),
    COLUMN(INTEGER, high_before),     COLUMN(INTEGER, high_set),
    COLUMN(INTEGER, quota_before_us), COLUMN(INTEGER, quota_set_us),
    COLUMN(INTEGER, period_us),       COLUMN(INTEGER, since_wall_ms),
};

void keep_insert_throttle(struct keep *keep, const struct throttle *t)
{
    keep_insert(keep,
                "INSERT INTO throttles (" COLUMNS ")"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (container) DO NOTHING",
                columns, KEEP_COUNT(columns), t);
}

int keep_throttle_begin(struct keep *keep, const struct throttle *t, struct error *err)
{
    KEEP_LOCKED(keep);
    keep_run(keep, "BEGIN IMMEDIATE", "");
    int64_t others = keep_number(keep, 0, "SELECT count(*) FROM throttles WHERE container <> ?",
                                 "t", t->container);
    if (others >= KEEP_THROTTLES_MAX) {
        keep_run(keep, "ROLLBACK", "");
        return error_set(err, FAILURE_JOB, -E2BIG, "%s has %d throttled containers already",
                         keep->path, KEEP_THROTTLES_MAX);
    }
    keep_run(keep, "DELETE FROM throttles WHERE container = ? AND (boot_id <> ? OR inode <> ?)",
             "tti", t->container, t->boot_id, t->inode);
    keep_insert_throttle(keep, t);
    bool stands = keep->rc == SQLITE_OK && sqlite3_changes(keep->db) == 0;
    int r = keep_done(keep, "record the throttle", err);
    if (r == 0 && stands)
        return error_set(err, FAILURE_JOB, -EEXIST, "%s has a throttle of %s that was not undone",
                         keep->path, t->name);
    if (r < 0)
        return r;
    keep_know_throttle(keep, t);
    keep_reserve(keep, NULL); /* this row has had its room */
    return 0;
}

int keep_throttle_end(struct keep *keep, const char *container, struct error *err)
{
    KEEP_LOCKED(keep);
    keep_forget_throttle(keep, container);
    keep_run(keep, "DELETE FROM throttles WHERE container = ?", "t", container);
    return keep_done(keep, "record the end of the throttle", err);
}

int keep_throttles(struct keep *keep, struct throttle **ret_throttles, size_t *ret_n,
                   struct error *err)
{
    static const struct keep_rows throttles = {columns, KEEP_COUNT(columns),
                                               sizeof(struct throttle), "read the throttles"};
    KEEP_LOCKED(keep);
    KEEP_STATEMENT *statement =
        keep_prepare(keep, "SELECT " COLUMNS " FROM throttles ORDER BY rowid", "");
    int r = keep_read_all(keep, statement, &throttles, ret_throttles, ret_n, err);
    for (size_t i = 0; r == 0 && i < *ret_n; i++)
        keep_know_throttle(keep, &(*ret_throttles)[i]);
    return r;
}
