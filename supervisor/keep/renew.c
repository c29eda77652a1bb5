/* A database that goes bad while it is open: found out, closed, opened anew or begun anew, and
 * proved good again, without a new process. */
#include "base/clock.h"
#include "keep/private.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const double retry_first_s = 1, retry_most_s = 10; /* a disk that comes back is used soon */
static const double prove_every_s = 60;                   /* a commit costs a write to the disk */
static const double calm_s = 60; /* good for so long, the next fault is a new one */

static const char *const suffixes[3] = {"", "-wal", "-shm"};

static struct keep_file file_now(const struct keep *keep, size_t which)
{
    char path[KEEP_FILE_SIZE];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", keep->path, suffixes[which]);
    if (lstat(path, &st) < 0)
        return (struct keep_file){0};
    return (struct keep_file){st.st_dev, st.st_ino};
}

static bool same_file(struct keep_file a, struct keep_file b)
{
    return a.device == b.device && a.inode == b.inode;
}

void keep_note_files(struct keep *keep)
{
    for (size_t i = 0; i < 3; i++)
        keep->files[i] = file_now(keep, i);
    keep->good_s = clock_boottime_s();
}

void keep_spoil(struct keep *keep, bool close, const struct error *why)
{
    keep->closing |= close;
    if (keep->bad && !close)
        return;
    keep->bad = true;
    keep->why = *why;
    if (clock_boottime_s() > keep->good_s + calm_s)
        keep->delay_s = 0;
    keep->retry_s = clock_boottime_s() + keep->delay_s;
}

/* A WAL under the name of one whose database went away would be played into the next. */
static void drop_log(const struct keep *keep)
{
    char path[KEEP_FILE_SIZE];
    for (size_t i = 1; i < 3; i++)
        if (keep->files[i].inode && same_file(file_now(keep, i), keep->files[i])) {
            snprintf(path, sizeof path, "%s%s", keep->path, suffixes[i]);
            unlink(path);
        }
}

/* A row in a file that was removed would be known to nobody; with its log replaced, the next
 * process would read another state than this one. A WAL that is gone is put into the database by
 * closing it.
 */
static int find_replaced(struct keep *keep, struct error *err)
{
    for (size_t i = 0; i < 3; i++) {
        if (same_file(file_now(keep, i), keep->files[i]))
            continue;
        int r =
            error_set(err, FAILURE_UNREACHABLE, -EIO,
                      "%s%s was removed or replaced while it was in use", keep->path, suffixes[i]);
        keep_close_database(keep);
        if (i == 0)
            drop_log(keep);
        keep_spoil(keep, true, err);
        return r;
    }
    return 0;
}

/* Two daemons on one database would each take the other's intents for an earlier supervisor's. */
static int own(struct keep *keep, struct error *err)
{
    return keep->lock ? keep_lock_daemon_again(keep->directory, keep->lock, err) : 0;
}

static int open_anew(struct keep *keep, struct error *err)
{
    struct keep_file before = keep->files[0];
    bool missing = false;
    keep->delay_s = keep->delay_s < retry_first_s ? retry_first_s : 2 * keep->delay_s;
    if (keep->delay_s > retry_most_s)
        keep->delay_s = retry_most_s;
    int r = own(keep, err);
    if (r == 0)
        r = keep_open_database(keep, false, err);
    keep->closing = false; /* what was bad is closed, or set aside */
    if (r < 0) {
        keep->retry_s = clock_boottime_s() + keep->delay_s;
        keep->why = *err;
        return r;
    }
    keep_note_files(keep);
    keep->lost |= !same_file(before, keep->files[0]);
    return keep_tell_known(keep, "remember again what stands", &missing, err);
}

int keep_ready(struct keep *keep, struct error *err)
{
    struct error mine;
    err = err ? err : &mine;
    if (keep->db)
        find_replaced(keep, err);
    if (!keep->db && clock_boottime_s() < keep->retry_s) {
        *err = keep->why;
        return err->code;
    }
    if (!keep->db)
        return open_anew(keep, err);
    bool missing;
    return keep->owed ? keep_tell_known(keep, "record an end", &missing, err) : 0;
}

/* The state directory can be written, as far as it can be known without writing. */
static int may_write(const struct keep *keep, struct error *err)
{
    if (faccessat(AT_FDCWD, keep->directory, W_OK, AT_EACCESS) == 0 &&
        faccessat(AT_FDCWD, keep->path, W_OK, AT_EACCESS) == 0)
        return 0;
    return error_set(err, FAILURE_UNREACHABLE, -errno, "%s cannot be written: %s", keep->directory,
                     error_of_file(errno));
}

/* Reads all of it and writes to it. */
static int prove(struct keep *keep, struct error *err)
{
    bool missing = false, anew = keep->bad;
    keep_check_whole(keep);
    keep_try_write(keep);
    int r = keep_done(keep, "remember anything", err);
    if (r == 0)
        r = keep_tell_known(keep, "remember anything", &missing, err);
    if (r < 0)
        return r;
    keep->lost |= missing;
    keep->proved_s = clock_boottime_s();
    keep->bad = keep->told = false;
    if (anew)
        keep_reserve(keep, NULL); /* a full disk is met by the next intent */
    return 0;
}

/* What costs next to nothing: the files' names and the first page, whose beginning SQLite knows.
 * More is found by whoever uses it. */
static void glance(struct keep *keep, struct error *err)
{
    find_replaced(keep, err);
    if (keep->db && own(keep, err) < 0) {
        keep_close_database(keep);
        keep_spoil(keep, true, err);
    }
    if (!keep->db)
        return;
    keep_number(keep, 0, "PRAGMA schema_version", "");
    keep_done(keep, "read anything", err);
}

static int check(struct keep *keep, struct error *err)
{
    int r;
    if (!keep->bad && keep->db)
        glance(keep, err);
    if (!keep->bad && (r = may_write(keep, err)) < 0)
        keep_spoil(keep, false, err);
    if (keep->bad && !keep->told) { /* said before it is mended: nothing goes by unsaid */
        *err = keep->why;
        return err->code;
    }
    bool due = keep->bad || clock_boottime_s() >= keep->proved_s + prove_every_s;
    if (!due && !keep->owed)
        return 0;
    r = keep_ready(keep, err);
    if (r == 0)
        r = may_write(keep, err);
    return r == 0 && due ? prove(keep, err) : r;
}

void keep_own(struct keep *keep, struct keep_lock *lock)
{
    keep->lock = lock;
}

int keep_owned(struct keep *keep, struct error *err)
{
    KEEP_ALONE(keep);
    return own(keep, err);
}

int keep_check(struct keep *keep, struct keep_report *ret_report, struct error *err)
{
    struct error mine;
    err = err ? err : &mine;
    KEEP_ALONE(keep);
    double now_s = clock_boottime_s();
    int r = check(keep, err);
    if (r != -EBUSY) {
        keep->busy_s = 0;
    } else {
        keep->busy_s = keep->busy_s > 0 ? keep->busy_s : now_s;
        if (now_s >= keep->busy_s + prove_every_s)
            keep_spoil(keep, false, err);
        r = keep->bad ? r : 0;
    }
    keep->told = keep->bad;
    ret_report->replaced = keep->lost && !keep->set_aside[0];
    snprintf(ret_report->set_aside, sizeof ret_report->set_aside, "%s", keep->set_aside);
    keep->set_aside[0] = '\0';
    keep->lost = false;
    return r;
}
