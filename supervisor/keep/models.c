/* What models were seen to take, and how often they are used. */
#include "keep/history_private.h"
#include <errno.h>

/* The oldest beyond the cap go. */
#define TRIM(table, age)                                                                           \
    "DELETE FROM " table " WHERE rowid IN (SELECT rowid FROM " table " ORDER BY " age              \
    " LIMIT max(0, (SELECT count(*) FROM " table ") - ?))"

#define COLUMN(type, member) KEEP_COLUMN(type, history_footprint, member)
enum { FOOTPRINT_N = 3, USE_READ = 1, USE_N = 3 };
static const struct keep_column footprint_columns[FOOTPRINT_N] = {
    COLUMN(INTEGER, held), COLUMN(INTEGER, seen), COLUMN(INTEGER, last_wall_ms)};
static const struct keep_column use_columns[USE_N] = {
    KEEP_COLUMN(BORROWED, history_use, model), KEEP_COLUMN(INTEGER, history_use, loads),
    KEEP_COLUMN(INTEGER, history_use, last_used_wall_ms)};

#undef COLUMN
#define COLUMN(type, member) KEEP_COLUMN(type, history_last_use, member)
static const struct keep_column last_use_columns[] = {
    COLUMN(TEXT, container),         COLUMN(TEXT, use.model),     COLUMN(REAL, use.from_s),
    COLUMN(REAL, use.to_s),          COLUMN(ENUM, use.use),       COLUMN(INTEGER, use.pid),
    COLUMN(INTEGER, use.started_us), COLUMN(INTEGER, use.cpu_us), COLUMN(INTEGER, use.expires_ms),
    COLUMN(REAL, use.seen_s)};
#define LAST_USE "container, model, from_s, to_s, how, pid, started_us, cpu_us, expires_ms, seen_s"

#define KEY                                                                                        \
    "digest = ? AND context = ? AND parallel = ? AND kv_type = ? AND version = ? AND gpu = ?"
#define KEY_OF(f)                                                                                  \
    (f)->digest, (f)->context, (f)->parallel, (f)->kv_type, (f)->version, (int64_t)(f)->gpu

static void write_lesson(struct keep *db, const char *boot_id, const struct history_footprint *f)
{
    keep_run(db, "DELETE FROM lessons WHERE boot_id = ? AND pid = ? AND started_us = ?", "tii",
             boot_id, f->pid, f->started_us);
    if (!fact_known(f->held))
        return;
    keep_run(db, "INSERT INTO lessons VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "tiittitiitii",
             KEY_OF(f), f->model, f->held, f->last_wall_ms, boot_id, f->pid, f->started_us);
    keep_run(db,
             "DELETE FROM lessons WHERE rowid IN (SELECT rowid FROM lessons WHERE " KEY
             " ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
             "tiittii", KEY_OF(f), (int64_t)HISTORY_LESSONS_MAX);
}

void history_write_models(struct keep *db, const struct history_batch *batch)
{
    for (size_t i = 0; i < batch->n_footprints; i++)
        write_lesson(db, batch->boot_id, &batch->footprints[i]);
    if (batch->n_uses > 0) /* the wall clock was set back */
        keep_run(db, "UPDATE uses SET last_used_wall_ms = ? WHERE last_used_wall_ms > ?", "ii",
                 batch->now_wall_ms, batch->now_wall_ms);
    for (size_t i = 0; i < batch->n_uses; i++)
        keep_insert(db,
                    "INSERT INTO uses VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET"
                    " loads = loads + excluded.loads,"
                    " last_used_wall_ms = max(last_used_wall_ms, excluded.last_used_wall_ms)",
                    use_columns, USE_N, &batch->uses[i]);
    if (batch->n_last_uses > 0)
        keep_run(db, "DELETE FROM last_uses WHERE boot_id <> ?", "t", batch->boot_id);
    for (size_t i = 0; i < batch->n_last_uses; i++) {
        keep_insert(db,
                    "INSERT OR REPLACE INTO last_uses (" LAST_USE
                    ", boot_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '')",
                    last_use_columns, KEEP_COUNT(last_use_columns), &batch->last_uses[i]);
    }
    if (batch->n_last_uses > 0) {
        keep_run(db, "UPDATE last_uses SET boot_id = ? WHERE boot_id = ''", "t", batch->boot_id);
        keep_run(db, TRIM("last_uses", "to_s"), "i", (int64_t)HISTORY_MODELS_MAX);
    }
    if (batch->n_footprints > 0)
        keep_run(db, TRIM("lessons", "rowid"), "i", (int64_t)HISTORY_MODELS_MAX);
    if (batch->n_uses > 0)
        keep_run(db, TRIM("uses", "last_used_wall_ms"), "i", (int64_t)HISTORY_MODELS_MAX);
}

/* The one row of a model, into *ret; ends the call. */
static int read_model(struct keep *db, sqlite3_stmt *row, const struct keep_column *columns,
                      size_t n, const char *model, void *ret, struct error *err)
{
    bool found = keep_row(db, row);
    if (found)
        keep_read(row, columns, n, ret);
    int r = history_read(db, err);
    return r < 0 || found ? r : error_set(err, FAILURE_JOB, -ENOENT, "%s was never seen", model);
}

int keep_history_footprint(struct keep_history *history, struct history_footprint *f,
                           struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    if (keep_number(db, 0, "PRAGMA user_version", "") < HISTORY_SCHEMA_LESSONS)
        return error_set(err, FAILURE_JOB, -ENOENT, "%s was never seen", f->model);
    KEEP_STATEMENT *row = keep_prepare(
        db, "SELECT held, seen, last_wall_ms FROM footprints WHERE " KEY, "tiitti", KEY_OF(f));
    return read_model(db, row, footprint_columns, FOOTPRINT_N, f->model, f, err);
}

int keep_history_last_uses(struct keep_history *history, const char *boot_id,
                           struct history_last_use **ret_uses, size_t *ret_n, struct error *err)
{
    static const struct keep_rows rows = {last_use_columns, KEEP_COUNT(last_use_columns),
                                          sizeof(struct history_last_use), "read the history"};
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    *ret_uses = NULL;
    *ret_n = 0;
    if (keep_number(db, 0, "PRAGMA user_version", "") < HISTORY_SCHEMA_USES)
        return history_read(db, err);
    KEEP_STATEMENT *statement =
        keep_prepare(db, "SELECT " LAST_USE " FROM last_uses WHERE boot_id = ?", "t", boot_id);
    return keep_read_all(db, statement, &rows, ret_uses, ret_n, err);
}

int keep_history_use(struct keep_history *history, struct history_use *use, struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *row = keep_prepare(
        db, "SELECT loads, last_used_wall_ms FROM uses WHERE model = ?", "t", use->model);
    return read_model(db, row, use_columns + USE_READ, USE_N - USE_READ, use->model, use, err);
}

int64_t keep_history_last_used_ms(void *history, const char *model)
{
    struct history_use use = {.model = model};
    return history && keep_history_use(history, &use, NULL) == 0 ? use.last_used_wall_ms : 0;
}
