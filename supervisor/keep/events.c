/* Events: written in the order in which they came, read by container and time. */
#include "keep/history_private.h"
#include <string.h>

#define COLUMNS                                                                                    \
    "id, wall_ms, boot_id, boottime_s, container, name, kind, verdict, step, outcome, numbers"

#define COLUMN(type, member) KEEP_COLUMN(type, history_event, member)
static const struct keep_column columns[] = {
    COLUMN(INTEGER, id),       COLUMN(INTEGER, wall_ms),    COLUMN(BORROWED, boot_id),
    COLUMN(REAL, boottime_s),  COLUMN(BORROWED, container), COLUMN(BORROWED, name),
    COLUMN(BORROWED, kind),    COLUMN(BORROWED, verdict),   COLUMN(BORROWED, step),
    COLUMN(BORROWED, outcome), COLUMN(BORROWED, numbers),
};

void history_write_events(struct keep *db, const struct history_batch *batch)
{
    for (size_t i = 0; i < batch->n_events; i++) /* each with an id of its own */
        keep_insert(db,
                    "INSERT INTO events (" COLUMNS ")"
                    " VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    columns + 1, KEEP_COUNT(columns) - 1, &batch->events[i]);
}

void history_thin_events(struct keep *db)
{
    keep_run(db, "DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", "i",
             (int64_t)HISTORY_EVENTS_MAX);
}

#define EVENTS(order)                                                                              \
    "SELECT " COLUMNS " FROM (SELECT " COLUMNS " FROM events"                                      \
    " WHERE id > ? AND wall_ms >= ? AND (? = '' OR name = ?"                                       \
    "  OR (? > 0 AND substr(container, 1, ?) = ?))"                                                \
    " ORDER BY id " order " LIMIT ?) ORDER BY id"

int keep_history_events(struct keep_history *history, const struct history_filter *filter,
                        void (*each)(void *userdata, const struct history_event *event),
                        void *userdata, int64_t *ret_last, struct error *err)
{
    enum { ID_BEGINS = 12 }; /* as the engine's own lists show it */
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    const char *wanted = filter->container ? filter->container : "";
    int64_t begins = strlen(wanted) >= ID_BEGINS ? (int64_t)strlen(wanted) : 0;
    int64_t last = keep_number(db, 0, "SELECT max(id) FROM events", "");
    bool onward = filter->after_id != 0; /* nothing between two questions may be left out */
    size_t n = 0;
    KEEP_STATEMENT *rows = keep_prepare(db, onward ? EVENTS("ASC") : EVENTS("DESC"), "iittiiti",
                                        filter->after_id, filter->since_wall_ms, wanted, wanted,
                                        begins, begins, wanted, (int64_t)filter->limit);
    while (keep_row(db, rows)) {
        struct history_event event;
        keep_read(rows, columns, KEEP_COUNT(columns), &event);
        each(userdata, &event);
        n++;
        if (event.id > last || (onward && n == filter->limit))
            last = event.id;
    }
    int r = history_read(db, err);
    if (r == 0 && ret_last)
        *ret_last = last;
    return r;
}
