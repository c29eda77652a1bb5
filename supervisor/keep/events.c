/* Events: written in the order in which they came, read by container and time. */
#include "keep/history_private.h"
#include <string.h>

#define COLUMNS                                                                                    \
    "id, wall_ms, boot_id, boottime_s, container, name, kind, verdict, step, outcome, numbers"

int history_write_events(struct keep *db, const struct history_batch *batch)
{
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < batch->n_events; i++) {
        const struct history_event *e = &batch->events[i];
        rc = keep_run(db,
                      "INSERT INTO events (" COLUMNS ")"
                      " VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      "itdttttttt", e->wall_ms, e->boot_id, e->boottime_s, e->container, e->name,
                      e->kind, e->verdict, e->step, e->outcome, e->numbers);
    }
    return rc;
}

int history_thin_events(struct keep *db)
{
    return keep_run(db, "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", "i",
                    (int64_t)HISTORY_EVENTS_MAX);
}

static void give(sqlite3_stmt *row, void (*each)(void *userdata, const struct history_event *event),
                 void *userdata)
{
    struct history_event event = {.id = sqlite3_column_int64(row, 0),
                                  .wall_ms = sqlite3_column_int64(row, 1),
                                  .boot_id = history_text(row, 2),
                                  .boottime_s = sqlite3_column_double(row, 3),
                                  .container = history_text(row, 4),
                                  .name = history_text(row, 5),
                                  .kind = history_text(row, 6),
                                  .verdict = history_text(row, 7),
                                  .step = history_text(row, 8),
                                  .outcome = history_text(row, 9),
                                  .numbers = history_text(row, 10)};
    each(userdata, &event);
}

int keep_history_events(struct keep_history *history, const struct history_filter *filter,
                        void (*each)(void *userdata, const struct history_event *event),
                        void *userdata, int64_t *ret_last, struct error *err)
{
    enum { ID_BEGINS = 12 }; /* as the engine's own lists show it */
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *rows = NULL;
    const char *wanted = filter->container ? filter->container : "";
    int64_t begins = strlen(wanted) >= ID_BEGINS ? (int64_t)strlen(wanted) : 0, last = 0;
    int rc = keep_number(db, &last, "SELECT max(id) FROM events", "");
    if (rc == SQLITE_OK)
        rc = keep_prepare(db, &rows,
                          "SELECT " COLUMNS " FROM (SELECT " COLUMNS " FROM events"
                          " WHERE id > ? AND wall_ms >= ? AND (? = '' OR name = ?"
                          "  OR (? > 0 AND substr(container, 1, ?) = ?))"
                          " ORDER BY id DESC LIMIT ?) ORDER BY id",
                          "iittiiti", filter->after_id, filter->since_wall_ms, wanted, wanted,
                          begins, begins, wanted, (int64_t)filter->limit);
    while (rc == SQLITE_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        give(rows, each, userdata);
        rc = SQLITE_OK;
    }
    int r = keep_done(db, rc == SQLITE_DONE ? SQLITE_OK : rc, "read the history", err);
    if (r == 0 && ret_last)
        *ret_last = last;
    return r;
}
