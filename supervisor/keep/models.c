/* What models were seen to take, and how often they are used. */
#include "keep/history_private.h"
#include <errno.h>

/* The oldest beyond the cap go. */
#define TRIM(table, age)                                                                           \
    "DELETE FROM " table " WHERE rowid IN (SELECT rowid FROM " table " ORDER BY " age              \
    " LIMIT max(0, (SELECT count(*) FROM " table ") - ?))"

static int write_footprint(struct keep *db, const struct history_footprint *f)
{
    return keep_run(db,
                    "INSERT INTO footprints VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT (digest, context, parallel, kv_type) DO UPDATE SET"
                    " model = excluded.model, held = max(held, excluded.held),"
                    " seen = seen + excluded.seen, last_wall_ms = excluded.last_wall_ms",
                    "tiittiii", f->digest, f->context, f->parallel, f->kv_type, f->model, f->held,
                    f->seen, f->last_wall_ms);
}

static int write_use(struct keep *db, const struct history_use *u)
{
    return keep_run(db,
                    "INSERT INTO uses VALUES (?, ?, ?) ON CONFLICT (model) DO UPDATE SET"
                    " loads = loads + excluded.loads,"
                    " last_used_wall_ms = CASE WHEN excluded.last_used_wall_ms > 0"
                    "  THEN excluded.last_used_wall_ms ELSE last_used_wall_ms END",
                    "tii", u->model, u->loads, u->last_used_wall_ms);
}

int history_write_models(struct keep *db, const struct history_batch *batch)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < batch->n_footprints; i++)
        rc = write_footprint(db, &batch->footprints[i]);
    for (size_t i = 0; rc == SQLITE_OK && i < batch->n_uses; i++)
        rc = write_use(db, &batch->uses[i]);
    if (rc == SQLITE_OK && batch->n_footprints > 0)
        rc = keep_run(db, TRIM("footprints", "last_wall_ms"), "i", (int64_t)HISTORY_MODELS_MAX);
    if (rc == SQLITE_OK && batch->n_uses > 0)
        rc = keep_run(db, TRIM("uses", "last_used_wall_ms"), "i", (int64_t)HISTORY_MODELS_MAX);
    return rc;
}

int keep_history_footprint(struct keep_history *history, struct history_footprint *f,
                           struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *row = NULL;
    int rc = keep_prepare(db, &row,
                          "SELECT held, seen, last_wall_ms FROM footprints WHERE digest = ?"
                          " AND context = ? AND parallel = ? AND kv_type = ?",
                          "tiit", f->digest, f->context, f->parallel, f->kv_type);
    bool found = rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW;
    int r = keep_done(db, rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc,
                      "read the history", err);
    if (r < 0)
        return r;
    if (!found)
        return error_set(err, FAILURE_JOB, -ENOENT, "no runner of %s was seen", f->model);
    f->held = sqlite3_column_int64(row, 0);
    f->seen = sqlite3_column_int64(row, 1);
    f->last_wall_ms = sqlite3_column_int64(row, 2);
    return 0;
}

int keep_history_use(struct keep_history *history, struct history_use *use, struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *row = NULL;
    int rc = keep_prepare(db, &row, "SELECT loads, last_used_wall_ms FROM uses WHERE model = ?",
                          "t", use->model);
    bool found = rc == SQLITE_OK && (rc = sqlite3_step(row)) == SQLITE_ROW;
    int r = keep_done(db, rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc,
                      "read the history", err);
    if (r < 0)
        return r;
    if (!found)
        return error_set(err, FAILURE_JOB, -ENOENT, "%s was never seen", use->model);
    use->loads = sqlite3_column_int64(row, 0);
    use->last_used_wall_ms = sqlite3_column_int64(row, 1);
    return 0;
}

int64_t keep_history_last_used_ms(void *history, const char *model)
{
    struct history_use use = {.model = model};
    return history && keep_history_use(history, &use, NULL) == 0 ? use.last_used_wall_ms : 0;
}
