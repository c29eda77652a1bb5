/* What models were seen to take, and how often they are used. */
#include "keep/history_private.h"
#include <errno.h>

/* The oldest beyond the cap go. */
#define TRIM(table, age)                                                                           \
    "DELETE FROM " table " WHERE rowid IN (SELECT rowid FROM " table " ORDER BY " age              \
    " LIMIT max(0, (SELECT count(*) FROM " table ") - ?))"

/* What the row of a model is found by stands before READ. */
#define COLUMN(type, member) KEEP_COLUMN(type, history_footprint, member)
enum { FOOTPRINT_READ = 5, FOOTPRINT_N = 8, USE_READ = 1, USE_N = 3 };
static const struct keep_column footprint_columns[FOOTPRINT_N] = {
    COLUMN(BORROWED, digest),  COLUMN(INTEGER, context),     COLUMN(INTEGER, parallel),
    COLUMN(BORROWED, kv_type), COLUMN(BORROWED, model),      COLUMN(INTEGER, held),
    COLUMN(INTEGER, seen),     COLUMN(INTEGER, last_wall_ms)};
static const struct keep_column use_columns[USE_N] = {
    KEEP_COLUMN(BORROWED, history_use, model), KEEP_COLUMN(INTEGER, history_use, loads),
    KEEP_COLUMN(INTEGER, history_use, last_used_wall_ms)};

void history_write_models(struct keep *db, const struct history_batch *batch)
{
    for (size_t i = 0; i < batch->n_footprints; i++)
        keep_insert(db,
                    "INSERT INTO footprints VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (digest, context, parallel, kv_type) DO UPDATE SET"
                    " model = excluded.model, held = max(held, excluded.held),"
                    " seen = seen + excluded.seen, last_wall_ms = excluded.last_wall_ms",
                    footprint_columns, FOOTPRINT_N, &batch->footprints[i]);
    for (size_t i = 0; i < batch->n_uses; i++)
        keep_insert(db,
                    "INSERT INTO uses VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET"
                    " loads = loads + excluded.loads,"
                    " last_used_wall_ms = CASE WHEN excluded.last_used_wall_ms > 0"
                    "  THEN excluded.last_used_wall_ms ELSE last_used_wall_ms END",
                    use_columns, USE_N, &batch->uses[i]);
    if (batch->n_footprints > 0)
        keep_run(db, TRIM("footprints", "last_wall_ms"), "i", (int64_t)HISTORY_MODELS_MAX);
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
    KEEP_STATEMENT *row = keep_prepare(db,
                                       "SELECT held, seen, last_wall_ms FROM footprints"
                                       " WHERE digest = ? AND context = ? AND parallel = ?"
                                       " AND kv_type = ?",
                                       "tiit", f->digest, f->context, f->parallel, f->kv_type);
    return read_model(db, row, footprint_columns + FOOTPRINT_READ, FOOTPRINT_N - FOOTPRINT_READ,
                      f->model, f, err);
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
