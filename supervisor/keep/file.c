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
                         directory, strerror(errno));
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
    struct stat st;
    if (fd >= 0 || (errno == EEXIST && lstat(path, &st) == 0 && S_ISREG(st.st_mode)))
        return 0;
    if (errno == EEXIST)
        return error_set(err, FAILURE_UNREACHABLE, -EIO,
                         "%s is not a regular file; move it away or choose another state directory",
                         path);
    return error_set(err, FAILURE_UNREACHABLE, -errno, "cannot make %s: %s", path, strerror(errno));
}

int keep_expect(struct keep *keep, const char *sql, const char *wanted, int otherwise)
{
    KEEP_STATEMENT *statement = NULL;
    int rc = keep_prepare(keep, &statement, sql, "");
    if (rc != SQLITE_OK || (rc = sqlite3_step(statement)) != SQLITE_ROW)
        return rc;
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    return text && strcmp(text, wanted) == 0 ? SQLITE_OK : otherwise;
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
                         keep->path, strerror(errno));
    snprintf(from, sizeof from, "%s-wal", keep->path);
    snprintf(to, sizeof to, "%s-wal", keep->set_aside);
    rename(from, to);
    snprintf(from, sizeof from, "%s-shm", keep->path);
    unlink(from);
    drop_oldest_aside(keep->path);
    return 0;
}
