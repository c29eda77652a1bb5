/* A database's file: where it is, made, set aside when it is corrupt. */
#include "keep/private.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int keep_find_place(struct keep *keep, const char *directory, const char *name, struct error *err)
{
    char locks[PATH_MAX];
    int r = keep_make_directories(directory, locks, err);
    if (r < 0)
        return r;
    char *real = realpath(directory, NULL); /* NOFOLLOW below is about every part of the path */
    if (!real)
        return error_set(err, FAILURE_UNREACHABLE, -errno, "cannot use the state directory %s: %s",
                         directory, error_of_file(errno));
    int n = snprintf(keep->path, sizeof keep->path, "%s/%s", real, name);
    free(real);
    if (n < (int)sizeof keep->path)
        return 0;
    return error_set(err, FAILURE_USAGE, -ENAMETOOLONG,
                     "a state directory's path has at most %d bytes, this one has more: %s",
                     KEEP_PATH_SIZE - (int)strlen(name) - 2, directory);
}

int keep_make_file(const char *path, struct error *err)
{
    KEEP_FD fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int failed = errno;
    struct stat st;
    if (fd >= 0 || (failed == EEXIST && lstat(path, &st) == 0 && S_ISREG(st.st_mode)))
        return 0;
    if (failed == EEXIST)
        return error_set(err, FAILURE_UNREACHABLE, -EIO,
                         "%s is not a regular file; move it away or choose another state directory",
                         path);
    return error_set(err, FAILURE_UNREACHABLE, -failed, "cannot make %s: %s", path,
                     error_of_file(failed));
}

int keep_open_file(struct keep *keep, int flags, const char *uri, const char *doing,
                   struct error *err)
{
    keep_heed(keep, sqlite3_open_v2(uri ? uri : keep->path, &keep->db,
                                    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                        SQLITE_OPEN_EXRESCODE | (uri ? SQLITE_OPEN_URI : 0),
                                    NULL));
    if (!keep->db)
        return error_set(err, FAILURE_UNREACHABLE, -ENOMEM, "no memory is left to open %s",
                         keep->path);
    keep_heed(keep, sqlite3_busy_timeout(keep->db, KEEP_BUSY_MS));
    return keep_done(keep, doing, err);
}

void keep_persist_log(struct keep *keep)
{
    int persist = 1;
    keep_heed(keep, sqlite3_file_control(keep->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist));
}

int keep_read_version(struct keep *keep, const struct keep_schema *schema, int64_t *ret_version,
                      struct error *err)
{
    int64_t version = keep_number(keep, 0, "PRAGMA user_version", "");
    int64_t tables = keep_number(keep, 0, "SELECT count(*) FROM sqlite_schema", "");
    int r = keep_done(keep, schema->doing, err);
    if (r < 0)
        return r;
    if (version > schema->number)
        return error_set(err, FAILURE_UNREACHABLE, -ENOTSUP,
                         "%s was made by a newer supervisor (schema %lld, this one knows %d);"
                         " use that one, or %s",
                         keep->path, (long long)version, schema->number, schema->remedy);
    if (version < 1 && tables > 0)
        return error_set(err, FAILURE_UNREACHABLE, -ENOTSUP,
                         "%s is some other program's database; %s", keep->path, schema->remedy);
    *ret_version = version;
    return 0;
}

void keep_configure(struct keep *keep, const char *pragmas, int checkpoint_frames)
{
    keep_script(keep, pragmas);
    keep_heed(keep, sqlite3_wal_autocheckpoint(keep->db, checkpoint_frames));
    keep_expect(keep, "PRAGMA journal_mode = WAL", "wal", SQLITE_CANTOPEN);
}

void keep_expect(struct keep *keep, const char *sql, const char *wanted, int otherwise)
{
    KEEP_STATEMENT *row = keep_prepare(keep, sql, "");
    if (!keep_row(keep, row) || strcmp(keep_text_of(row, 0), wanted) != 0)
        keep_heed(keep, otherwise);
}

void keep_check_whole(struct keep *keep)
{
    keep_expect(keep, "PRAGMA quick_check(1)", "ok", SQLITE_CORRUPT);
}

void keep_close_database(struct keep *keep)
{
    sqlite3_close(keep->db);
    keep->db = NULL;
}

/* Drops the oldest of the databases that were set aside, so that a bad disk does not fill up with
 * them. Their names sort by time. */
static void drop_oldest_aside(const char *path)
{
    char pattern[KEEP_FILE_SIZE], wal[KEEP_FILE_SIZE + 8];
    glob_t aside = {0};
    snprintf(pattern, sizeof pattern, "%s.corrupt-*Z", path);
    if (glob(pattern, 0, NULL, &aside) == 0)
        for (size_t i = 0; i + KEEP_CORRUPT_MAX < aside.gl_pathc; i++) {
            snprintf(wal, sizeof wal, "%s-wal", aside.gl_pathv[i]);
            unlink(wal);
            unlink(aside.gl_pathv[i]);
        }
    globfree(&aside);
}

/* The database goes first: a WAL that is left without one is dropped by SQLite. */
int keep_put_aside(struct keep *keep, struct error *err)
{
    char from[KEEP_FILE_SIZE], to[KEEP_FILE_SIZE + 8], stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
    snprintf(keep->set_aside, sizeof keep->set_aside, "%s.corrupt-%s", keep->path, stamp);
    if (rename(keep->path, keep->set_aside) < 0)
        return error_set(err, FAILURE_UNREACHABLE, -errno, "cannot set the corrupt %s aside: %s",
                         keep->path, error_of_file(errno));
    snprintf(from, sizeof from, "%s-wal", keep->path);
    snprintf(to, sizeof to, "%s-wal", keep->set_aside);
    rename(from, to);
    snprintf(from, sizeof from, "%s-shm", keep->path);
    unlink(from);
    drop_oldest_aside(keep->path);
    return 0;
}
