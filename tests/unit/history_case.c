#include "history_case.h"
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int64_t history_noon_ms = 1795262400000; /* 2026-11-21T12:00:00Z */
const char history_id_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const char history_id_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
struct error history_err;

struct keep_history *history_open_bounded(const struct place *place, fact max_bytes)
{
    struct keep_history *history = NULL;
    assert_ok(keep_history_open(place->state, false, max_bytes, &history, &history_err),
              history_err);
    return history;
}

struct keep_history *history_open(const struct place *place)
{
    return history_open_bounded(place, BOUND);
}

struct keep_history *history_open_reader(const struct place *place)
{
    struct keep_history *history = NULL;
    assert_ok(keep_history_read(place->state, false, &history, &history_err), history_err);
    return history;
}

struct history_batch history_batch_at(double boottime_s)
{
    return (struct history_batch){.now_wall_ms = history_noon_ms + (int64_t)(boottime_s * 1000),
                                  .now_boottime_s = boottime_s,
                                  .boot_id = "boot-one",
                                  .keep_seconds_s = HOUR_S,
                                  .keep_minutes_s = 30.0 * DAY_S};
}

struct history_event history_event_of(const char *kind, const char *id, const char *name,
                                      int64_t wall_ms)
{
    return (struct history_event){.wall_ms = wall_ms,
                                  .boot_id = "boot-one",
                                  .boottime_s = 12.5,
                                  .container = id,
                                  .name = name,
                                  .kind = kind,
                                  .verdict = "idle-leak",
                                  .step = "restart",
                                  .outcome = "it came back",
                                  .numbers = "{\"before\":2147483648,\"after\":9437184}"};
}

int history_write_event(struct keep_history *history, struct history_event event)
{
    struct history_batch batch = history_batch_at(1);
    batch.events = &event;
    batch.n_events = 1;
    return keep_history_write(history, &batch, &history_err);
}

int64_t history_number_of(const struct place *place, const char *sql)
{
    char path[128];
    sqlite3 *db = NULL;
    sqlite3_stmt *row = NULL;
    snprintf(path, sizeof path, "%s/history.db", place->state);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int64_t number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return number;
}

void history_hear(void *userdata, const struct history_event *event)
{
    struct history_heard *heard = userdata;
    size_t length = strlen(heard->kinds);
    snprintf(heard->kinds + length, sizeof heard->kinds - length, "%s ", event->kind);
    if (heard->n++ == 0)
        heard->first_id = event->id;
    assert_true(event->id > heard->last_id);
    heard->last_id = event->id;
    heard->last = *event;
    snprintf(heard->name, sizeof heard->name, "%s", event->name);
    snprintf(heard->outcome, sizeof heard->outcome, "%s", event->outcome);
    snprintf(heard->numbers, sizeof heard->numbers, "%s", event->numbers);
}

struct history_heard history_hear_events(const struct place *place, struct history_filter filter)
{
    struct history_heard heard = {0};
    struct keep_history *history = history_open_reader(place);
    assert_ok(keep_history_events(history, &filter, history_hear, &heard, NULL, &history_err),
              history_err);
    keep_history_close(history);
    return heard;
}
