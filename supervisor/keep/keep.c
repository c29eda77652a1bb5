/* The database: made, opened, checked, set aside, closed. */
#include "keep/private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Facts are stored as they are, -1 and -2 too. `state` is enum intent_state: 0 open, 3 dropped. */
static const char first_schema[] =
    "CREATE TABLE intents ("
    " id INTEGER PRIMARY KEY, container TEXT NOT NULL, started_at TEXT NOT NULL, key TEXT NOT NULL,"
    " verdict TEXT NOT NULL, step TEXT NOT NULL, pid INTEGER NOT NULL,"
    " process_started_us INTEGER NOT NULL, grace_s INTEGER NOT NULL,"
    " begun_wall_ms INTEGER NOT NULL, boot_id TEXT NOT NULL, begun_boottime_s REAL,"
    " attempt INTEGER NOT NULL, held_before INTEGER NOT NULL, held_after INTEGER NOT NULL,"
    " state INTEGER NOT NULL, ended_wall_ms INTEGER NOT NULL, outcome TEXT NOT NULL);"
    "CREATE INDEX intents_open ON intents (id) WHERE state = 0;"
    "CREATE INDEX intents_restart ON intents (key) WHERE step = 'restart';"
    "CREATE TABLE keys ("
    " key TEXT PRIMARY KEY, hold_since_ms INTEGER NOT NULL DEFAULT 0,"
    " hold_why TEXT NOT NULL DEFAULT '', released_ms INTEGER NOT NULL DEFAULT 0,"
    " released_id INTEGER NOT NULL DEFAULT 0, footprint INTEGER NOT NULL DEFAULT -1);"
    "CREATE TABLE ballast (bytes BLOB);";

static const char throttles_schema[] =
    "CREATE TABLE throttles ("
    " container TEXT PRIMARY KEY, name TEXT NOT NULL, started_at TEXT NOT NULL,"
    " boot_id TEXT NOT NULL, version INTEGER NOT NULL, inode INTEGER NOT NULL,"
    " directory TEXT NOT NULL, cpu_directory TEXT NOT NULL, high_before INTEGER NOT NULL,"
    " high_set INTEGER NOT NULL, quota_before_us INTEGER NOT NULL, quota_set_us INTEGER NOT NULL,"
    " period_us INTEGER NOT NULL, since_wall_ms INTEGER NOT NULL);";

/* Asked for each container that is found: a start with a thousand of them must not read all rows
 * as often. */
static const char stops_schema[] =
    "CREATE INDEX intents_stop ON intents (container) WHERE step = 'stop';";

/* By the model that a deed was about, so that what was done of late is counted; our own loads; and
 * the baselines that were learned. */
static const char models_schema[] =
    "ALTER TABLE intents ADD COLUMN blob TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX intents_blob ON intents (key) WHERE blob <> '' AND step <> 'restart';"
    "CREATE TABLE loads (key TEXT NOT NULL, model TEXT NOT NULL, boot_id TEXT NOT NULL,"
    " begun_s REAL NOT NULL, ended_s REAL NOT NULL);"
    "CREATE TABLE baselines (container TEXT PRIMARY KEY, started_at TEXT NOT NULL,"
    " held INTEGER NOT NULL);";

/* How a container was left is asked by its id alone: its name, and so its key, may be another. */
static const char restarts_schema[] =
    "CREATE INDEX intents_restarted ON intents (container) WHERE step = 'restart';";

/* Each leads from the number before it to its own. */
static const char *const schemas[KEEP_SCHEMA] = {first_schema, throttles_schema, stops_schema,
                                                 models_schema, restarts_schema};

void keep_number_schema(struct keep *keep)
{
    char sql[48];
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", KEEP_SCHEMA);
    keep_run(keep, sql, "");
}

static int make_schema(struct keep *keep, struct error *err)
{
    static const char pragmas[] = "PRAGMA page_size = 4096;"
                                  "PRAGMA auto_vacuum = NONE;" /* spare pages stay */
                                  "PRAGMA cache_size = -64;"
                                  "PRAGMA temp_store = MEMORY;" /* no file that a full disk lacks */
                                  "PRAGMA secure_delete = ON;"  /* see keep_reserve */
                                  "PRAGMA synchronous = FULL;"
                                  "PRAGMA journal_size_limit = -1;";
    static const struct keep_schema schema = {KEEP_SCHEMA, "keep anything",
                                              "choose another state directory"};
    int64_t version;
    int r = keep_read_version(keep, &schema, &version, err);
    if (r < 0)
        return r;
    keep_configure(keep, pragmas, KEEP_CHECKPOINT_FRAMES);
    if (version < KEEP_SCHEMA) {
        keep_run(keep, "BEGIN IMMEDIATE", "");
        for (int64_t i = version < 0 ? 0 : version; i < KEEP_SCHEMA; i++)
            keep_script(keep, schemas[i]);
        keep_number_schema(keep);
    }
    return keep_done(keep, "keep anything", err);
}

static int take_room(struct keep *keep, struct error *err)
{
    int r = keep_reserve(keep, err);
    if (r < 0)
        return r;
    keep_rewind(keep);
    return keep_done(keep, "keep room", err);
}

static int open_database(struct keep *keep, bool room, struct error *err)
{
    int r = keep_make_file(keep->path, err);
    if (r == 0)
        r = keep_open_file(keep, SQLITE_OPEN_READWRITE, NULL, "keep anything", err);
    if (r < 0)
        return r;
    keep_persist_log(keep);
    if ((r = make_schema(keep, err)) < 0)
        return r;
    keep_check_whole(keep);
    r = keep_done(keep, "keep anything", err);
    return r == 0 && room ? take_room(keep, err) : r;
}

/* One opens at a time: makes, repairs and fills up. */
static int lock_opening(const struct keep *keep, int *ret_fd, struct error *err)
{
    char path[KEEP_FILE_SIZE];
    fact holder = FACT_UNKNOWN;
    snprintf(path, sizeof path, "%s.lock", keep->path);
    int r = keep_lock_file(path, KEEP_BUSY_MS, ret_fd, &holder);
    if (r == 0)
        return 0;
    if (r == -EWOULDBLOCK)
        return error_set(err, FAILURE_UNREACHABLE, -EBUSY,
                         "cannot open %s: another process has been opening it for more than 2 s",
                         keep->path);
    return error_set(err, FAILURE_UNREACHABLE, r, "cannot use the state directory of %s: %s",
                     keep->path, error_of_file(-r));
}

int keep_open_database(struct keep *keep, bool room, struct error *err)
{
    KEEP_FD lock = -1;
    int r = keep_find_place(keep, keep->directory, "supervisor.db", err);
    if (r == 0)
        r = lock_opening(keep, &lock, err);
    if (r == 0)
        r = open_database(keep, room, err);
    if (r == -EUCLEAN && keep->repair) {
        keep_close_database(keep);
        r = keep_put_aside(keep, err);
        if (r == 0)
            r = open_database(keep, room, err);
    }
    if (r < 0)
        keep_close_database(keep);
    else
        sqlite3_db_release_memory(keep->db);
    return r;
}

int keep_open(const char *directory, bool repair, bool room, struct keep **ret_keep,
              struct error *err)
{
    struct keep *keep = calloc(1, sizeof *keep);
    if (!keep)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left to open the state");
    /* A page's memory when it is read: else each call takes that of 20, for one or two. Holds for
     * the process; refused, without harm, when SQLite is in use already. */
    sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);
    pthread_mutex_init(&keep->mutex, NULL);
    keep->repair = repair;
    keep->directory = strdup(directory);
    int r = keep->directory ? keep_open_database(keep, room, err)
                            : error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left");
    if (r < 0) {
        keep_close(keep);
        return r;
    }
    keep->renews = true;
    keep_note_files(keep);
    keep->proved_s = keep->good_s;
    *ret_keep = keep;
    return 0;
}

int keep_take_room(struct keep *keep, struct error *err)
{
    KEEP_FD lock = -1;
    KEEP_LOCKED(keep);
    int r = lock_opening(keep, &lock, err);
    return r < 0 ? r : take_room(keep, err);
}

void keep_close(struct keep *keep)
{
    if (!keep)
        return;
    keep_close_database(keep);
    pthread_mutex_destroy(&keep->mutex);
    free(keep->directory);
    free(keep->intents);
    free(keep->throttles);
    free(keep);
}
