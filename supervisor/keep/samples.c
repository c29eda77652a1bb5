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
static int64_t ref_of(struct keep *db, const char *insert, const char *find, const char *id,
                      const char *name)
{
    int64_t ref = keep_number(db, 0, find, "t", id);
    if (ref != 0)
        return ref;
    keep_run(db, insert, "tt", id, name);
    return sqlite3_last_insert_rowid(db->db);
}

static int64_t boot_of(struct keep *db, const char *boot_id)
{
    return ref_of(db, "INSERT INTO boots (boot_id) SELECT ?1 WHERE ?2 = ''",
                  "SELECT ref FROM boots WHERE boot_id = ?", boot_id, "");
}

static int64_t container_of(struct keep *db, const struct history_subject *subject)
{
    return ref_of(db, "INSERT INTO containers (id, name) VALUES (?, ?)",
                  "SELECT ref FROM containers WHERE id = ?", subject->id, subject->name);
}

/* To a tenth of a per cent: a short number is a short row. */
static double tenth(double percent)
{
    return percent < 0 ? -1 : round(percent * 10) / 10;
}

static void write_seconds(struct keep *db, const struct history_batch *batch, int64_t boot,
                          const int64_t *refs)
{
    KEEP_STATEMENT *insert =
        keep_prepare(db, "INSERT INTO seconds VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "");
    for (size_t i = 0; i < batch->n_samples; i++) {
        const struct history_sample *s = &batch->samples[i];
        keep_again(db, insert, "iiidiiiid", refs[s->subject], s->wall_ms, boot, s->boottime_s,
                   s->held, s->page_cache, s->limit, s->models, tenth(s->cpu_percent));
    }
}

static void write_minutes(struct keep *db, const struct history_batch *batch, int64_t boot,
                          const int64_t *refs)
{
    KEEP_STATEMENT *insert = keep_prepare(
        db, "INSERT INTO minutes VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "");
    for (size_t i = 0; i < batch->n_minutes; i++) {
        const struct history_minute *m = &batch->minutes[i];
        const struct history_sample *a = &m->average;
        keep_again(db, insert, "iiidiiiiiiiidd", refs[a->subject], a->wall_ms, boot, a->boottime_s,
                   (int64_t)m->samples, a->held, m->held_max, a->page_cache, m->page_cache_max,
                   a->limit, a->models, m->models_max, tenth(a->cpu_percent),
                   tenth(m->cpu_percent_max));
    }
}

void history_write_samples(struct keep *db, const struct history_batch *batch)
{
    if (batch->n_samples == 0 && batch->n_minutes == 0)
        return;
    int64_t boot = boot_of(db, batch->boot_id), *refs = calloc(batch->n_subjects + 1, sizeof *refs);
    if (!refs) {
        keep_heed(db, SQLITE_NOMEM);
        return;
    }
    for (size_t i = 0; i < batch->n_subjects; i++)
        refs[i] = container_of(db, &batch->subjects[i]);
    write_seconds(db, batch, boot, refs);
    write_minutes(db, batch, boot, refs);
    free(refs);
}

/* Looks at the oldest end only: at most `most` rows are looked at, and go where they are too old.
 */
#define THIN(table)                                                                                \
    "DELETE FROM " table " WHERE id IN (SELECT id FROM"                                            \
    " (SELECT id, boot, boottime_s, wall_ms FROM " table " ORDER BY id LIMIT ?1)"                  \
    " WHERE CASE WHEN boot = ?2 THEN boottime_s < ?3 ELSE wall_ms < ?4 END)"                       \
    " OR id <= (SELECT max(id) FROM " table ") - ?5"

static void thin(struct keep *db, const char *sql, const struct history_batch *batch, int64_t boot,
                 size_t came, double keep_s, int64_t rows_max)
{
    keep_run(db, sql, "iidii", (int64_t)(2 * came + SPARE_DELETES), boot,
             batch->now_boottime_s - keep_s, batch->now_wall_ms - (int64_t)(keep_s * 1000),
             rows_max);
}

void history_thin_samples(struct keep *db, const struct history_batch *batch)
{
    if (batch->n_samples == 0 && batch->n_minutes == 0)
        return;
    int64_t boot = boot_of(db, batch->boot_id);
    thin(db, THIN("seconds"), batch, boot, batch->n_samples, batch->keep_seconds_s,
         HISTORY_SECONDS_MAX);
    thin(db, THIN("minutes"), batch, boot, batch->n_minutes, batch->keep_minutes_s,
         HISTORY_MINUTES_MAX);
    keep_run(db, "DELETE FROM boots WHERE ref <= (SELECT max(ref) FROM boots) - ?", "i",
             (int64_t)BOOTS_MAX);
    if (keep_number(db, 0, "SELECT count(*) FROM containers", "") > CONTAINERS_MAX)
        keep_run(db,
                 "DELETE FROM containers WHERE ref NOT IN"
                 " (SELECT container FROM seconds UNION SELECT container FROM minutes)",
                 "");
}

int keep_history_samples(struct keep_history *history, const char *id, int64_t since_wall_ms,
                         void (*each)(void *userdata, const struct history_sample *sample),
                         void *userdata, struct error *err)
{
#define COLUMN(type, member) KEEP_COLUMN(type, history_sample, member)
    static const struct keep_column columns[] = {
        COLUMN(INTEGER, wall_ms),    COLUMN(REAL, boottime_s), COLUMN(INTEGER, held),
        COLUMN(INTEGER, page_cache), COLUMN(INTEGER, limit),   COLUMN(INTEGER, models),
        COLUMN(REAL, cpu_percent)};
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *rows = keep_prepare(
        db,
        "SELECT wall_ms, boottime_s, held, page_cache, memory_limit, models, cpu FROM seconds"
        " WHERE container = (SELECT ref FROM containers WHERE id = ?) AND wall_ms >= ?"
        " ORDER BY id",
        "ti", id, since_wall_ms);
    while (keep_row(db, rows)) {
        struct history_sample sample = {0};
        keep_read(rows, columns, KEEP_COUNT(columns), &sample);
        each(userdata, &sample);
    }
    return history_read(db, err);
}

int keep_history_minutes(struct keep_history *history, const char *id, int64_t since_wall_ms,
                         void (*each)(void *userdata, const struct history_minute *minute),
                         void *userdata, struct error *err)
{
#define MINUTE(type, member) KEEP_COLUMN(type, history_minute, member)
    static const struct keep_column minute_columns[] = {
        MINUTE(INTEGER, average.wall_ms),    MINUTE(REAL, average.boottime_s),
        MINUTE(INTEGER, average.held),       MINUTE(INTEGER, held_max),
        MINUTE(INTEGER, average.page_cache), MINUTE(INTEGER, page_cache_max),
        MINUTE(INTEGER, average.limit),      MINUTE(INTEGER, average.models),
        MINUTE(INTEGER, models_max),         MINUTE(REAL, average.cpu_percent),
        MINUTE(REAL, cpu_percent_max)};
    struct keep *db = &history->db;
    KEEP_LOCKED(db);
    KEEP_STATEMENT *rows = keep_prepare(
        db,
        "SELECT wall_ms, boottime_s, held, held_max, page_cache, page_cache_max, memory_limit,"
        " models, models_max, cpu, cpu_max, samples FROM minutes"
        " WHERE container = (SELECT ref FROM containers WHERE id = ?) AND wall_ms >= ?"
        " ORDER BY id",
        "ti", id, since_wall_ms);
    while (keep_row(db, rows)) {
        struct history_minute minute = {0};
        keep_read(rows, minute_columns, KEEP_COUNT(minute_columns), &minute);
        minute.samples = (unsigned)sqlite3_column_int64(rows, KEEP_COUNT(minute_columns));
        each(userdata, &minute);
    }
    return history_read(db, err);
}
