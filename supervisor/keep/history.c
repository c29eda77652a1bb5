/* history.db: made, opened, bounded, closed. */
#include "keep/history_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    HISTORY_SCHEMA = 1,      /* user_version; a higher one is refused */
    WAL_BYTES = 1 << 20,     /* what a checkpointed WAL is cut to */
    CHECKPOINT_FRAMES = 128, /* 512 KiB */
    FREE_PAGES_MAX = 256,    /* more are given back to the disk … */
    FREE_PAGES_STEP = 256,   /* … so many after each write */
    SHED_PASSES = 16,
};

/* Ids only rise: the newest row of a table is never let go. Facts are stored as they are. */
static const char schema[] =
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
_Static_assert(HISTORY_SCHEMA == 1, "the schema says its number itself");

/* A lost minute is no harm, so a commit does not wait for the disk; the file stays whole (WAL). */
static int configure(struct keep *db, fact max_bytes)
{
    static const char pragmas[] = "PRAGMA page_size = 4096;"
                                  "PRAGMA auto_vacuum = INCREMENTAL;"
                                  "PRAGMA cache_size = -64;"
                                  "PRAGMA temp_store = MEMORY;"
                                  "PRAGMA synchronous = NORMAL;";
    char bounds[96];
    int rc = sqlite3_exec(db->db, pragmas, NULL, NULL, NULL);
    snprintf(bounds, sizeof bounds, "PRAGMA max_page_count = %lld; PRAGMA journal_size_limit = %d",
             (long long)(max_bytes / KEEP_PAGE_BYTES), WAL_BYTES);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db->db, bounds, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_wal_autocheckpoint(db->db, CHECKPOINT_FRAMES);
    if (rc == SQLITE_OK)
        rc = keep_expect(db, "PRAGMA journal_mode = WAL", "wal", SQLITE_CANTOPEN);
    return rc;
}

static int check_version(struct keep *db, int64_t *ret_version, struct error *err)
{
    int64_t version = 0, tables = 0;
    int rc = keep_number(db, &version, "PRAGMA user_version", "");
    if (rc == SQLITE_OK)
        rc = keep_number(db, &tables, "SELECT count(*) FROM sqlite_schema", "");
    if (rc != SQLITE_OK)
        return keep_done(db, rc, "read the history", err);
    if (version > HISTORY_SCHEMA)
        return error_set(err, FAILURE_UNREACHABLE, -ENOTSUP,
                         "%s was made by a newer supervisor (schema %lld, this one knows %d); use "
                         "that one, or move the file away",
                         db->path, (long long)version, HISTORY_SCHEMA);
    if (version < HISTORY_SCHEMA && tables > 0)
        return error_set(err, FAILURE_UNREACHABLE, -ENOTSUP,
                         "%s is some other program's database; move it away", db->path);
    *ret_version = version;
    return 0;
}

/* Others may make it at the same moment: whoever comes second finds it made. */
static int make_schema(struct keep *db, struct error *err)
{
    int rc = keep_run(db, "BEGIN IMMEDIATE", "");
    int64_t version = 0;
    if (rc == SQLITE_OK)
        rc = keep_number(db, &version, "PRAGMA user_version", "");
    if (rc == SQLITE_OK && version == 0)
        rc = sqlite3_exec(db->db, schema, NULL, NULL, NULL);
    return keep_done(db, rc, "keep a history", err);
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

static int open_file(struct keep *db, int flags, const char *uri, struct error *err)
{
    int rc = sqlite3_open_v2(uri ? uri : db->path, &db->db,
                             flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                                 SQLITE_OPEN_EXRESCODE | (uri ? SQLITE_OPEN_URI : 0),
                             NULL);
    if (!db->db)
        return error_set(err, FAILURE_UNREACHABLE, -ENOMEM, "no memory is left to open %s",
                         db->path);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(db->db, KEEP_BUSY_MS);
    return keep_done(db, rc, "open the history", err);
}

static int open_writer(struct keep_history *history, bool check, struct error *err)
{
    struct keep *db = &history->db;
    int64_t version = 0;
    int persist = 1; /* what is there can be read also where nothing can be made */
    int r = keep_make_file(db->path, err);
    if (r == 0)
        r = check_room(db, err);
    if (r == 0)
        r = open_file(db, SQLITE_OPEN_READWRITE, NULL, err);
    if (r == 0)
        r = check_version(db, &version, err);
    if (r == 0) {
        int rc = sqlite3_file_control(db->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
        if (rc == SQLITE_OK)
            rc = configure(db, history->max_bytes);
        r = keep_done(db, rc, "keep a history", err);
    }
    if (r == 0 && version == 0)
        r = make_schema(db, err);
    if (r == 0 && check) /* reads the whole file */
        r = keep_done(db, keep_expect(db, "PRAGMA quick_check(1)", "ok", SQLITE_CORRUPT),
                      "keep a history", err);
    return r;
}

static struct keep_history *new_history(struct error *err)
{
    struct keep_history *history = calloc(1, sizeof *history);
    if (history)
        pthread_mutex_init(&history->db.mutex, NULL);
    else
        error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left to open the history");
    return history;
}

int keep_history_open(const char *directory, bool repair, fact max_bytes,
                      struct keep_history **ret_history, struct error *err)
{
    struct keep_history *history = new_history(err);
    if (!history)
        return -ENOMEM;
    history->max_bytes = max_bytes;
    int r = keep_find_place(&history->db, directory, "history.db", err);
    if (r == 0)
        r = open_writer(history, repair, err);
    if (r == -EUCLEAN && repair) {
        keep_close_database(&history->db);
        r = keep_put_aside(&history->db, err);
        if (r == 0)
            r = open_writer(history, repair, err);
    }
    if (r < 0) {
        keep_history_close(history);
        return r;
    }
    sqlite3_db_release_memory(history->db.db);
    *ret_history = history;
    return 0;
}

static int open_reader(struct keep_history *history, struct error *err)
{
    struct keep *db = &history->db;
    char uri[3 * KEEP_PATH_SIZE + 32] = "file:", wal[KEEP_FILE_SIZE];
    int64_t version = 0;
    struct stat st;
    int r = open_file(db, SQLITE_OPEN_READONLY, NULL, err);
    if (r == 0)
        r = check_version(db, &version, err);
    snprintf(wal, sizeof wal, "%s-wal", db->path);
    if ((r == -EROFS || r == -EIO || r == -EACCES) && stat(wal, &st) < 0 && errno == ENOENT) {
        /* No WAL, and none can be made: then nobody writes. */
        size_t n = strlen(uri);
        for (const char *c = db->path; *c; c++)
            n += (size_t)snprintf(uri + n, sizeof uri - n, strchr("%?#", *c) ? "%%%02x" : "%c",
                                  (unsigned char)*c);
        snprintf(uri + n, sizeof uri - n, "?immutable=1");
        keep_close_database(db);
        r = open_file(db, SQLITE_OPEN_READONLY, uri, err);
        if (r == 0)
            r = check_version(db, &version, err);
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
                         strerror(errno));
    return 0;
}

static int copy_models(struct keep *db, const char *path, struct error *err)
{
    static const char *const copies[] = {"CREATE TABLE footprints AS SELECT * FROM h.footprints",
                                         "CREATE TABLE uses AS SELECT * FROM h.uses", "DETACH h"};
    snprintf(db->path, sizeof db->path, ":memory:");
    int r = open_file(db, SQLITE_OPEN_READWRITE, NULL, err);
    if (r < 0)
        return r;
    int rc = keep_run(db, "ATTACH ? AS h", "t", path);
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof copies / sizeof copies[0]; i++)
        rc = keep_run(db, copies[i], "");
    return keep_done(db, rc, "copy the history", err);
}

int keep_history_open_models(const char *directory, struct keep_history **ret_history,
                             struct error *err)
{
    char path[KEEP_PATH_SIZE];
    struct keep_history *history = new_history(err);
    if (!history)
        return -ENOMEM;
    int r = find_history(directory, path, err);
    if (r == 0)
        r = copy_models(&history->db, path, err);
    if (r < 0) {
        keep_history_close(history);
        return r;
    }
    *ret_history = history;
    return 0;
}

int keep_history_open_reader(const char *directory, struct keep_history **ret_history,
                             struct error *err)
{
    struct keep_history *history = new_history(err);
    if (!history)
        return -ENOMEM;
    int r = find_history(directory, history->db.path, err);
    if (r == 0)
        r = open_reader(history, err);
    if (r < 0) {
        keep_history_close(history);
        return r;
    }
    *ret_history = history;
    return 0;
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

/* An eighth below its bound the file is held: more than any batch brings. */
static int bound_bytes(struct keep_history *history)
{
    struct keep *db = &history->db;
    int64_t soft_pages = history->max_bytes / KEEP_PAGE_BYTES / 8 * 7;
    int rc = SQLITE_OK;
    for (int pass = 0; rc == SQLITE_OK && pass < SHED_PASSES; pass++) {
        int64_t pages = 0, unused = 0;
        rc = keep_number(db, &pages, "PRAGMA page_count", "");
        if (rc == SQLITE_OK)
            rc = keep_number(db, &unused, "PRAGMA freelist_count", "");
        if (rc != SQLITE_OK || pages - unused <= soft_pages)
            break;
        rc = history_shed(db);
    }
    return rc;
}

static int give_back(struct keep *db)
{
    int64_t unused = 0;
    char pragma[64];
    int rc = keep_number(db, &unused, "PRAGMA freelist_count", "");
    snprintf(pragma, sizeof pragma, "PRAGMA incremental_vacuum(%d)", FREE_PAGES_STEP);
    return rc == SQLITE_OK && unused > FREE_PAGES_MAX ? keep_run(db, pragma, "") : rc;
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
    int rc = keep_run(db, "BEGIN IMMEDIATE", "");
    if (rc == SQLITE_OK)
        rc = history_write_events(db, batch);
    if (rc == SQLITE_OK)
        rc = history_write_samples(db, batch);
    if (rc == SQLITE_OK)
        rc = history_write_models(db, batch);
    if (rc == SQLITE_OK)
        rc = history_thin_events(db);
    if (rc == SQLITE_OK)
        rc = history_thin_samples(db, batch);
    if (rc == SQLITE_OK)
        rc = bound_bytes(history);
    r = keep_done(db, rc, "keep the history", err);
    return r < 0 ? r : keep_done(db, give_back(db), "keep the history", err);
}

int history_shed(struct keep *db)
{
    static const char *const tables[] = {
        "DELETE FROM seconds WHERE id IN (SELECT id FROM seconds ORDER BY id LIMIT 1024)",
        "DELETE FROM minutes WHERE id IN (SELECT id FROM minutes ORDER BY id LIMIT 1024)",
        "DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT 64)",
    };
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof tables / sizeof tables[0]; i++)
        rc = keep_run(db, tables[i], "");
    return rc;
}

const char *history_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text ? text : "";
}
