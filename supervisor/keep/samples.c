/* Samples: one a second for the last hour, one a minute for a month, both let go from their oldest
 * end. */
#include "keep/history_private.h"
#include <math.h>
#include <stdlib.h>

enum {
    BOOTS_MAX = 4096,
    CONTAINERS_MAX = 8192,
    SPARE_DELETES = 64, /* beyond twice what came: what is too old goes faster than it comes */
};

/* The row of a text in a table of texts, made where it is missing. */
static int ref_of(struct keep *db, const char *insert, const char *find, const char *id,
                  const char *name, int64_t *ret_ref)
{
    int rc = keep_number(db, ret_ref, find, "t", id);
    if (rc == SQLITE_OK && *ret_ref == 0 &&
        (rc = keep_run(db, insert, "tt", id, name)) == SQLITE_OK)
        *ret_ref = sqlite3_last_insert_rowid(db->db);
    return rc;
}

static int boot_of(struct keep *db, const char *boot_id, int64_t *ret_ref)
{
    *ret_ref = 0;
    return ref_of(db, "INSERT INTO boots (boot_id) SELECT ?1 WHERE ?2 = ''",
                  "SELECT ref FROM boots WHERE boot_id = ?", boot_id, "", ret_ref);
}

static int container_of(struct keep *db, const struct history_subject *subject, int64_t *ret_ref)
{
    *ret_ref = 0;
    return ref_of(db, "INSERT INTO containers (id, name) VALUES (?, ?)",
                  "SELECT ref FROM containers WHERE id = ?", subject->id, subject->name, ret_ref);
}

/* To a tenth of a per cent: a short number is a short row. */
static double tenth(double percent)
{
    return percent < 0 ? -1 : round(percent * 10) / 10;
}

static int run_bound(sqlite3_stmt *statement, const int64_t *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int rc = sqlite3_bind_int64(statement, (int)i + 1, numbers[i]);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int step_and_reset(sqlite3_stmt *statement)
{
    int rc = sqlite3_step(statement), reset = sqlite3_reset(statement);
    return rc == SQLITE_DONE ? reset : rc;
}

static int write_seconds(struct keep *db, const struct history_batch *batch, int64_t boot,
                         const int64_t *refs)
{
    KEEP_STATEMENT *insert = NULL;
    int rc = keep_prepare(db, &insert,
                          "INSERT INTO seconds VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "");
    for (size_t i = 0; rc == SQLITE_OK && i < batch->n_samples; i++) {
        const struct history_sample *s = &batch->samples[i];
        int64_t numbers[] = {refs[s->subject], s->wall_ms,    boot,     0,
                             s->held,          s->page_cache, s->limit, s->models};
        rc = run_bound(insert, numbers, sizeof numbers / sizeof numbers[0]);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_double(insert, 4, s->boottime_s);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_double(insert, 9, tenth(s->cpu_percent));
        if (rc == SQLITE_OK)
            rc = step_and_reset(insert);
    }
    return rc;
}

static int write_minutes(struct keep *db, const struct history_batch *batch, int64_t boot,
                         const int64_t *refs)
{
    KEEP_STATEMENT *insert = NULL;
    int rc = keep_prepare(
        db, &insert, "INSERT INTO minutes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "");
    for (size_t i = 0; rc == SQLITE_OK && i < batch->n_minutes; i++) {
        const struct history_minute *m = &batch->minutes[i];
        const struct history_sample *a = &m->average;
        int64_t numbers[] = {refs[a->subject],  a->wall_ms, boot,        0,
                             m->samples,        a->held,    m->held_max, a->page_cache,
                             m->page_cache_max, a->limit,   a->models,   m->models_max};
        rc = run_bound(insert, numbers, sizeof numbers / sizeof numbers[0]);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_double(insert, 4, a->boottime_s);
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_double(insert, 13, tenth(a->cpu_percent));
        if (rc == SQLITE_OK)
            rc = sqlite3_bind_double(insert, 14, tenth(m->cpu_percent_max));
        if (rc == SQLITE_OK)
            rc = step_and_reset(insert);
    }
    return rc;
}

int history_write_samples(struct keep *db, const struct history_batch *batch)
{
    if (batch->n_samples == 0 && batch->n_minutes == 0)
        return SQLITE_OK;
    int64_t boot, *refs = calloc(batch->n_subjects + 1, sizeof *refs);
    if (!refs)
        return SQLITE_NOMEM;
    int rc = boot_of(db, batch->boot_id, &boot);
    for (size_t i = 0; rc == SQLITE_OK && i < batch->n_subjects; i++)
        rc = container_of(db, &batch->subjects[i], &refs[i]);
    if (rc == SQLITE_OK)
        rc = write_seconds(db, batch, boot, refs);
    if (rc == SQLITE_OK)
        rc = write_minutes(db, batch, boot, refs);
    free(refs);
    return rc;
}

/* Looks at the oldest end only: at most `most` rows are looked at, and go where they are too old.
 */
#define THIN(table)                                                                                \
    "DELETE FROM " table " WHERE id IN (SELECT id FROM"                                            \
    " (SELECT id, boot, boottime_s, wall_ms FROM " table " ORDER BY id LIMIT ?1)"                  \
    " WHERE CASE WHEN boot = ?2 THEN boottime_s < ?3 ELSE wall_ms < ?4 END)"                       \
    " OR id <= (SELECT max(id) FROM " table ") - ?5"

static int thin(struct keep *db, const char *sql, const struct history_batch *batch, int64_t boot,
                size_t came, double keep_s, int64_t rows_max)
{
    return keep_run(db, sql, "iidii", (int64_t)(2 * came + SPARE_DELETES), boot,
                    batch->now_boottime_s - keep_s, batch->now_wall_ms - (int64_t)(keep_s * 1000),
                    rows_max);
}

int history_thin_samples(struct keep *db, const struct history_batch *batch)
{
    int64_t boot, containers = 0;
    if (batch->n_samples == 0 && batch->n_minutes == 0)
        return SQLITE_OK;
    int rc = boot_of(db, batch->boot_id, &boot);
    if (rc == SQLITE_OK)
        rc = thin(db, THIN("seconds"), batch, boot, batch->n_samples, batch->keep_seconds_s,
                  HISTORY_SECONDS_MAX);
    if (rc == SQLITE_OK)
        rc = thin(db, THIN("minutes"), batch, boot, batch->n_minutes, batch->keep_minutes_s,
                  HISTORY_MINUTES_MAX);
    if (rc == SQLITE_OK)
        rc = keep_run(db, "DELETE FROM boots WHERE ref <= (SELECT max(ref) FROM boots) - ?", "i",
                      (int64_t)BOOTS_MAX);
    if (rc == SQLITE_OK)
        rc = keep_number(db, &containers, "SELECT count(*) FROM containers", "");
    if (rc == SQLITE_OK && containers > CONTAINERS_MAX)
        rc = keep_run(db,
                      "DELETE FROM containers WHERE ref NOT IN"
                      " (SELECT container FROM seconds UNION SELECT container FROM minutes)",
                      "");
    return rc;
}

static void read_sample(sqlite3_stmt *row, int at, struct history_sample *sample)
{
    *sample = (struct history_sample){.wall_ms = sqlite3_column_int64(row, at),
                                      .boottime_s = sqlite3_column_double(row, at + 1),
                                      .held = sqlite3_column_int64(row, at + 2),
                                      .page_cache = sqlite3_column_int64(row, at + 3),
                                      .limit = sqlite3_column_int64(row, at + 4),
                                      .models = sqlite3_column_int64(row, at + 5),
                                      .cpu_percent = sqlite3_column_double(row, at + 6)};
}

#define SAMPLE "wall_ms, boottime_s, held, page_cache, memory_limit, models, cpu"
#define OF_CONTAINER                                                                               \
    " WHERE container = (SELECT ref FROM containers WHERE id = ?) AND wall_ms >= ? ORDER BY id"

int keep_history_samples(struct keep_history *history, const char *id, int64_t since_wall_ms,
                         void (*each)(void *userdata, const struct history_sample *sample),
                         void *userdata, struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *rows = NULL;
    int rc = keep_prepare(db, &rows, "SELECT " SAMPLE " FROM seconds" OF_CONTAINER, "ti", id,
                          since_wall_ms);
    while (rc == SQLITE_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct history_sample sample;
        read_sample(rows, 0, &sample);
        each(userdata, &sample);
        rc = SQLITE_OK;
    }
    return keep_done(db, rc == SQLITE_DONE ? SQLITE_OK : rc, "read the history", err);
}

int keep_history_minutes(struct keep_history *history, const char *id, int64_t since_wall_ms,
                         void (*each)(void *userdata, const struct history_minute *minute),
                         void *userdata, struct error *err)
{
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *rows = NULL;
    int rc = keep_prepare(db, &rows,
                          "SELECT " SAMPLE ", samples, held_max, page_cache_max, models_max,"
                          " cpu_max FROM minutes" OF_CONTAINER,
                          "ti", id, since_wall_ms);
    while (rc == SQLITE_OK && (rc = sqlite3_step(rows)) == SQLITE_ROW) {
        struct history_minute minute = {.samples = (unsigned)sqlite3_column_int(rows, 7),
                                        .held_max = sqlite3_column_int64(rows, 8),
                                        .page_cache_max = sqlite3_column_int64(rows, 9),
                                        .models_max = sqlite3_column_int64(rows, 10),
                                        .cpu_percent_max = sqlite3_column_double(rows, 11)};
        read_sample(rows, 0, &minute.average);
        each(userdata, &minute);
        rc = SQLITE_OK;
    }
    return keep_done(db, rc == SQLITE_DONE ? SQLITE_OK : rc, "read the history", err);
}
