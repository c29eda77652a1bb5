/* Room that is taken while there is some, so that on a full disk an intent and its end still fit:
 * free pages inside the database, and a WAL that has its length already. SQLite writes a WAL again
 * from its start once it was checkpointed whole, and never shortens it here; so it is enough to
 * have written that much once. */
#include "keep/private.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
    WAL_HEADER_BYTES = 32, /* https://www.sqlite.org/fileformat2.html#walformat */
    FRAME_HEADER_BYTES = 24,
    WAL_BYTES = WAL_HEADER_BYTES + KEEP_WAL_FRAMES * (FRAME_HEADER_BYTES + KEEP_PAGE_BYTES),
    /* Filling up writes the pages to the WAL and then to the database. Were there room for the
     * first only, the WAL could not be checkpointed and grew with each commit: worse than before.
     */
    ROOM_BYTES = 3 * KEEP_SPARE_PAGES * KEEP_PAGE_BYTES,
    OVERFLOW_BYTES = KEEP_PAGE_BYTES - 4, /* of a blob, in each of its overflow pages */
    WAL_SALT_AT = 16, /* in its header; 8 bytes, which a frame must repeat to count */
    FRAME_SALT_AT = 8,
    FRAME_HALF_WAY =
        WAL_HEADER_BYTES + KEEP_WAL_FRAMES / 2 * (FRAME_HEADER_BYTES + KEEP_PAGE_BYTES),
};

static bool wal_is_long_enough(const struct keep *keep)
{
    char path[KEEP_FILE_SIZE];
    struct stat st;
    snprintf(path, sizeof path, "%s-wal", keep->path);
    return stat(path, &st) == 0 && st.st_size >= WAL_BYTES;
}

static bool nearly_full(const struct keep *keep)
{
    struct statvfs fs;
    return statvfs(keep->path, &fs) == 0 && (uint64_t)fs.f_bavail * fs.f_frsize < ROOM_BYTES;
}

/* A blob takes the free pages and then new ones; secure_delete writes each of them when it goes, so
 * that they are on the disk and not only counted. */
static void write_pages(struct keep *keep, int64_t pages)
{
    keep_run(keep, "BEGIN IMMEDIATE", "");
    keep_run(keep, "INSERT INTO ballast VALUES (zeroblob(?))", "i", pages * OVERFLOW_BYTES);
    keep_run(keep, "DELETE FROM ballast", "");
}

void keep_try_write(struct keep *keep)
{
    write_pages(keep, KEEP_INTENT_PAGES);
}

int keep_reserve(struct keep *keep, struct error *err)
{
    int64_t spare = keep_number(keep, 0, "PRAGMA freelist_count", "");
    bool wal = wal_is_long_enough(keep);
    if (!wal || (spare < KEEP_SPARE_LOW_PAGES && (spare <= 0 || !nearly_full(keep))))
        write_pages(keep, KEEP_SPARE_PAGES);
    return keep_done(keep, "keep room", err);
}

static bool wal_is_half_used(const struct keep *keep)
{
    char path[KEEP_FILE_SIZE], wal[8], frame[8];
    snprintf(path, sizeof path, "%s-wal", keep->path);
    KEEP_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && pread(fd, wal, sizeof wal, WAL_SALT_AT) == sizeof wal &&
           pread(fd, frame, sizeof frame, FRAME_HALF_WAY + FRAME_SALT_AT) == sizeof frame &&
           memcmp(wal, frame, sizeof wal) == 0;
}

void keep_rewind(struct keep *keep)
{
    if (!wal_is_half_used(keep))
        return;
    keep_heed(keep,
              sqlite3_wal_checkpoint_v2(keep->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL));
    keep_number_schema(keep); /* any commit that writes a page */
    if (keep->rc == SQLITE_BUSY)
        keep->rc = SQLITE_OK;
}
