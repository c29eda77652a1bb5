/* Room that is taken while there is some, so that on a full disk an intent and its end still fit:
 * free pages inside the database, and a WAL that has its length already. SQLite writes a WAL again
 * from its start once it was checkpointed whole, and never shortens it here; so it is enough to
 * have written that much once. */
#include "keep/private.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    WAL_HEADER_BYTES = 32, /* https://www.sqlite.org/fileformat2.html#walformat */
    FRAME_HEADER_BYTES = 24,
    WAL_BYTES = WAL_HEADER_BYTES + KEEP_WAL_FRAMES * (FRAME_HEADER_BYTES + KEEP_PAGE_BYTES),
    /* Filling up writes the pages to the WAL and then to the database. Were there room for the
     * first only, the WAL could not be checkpointed and grew with each commit: worse than before.
     */
    ROOM_BYTES = 3 * KEEP_SPARE_PAGES * KEEP_PAGE_BYTES,
    OVERFLOW_BYTES = KEEP_PAGE_BYTES - 4, /* of a blob, in each of its overflow pages */
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

int keep_reserve(struct keep *keep)
{
    int64_t spare = 0;
    int rc = keep_number(keep, &spare, "PRAGMA freelist_count", "");
    bool wal = wal_is_long_enough(keep);
    if (rc != SQLITE_OK || (wal && spare >= KEEP_SPARE_LOW_PAGES))
        return rc;
    if (wal && spare > 0 && nearly_full(keep))
        return SQLITE_OK;

    /* A blob takes the free pages and then new ones; secure_delete writes each of them when it
     * goes, so that they are on the disk and not only counted. */
    rc = keep_run(keep, "BEGIN IMMEDIATE", "");
    if (rc == SQLITE_OK)
        rc = keep_run(keep, "INSERT INTO ballast VALUES (zeroblob(?))", "i",
                      (int64_t)KEEP_SPARE_PAGES * OVERFLOW_BYTES);
    if (rc == SQLITE_OK)
        rc = keep_run(keep, "DELETE FROM ballast", "");
    return rc;
}
