/* history.db: made, opened, bounded, closed. */
#include "keep/history_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    WAL_BYTES = 1 << 20,     /* what a checkpointed WAL is cut to */
    CHECKPOINT_FRAMES = 128, /* 512 KiB */
    FREE_PAGES_MAX = 256,    /* more are given back to the disk … */
    FREE_PAGES_STEP = 256,   /* … so many after each write */
    SHED_PASSES = 16,
};

/* Ids only rise: the newest row of a table is never let go. Facts are stored as they are. */
static const char first_schema[] =
    "CREATE TABLE events ("
    " id INTEGER PRIMARY KEY, wall_ms INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " boottime_s REAL NOT NULL, container TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,"
    " verdict TEXT NOT NULL, step TEXT NOT NULL, outcome TEXT NOT NULL, numbers TEXT NOT NULL);"
    "CREATE TABLE containers (ref INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " name TEXT NOT NULL);"
    "CREATE TABLE boots (ref INTEGER PRIMARY KEY, boot_id TEXT NOT NULL UNIQUE);"
    "CREATE TABLE seconds ("
    " id INTEGER PRIMARY KEY, container INTEGER NOT NULL, wall_ms INTEGER NOT NULL,"
    " boot INTEGER NOT NULL, boottime_s REAL NOT NULL, held INTEGER NOT NULL,"
    " page_cache INTEGER NOT NULL, memory_limit INTEGER NOT NULL, models INTEGER NOT NULL,"
    " cpu REAL NOT NULL);"
    "CREATE TABLE minutes ("
    " id INTEGER PRIMARY KEY, container INTEGER NOT NULL, wall_ms INTEGER NOT NULL,"
    " boot INTEGER NOT NULL, boottime_s REAL NOT NULL, samples INTEGER NOT NULL,"
    " held INTEGER NOT NULL, held_max INTEGER NOT NULL, page_cache INTEGER NOT NULL,"
    " page_cache_max INTEGER NOT NULL, memory_limit INTEGER NOT NULL, models INTEGER NOT NULL,"
    " models_max INTEGER NOT NULL, cpu REAL NOT NULL, cpu_max REAL NOT NULL);"
    "CREATE TABLE footprints ("
    " digest TEXT NOT NULL, context INTEGER NOT NULL, parallel INTEGER NOT NULL,"
    " kv_type TEXT NOT NULL, model TEXT NOT NULL, held INTEGER NOT NULL, seen INTEGER NOT NULL,"
    " last_wall_ms INTEGER NOT NULL, UNIQUE (digest, context, parallel, kv_type));"
    "CREATE TABLE uses (model TEXT NOT NULL UNIQUE, loads INTEGER NOT NULL,"
    " last_used_wall_ms INTEGER NOT NULL);"
    "PRAGMA user_version = 1;";

#define LESSON_KEY "digest, context, parallel, kv_type, version, gpu"
/* A row a runner, so that what one taught can be taken back. What was learned before had prompt
 * caches and leaks in it: it goes. */
static const char lessons_schema[] =
    "DROP TABLE footprints;"
    "CREATE TABLE lessons ("
    " digest TEXT NOT NULL, context INTEGER NOT NULL, parallel INTEGER NOT NULL,"
    " kv_type TEXT NOT NULL, version TEXT NOT NULL, gpu INTEGER NOT NULL, model TEXT NOT NULL,"
    " held INTEGER NOT NULL, last_wall_ms INTEGER NOT NULL, boot_id TEXT NOT NULL,"
    " pid INTEGER NOT NULL, started_us INTEGER NOT NULL);"
    "CREATE VIEW footprints AS SELECT " LESSON_KEY ", model, min(held) AS held, count(*) AS seen,"
    " max(last_wall_ms) AS last_wall_ms FROM lessons GROUP BY " LESSON_KEY ";"
    "PRAGMA user_version = 2;";

/* Of each container's models, by the clock of a boot. */
static const char last_uses_schema[] =
    "CREATE TABLE last_uses ("
    " container TEXT NOT NULL, model TEXT NOT NULL, boot_id TEXT NOT NULL, from_s REAL NOT NULL,"
    " to_s REAL NOT NULL, how INTEGER NOT NULL, pid INTEGER NOT NULL, started_us INTEGER NOT NULL,"
    " cpu_us INTEGER NOT NULL, expires_ms INTEGER NOT NULL, seen_s REAL NOT NULL,"
    " UNIQUE (container, model));"
    "PRAGMA user_version = 3;";

/* Each leads from the number before it to its own, which it writes. */
static const char *const schemas[HISTORY_SCHEMA] = {first_schema, lessons_schema, last_uses_schema};

/* A lost minute is no harm, so a commit does not wait for the disk; the file stays whole (WAL). */
static int configure(struct keep *db, fact max_bytes, struct error *err)
{
    char bounds[96];
    snprintf(bounds, sizeof bounds, "PRAGMA max_page_count = %lld; PRAGMA journal_size_limit = %d",
             (long long)(max_bytes / KEEP_PAGE_BYTES), WAL_BYTES);
    keep_configure(db,
                   "PRAGMA page_size = 4096;"
                   "PRAGMA auto_vacuum = INCREMENTAL;"
                   "PRAGMA cache_size = -64;"
                   "PRAGMA temp_store = MEMORY;"
                   "PRAGMA synchronous = NORMAL;",
                   CHECKPOINT_FRAMES);
    keep_script(db, bounds);
    return keep_done(db, "keep a history", err);
}

/* Others may make it at the same moment: whoever comes second finds it made. */
static int make_schema(struct keep *db, struct error *err)
{
    keep_run(db, "BEGIN IMMEDIATE", "");
    for (int64_t i = keep_number(db, 0, "PRAGMA user_version", ""); i >= 0 && i < HISTORY_SCHEMA;
         i++)
        keep_script(db, schemas[i]);
    return keep_done(db, "keep a history", err);
}

/* Leaves the intents their room. */
static int check_room(const struct keep *db, struct error *err)
{
    struct statvfs fs;
    if (statvfs(db->path, &fs) < 0 || (uint64_t)fs.f_bavail * fs.f_frsize >= HISTORY_ROOM_BYTES)
        return 0;
    return error_set(err, FAILURE_UNREACHABLE, -ENOSPC,
                     "%s is not written: less than %d MiB are left on its file system; free some",
                     db->path, HISTORY_ROOM_BYTES >> 20);
}

static int open_file(struct keep *db, int flags, const char *uri, int64_t *ret_version,
                     struct error *err)
{
    static const struct keep_schema known = {HISTORY_SCHEMA, "read the history", "move it away"};
    int r = keep_open_file(db, flags, uri, "open the history", err);
    return r < 0 ? r : keep_read_version(db, &known, ret_version, err);
}

static int open_writer(struct keep_history *history, bool check, struct error *err)
{
    struct keep *db = &history->db;
    int64_t version = 0;
    int r = keep_make_file(db->path, err);
    if (r == 0)
        r = check_room(db, err);
    if (r == 0)
        r = open_file(db, SQLITE_OPEN_READWRITE, NULL, &version, err);
    if (r < 0)
        return r;
    keep_persist_log(db);
    r = configure(db, history->max_bytes, err);
    /* A command leaves it to the daemon, for an older one may be at work on it. */
    if (r == 0 && (version == 0 || (check && version < HISTORY_SCHEMA)))
        r = make_schema(db, err);
    if (r < 0 || !check)
        return r;
    keep_check_whole(db);
    return keep_done(db, "keep a history", err);
}

static int new_history(struct keep_history **ret_history, struct error *err)
{
    struct keep_history *history = *ret_history = calloc(1, sizeof *history);
    if (!history)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left to open the history");
    pthread_mutex_init(&history->db.mutex, NULL);
    return 0;
}

/* Hands over what was opened, or closes what was not. */
static int opened(struct keep_history *history, int r, struct keep_history **ret_history)
{
    if (r < 0)
        keep_history_close(history);
    else
        *ret_history = history;
    return r;
}

int keep_history_open(const char *directory, bool repair, fact max_bytes,
                      struct keep_history **ret_history, struct error *err)
{
    struct keep_history *history;
    int r = new_history(&history, err);
    if (r < 0)
        return r;
    history->max_bytes = max_bytes;
    r = keep_find_place(&history->db, directory, "history.db", err);
    if (r == 0)
        r = open_writer(history, repair, err);
    if (r == -EUCLEAN && repair) {
        keep_close_database(&history->db);
        r = keep_put_aside(&history->db, err);
        if (r == 0)
            r = open_writer(history, repair, err);
    }
    if (r == 0)
        sqlite3_db_release_memory(history->db.db);
    return opened(history, r, ret_history);
}

static int open_reader(struct keep_history *history, struct error *err)
{
    struct keep *db = &history->db;
    char uri[3 * KEEP_PATH_SIZE + 32] = "file:", wal[KEEP_FILE_SIZE];
    int64_t version = 0;
    struct stat st;
    int r = open_file(db, SQLITE_OPEN_READONLY, NULL, &version, err);
    snprintf(wal, sizeof wal, "%s-wal", db->path);
    if ((r == -EROFS || r == -EIO || r == -EACCES) && stat(wal, &st) < 0 && errno == ENOENT) {
        /* No WAL, and none can be made: then nobody writes. */
        size_t n = strlen(uri);
        for (const char *c = db->path; *c; c++)
            n += (size_t)snprintf(uri + n, sizeof uri - n, strchr("%?#", *c) ? "%%%02x" : "%c",
                                  (unsigned char)*c);
        snprintf(uri + n, sizeof uri - n, "?immutable=1");
        keep_close_database(db);
        r = open_file(db, SQLITE_OPEN_READONLY, uri, &version, err);
    }
    if (r == 0 && version == 0)
        r = error_set(err, FAILURE_UNREACHABLE, -ENOENT, "there is nothing yet in %s", db->path);
    return r;
}

static int find_history(const char *directory, char path[KEEP_PATH_SIZE], struct error *err)
{
    struct stat st;
    char *real = realpath(directory, NULL);
    int n = snprintf(path, KEEP_PATH_SIZE, "%s/history.db", real ? real : directory);
    free(real);
    if (n >= KEEP_PATH_SIZE)
        return error_set(err, FAILURE_USAGE, -ENAMETOOLONG,
                         "the state directory's path is too long");
    if (stat(path, &st) < 0)
        return error_set(err, FAILURE_UNREACHABLE, -errno, "cannot read %s: %s", path,
                         error_of_file(errno));
    return 0;
}

static int copy_models(struct keep *db, struct error *err)
{
    char path[KEEP_PATH_SIZE];
    memcpy(path, db->path, sizeof path);
    snprintf(db->path, sizeof db->path, ":memory:");
    int r = keep_open_file(db, SQLITE_OPEN_READWRITE, NULL, "open the history", err);
    if (r < 0)
        return r;
    keep_run(db, "ATTACH ? AS h", "t", path);
    int64_t version = keep_number(db, 0, "PRAGMA h.user_version", "");
    if (version >= HISTORY_SCHEMA_LESSONS)
        keep_script(db, "CREATE TABLE footprints AS SELECT * FROM h.footprints;"
                        "PRAGMA user_version = 2");
    keep_script(db, "CREATE TABLE uses AS SELECT * FROM h.uses; DETACH h");
    return keep_done(db, "copy the history", err);
}

int keep_history_read(const char *directory, bool copy, struct keep_history **ret_history,
                      struct error *err)
{
    struct keep_history *history;
    int r = new_history(&history, err);
    if (!history)
        return r;
    r = find_history(directory, history->db.path, err);
    if (r == 0)
        r = copy ? copy_models(&history->db, err) : open_reader(history, err);
    return opened(history, r, ret_history);
}

void keep_history_close(struct keep_history *history)
{
    if (!history)
        return;
    keep_close_database(&history->db);
    pthread_mutex_destroy(&history->db.mutex);
    free(history);
}

const char *keep_history_set_aside(const struct keep_history *history)
{
    return history->db.set_aside[0] ? history->db.set_aside : NULL;
}

/* Lets the oldest go, some of each, whatever their age. */
static void shed(struct keep *db)
{
    keep_script(db,
                "DELETE FROM seconds WHERE id IN (SELECT id FROM seconds ORDER BY id LIMIT 1024);"
                "DELETE FROM minutes WHERE id IN (SELECT id FROM minutes ORDER BY id LIMIT 1024);"
                "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT 64)");
}

/* An eighth below its bound the file is held: more than any batch brings. */
static void bound_bytes(struct keep_history *history)
{
    struct keep *db = &history->db;
    int64_t soft_pages = history->max_bytes / KEEP_PAGE_BYTES / 8 * 7;
    for (int pass = 0; pass < SHED_PASSES; pass++) {
        int64_t pages = keep_number(db, 0, "PRAGMA page_count", "");
        if (pages - keep_number(db, 0, "PRAGMA freelist_count", "") <= soft_pages)
            return;
        shed(db);
    }
}

static void give_back(struct keep *db)
{
    char pragma[64];
    snprintf(pragma, sizeof pragma, "PRAGMA incremental_vacuum(%d)", FREE_PAGES_STEP);
    if (keep_number(db, 0, "PRAGMA freelist_count", "") > FREE_PAGES_MAX)
        keep_run(db, pragma, "");
}

static bool moved(struct keep *db)
{
    int yes = 0;
    return sqlite3_file_control(db->db, NULL, SQLITE_FCNTL_HAS_MOVED, &yes) == SQLITE_OK && yes;
}

int keep_history_write(struct keep_history *history, const struct history_batch *batch,
                       struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    if (moved(db))
        return error_set(err, FAILURE_UNREACHABLE, -EIO, "%s was removed or replaced", db->path);
    int r = check_room(db, err);
    if (r < 0)
        return r;
    keep_run(db, "BEGIN IMMEDIATE", "");
    history_write_events(db, batch);
    history_write_samples(db, batch);
    history_write_models(db, batch);
    history_thin_events(db);
    history_thin_samples(db, batch);
    bound_bytes(history);
    r = keep_done(db, "keep the history", err);
    if (r < 0)
        return r;
    give_back(db);
    return keep_done(db, "keep the history", err);
}
