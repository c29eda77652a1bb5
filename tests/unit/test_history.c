/* The history: events, samples, models; bounded, thinned, on full and read-only disks, corrupt. */
#include "keep/history.h"
#include "keep_place.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { HOUR_S = 3600, DAY_S = 86400, BOUND = 64 << 20 };

static const int64_t noon_ms = 1795262400000; /* 2026-11-21T12:00:00Z */
static const char id_a[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char id_b[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
static struct error err;

static struct keep_history *open_bounded(const struct place *place, fact max_bytes)
{
    struct keep_history *history = NULL;
    assert_ok(keep_history_open(place->state, false, max_bytes, &history, &err), err);
    return history;
}

static struct keep_history *open_history(const struct place *place)
{
    return open_bounded(place, BOUND);
}

static struct keep_history *open_reader(const struct place *place)
{
    struct keep_history *history = NULL;
    assert_ok(keep_history_open_reader(place->state, &history, &err), err);
    return history;
}

static struct history_batch batch_at(double boottime_s)
{
    return (struct history_batch){.now_wall_ms = noon_ms + (int64_t)(boottime_s * 1000),
                                  .now_boottime_s = boottime_s,
                                  .boot_id = "boot-one",
                                  .keep_seconds_s = HOUR_S,
                                  .keep_minutes_s = 30.0 * DAY_S};
}

static struct history_event event_of(const char *kind, const char *id, const char *name,
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

static int write_event(struct keep_history *history, struct history_event event)
{
    struct history_batch batch = batch_at(1);
    batch.events = &event;
    batch.n_events = 1;
    return keep_history_write(history, &batch, &err);
}

static int64_t number_of(const struct place *place, const char *sql)
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

struct heard {
    size_t n;
    char kinds[512];
    int64_t first_id, last_id;
    struct history_event last;
    char name[64], outcome[64], numbers[64];
};

static void hear(void *userdata, const struct history_event *event)
{
    struct heard *heard = userdata;
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

static struct heard hear_events(const struct place *place, struct history_filter filter)
{
    struct heard heard = {0};
    struct keep_history *history = open_reader(place);
    assert_ok(keep_history_events(history, &filter, hear, &heard, NULL, &err), err);
    keep_history_close(history);
    return heard;
}

static void test_events_come_back_in_order(void **state)
{
    struct place *place = *state;
    struct keep_history *history = open_history(place);
    /* The wall clock goes back in between: the order is that of writing. */
    assert_ok(write_event(history, event_of("raised", id_a, "ollama", noon_ms)), err);
    assert_ok(write_event(history, event_of("acting", id_a, "ollama", noon_ms - 5000)), err);
    assert_ok(write_event(history, event_of("engine-lost", "", "", noon_ms + 1)), err);
    assert_ok(write_event(history, event_of("healed", id_b, "other", noon_ms + 2)), err);
    struct heard all = hear_events(place, (struct history_filter){.limit = 10});
    assert_string_equal(all.kinds, "raised acting engine-lost healed ");
    assert_string_equal(all.name, "other");
    assert_string_equal(all.outcome, "it came back");
    assert_string_equal(all.numbers, "{\"before\":2147483648,\"after\":9437184}");
    assert_true(all.last.wall_ms == noon_ms + 2 && all.last.boottime_s == 12.5);
    struct history_filter by_name = {.container = "ollama", .limit = 10};
    assert_string_equal(hear_events(place, by_name).kinds, "raised acting ");
    struct history_filter by_id = {.container = "bbbbbbbbbbbb", .limit = 10};
    assert_string_equal(hear_events(place, by_id).kinds, "healed ");
    struct history_filter too_short = {.container = "bbbbbbbbbbb", .limit = 10};
    assert_string_equal(hear_events(place, too_short).kinds, "");
    struct history_filter newest = {.limit = 2};
    assert_string_equal(hear_events(place, newest).kinds, "engine-lost healed ");
    struct history_filter since = {.since_wall_ms = noon_ms, .limit = 10};
    assert_string_equal(hear_events(place, since).kinds, "raised engine-lost healed ");
    struct history_filter after = {.after_id = all.first_id + 1, .limit = 10};
    assert_string_equal(hear_events(place, after).kinds, "engine-lost healed ");
    keep_history_close(history);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 1}).kinds, "healed ");
}

static void test_events_are_bounded(void **state)
{
    struct place *place = *state;
    enum { AT_ONCE = 1000 };
    struct keep_history *history = open_history(place);
    struct history_event *events = calloc(AT_ONCE, sizeof *events);
    for (size_t i = 0; i < AT_ONCE; i++)
        events[i] = event_of("raised", id_a, "ollama", noon_ms);
    struct history_batch batch = batch_at(1);
    batch.events = events;
    batch.n_events = AT_ONCE;
    for (int i = 0; i < HISTORY_EVENTS_MAX / AT_ONCE + 3; i++)
        assert_ok(keep_history_write(history, &batch, &err), err);
    assert_int_equal(number_of(place, "SELECT count(*) FROM events"), HISTORY_EVENTS_MAX);
    free(events);
    keep_history_close(history);
}

/* A minute's samples of two containers, the last of them at end_s. */
static int write_minute(struct keep_history *history, double end_s, const char *boot,
                        int64_t wall_shift_ms, double keep_seconds_s)
{
    static const struct history_subject subjects[] = {{id_a, "ollama"}, {id_b, "other"}};
    struct history_sample samples[120];
    struct history_minute minutes[2];
    for (unsigned i = 0; i < 120; i++) {
        double at_s = end_s - 59 + i / 2;
        samples[i] =
            (struct history_sample){.subject = i % 2,
                                    .wall_ms = noon_ms + (int64_t)(at_s * 1000) + wall_shift_ms,
                                    .boottime_s = at_s,
                                    .held = 1000 + i,
                                    .page_cache = FACT_UNKNOWN,
                                    .limit = FACT_NONE,
                                    .models = 7,
                                    .cpu_percent = 12.345};
    }
    for (unsigned i = 0; i < 2; i++)
        minutes[i] = (struct history_minute){.average = samples[118 + i],
                                             .samples = 60,
                                             .held_max = 5000 + i,
                                             .page_cache_max = FACT_UNKNOWN,
                                             .models_max = 9,
                                             .cpu_percent_max = -1};
    struct history_batch batch = batch_at(end_s);
    batch.now_wall_ms += wall_shift_ms;
    batch.boot_id = boot;
    batch.keep_seconds_s = keep_seconds_s;
    batch.subjects = subjects;
    batch.samples = samples;
    batch.minutes = minutes;
    batch.n_subjects = 2;
    batch.n_samples = 120;
    batch.n_minutes = 2;
    return keep_history_write(history, &batch, &err);
}

struct span {
    size_t n;
    struct history_sample first, last;
    struct history_minute minute;
};

static void span_sample(void *userdata, const struct history_sample *sample)
{
    struct span *span = userdata;
    if (span->n++ == 0)
        span->first = *sample;
    span->last = *sample;
}

static void span_minute(void *userdata, const struct history_minute *minute)
{
    struct span *span = userdata;
    span->n++;
    span->minute = *minute;
}

static void test_samples_come_back(void **state)
{
    struct keep_history *history = open_history(*state);
    assert_ok(write_minute(history, 60, "boot-one", 0, HOUR_S), err);
    struct span span = {0};
    assert_ok(keep_history_samples(history, id_b, 0, span_sample, &span, &err), err);
    assert_int_equal(span.n, 60);
    assert_int_equal(span.first.held, 1001);
    assert_int_equal(span.last.held, 1119);
    assert_int_equal(span.last.page_cache, FACT_UNKNOWN);
    assert_int_equal(span.last.limit, FACT_NONE);
    assert_int_equal(span.last.models, 7);
    assert_true(span.last.cpu_percent == 12.3 && span.last.boottime_s == 60);
    span.n = 0;
    assert_ok(keep_history_samples(history, id_b, noon_ms + 51000, span_sample, &span, &err), err);
    assert_int_equal(span.n, 10);
    span.n = 0;
    assert_ok(keep_history_minutes(history, id_a, 0, span_minute, &span, &err), err);
    assert_int_equal(span.n, 1);
    assert_int_equal(span.minute.samples, 60);
    assert_int_equal(span.minute.average.held, 1118);
    assert_int_equal(span.minute.held_max, 5000);
    assert_int_equal(span.minute.models_max, 9);
    assert_true(span.minute.cpu_percent_max == -1);
    span.n = 0;
    assert_ok(keep_history_samples(history, "unheard-of", 0, span_sample, &span, &err), err);
    assert_int_equal(span.n, 0);
    keep_history_close(history);
}

static void test_seconds_stay_an_hour_minutes_longer(void **state)
{
    struct place *place = *state;
    struct keep_history *history = open_history(place);
    for (int minute = 1; minute <= 90; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, HOUR_S), err);
    int64_t rows = number_of(place, "SELECT count(*) FROM seconds");
    assert_in_range(rows, 2 * HOUR_S, 2 * HOUR_S + 120);
    assert_int_equal(number_of(place, "SELECT min(boottime_s) FROM seconds"), 1800);
    assert_int_equal(number_of(place, "SELECT count(*) FROM minutes"), 180);
    keep_history_close(history);
}

static void test_clock_that_jumps_costs_little(void **state)
{
    static const int64_t years_ms = INT64_C(10) * 365 * DAY_S * 1000;
    struct place *place = *state;
    struct keep_history *history = open_history(place);
    for (int minute = 1; minute <= 50; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, HOUR_S), err);
    /* Within a boot its own clock counts. */
    assert_ok(write_minute(history, 60.0 * 51, "boot-one", years_ms, HOUR_S), err);
    assert_int_equal(number_of(place, "SELECT count(*) FROM seconds"), 51 * 120);
    /* Another boot, far ahead by mistake: what came before goes, but slowly. */
    for (int minute = 1; minute <= 3; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-two", years_ms, HOUR_S), err);
    int64_t left = number_of(place, "SELECT count(*) FROM seconds");
    assert_in_range(left, 54 * 120 - 3 * (2 * 120 + 64), 54 * 120);
    assert_in_range(number_of(place, "SELECT count(*) FROM minutes"), 1, 108);
    /* And back: what is dated in the future does no harm. */
    for (int minute = 4; minute <= 70; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-two", 0, HOUR_S), err);
    assert_true(number_of(place, "SELECT count(*) FROM seconds WHERE wall_ms < 1800000000000") >=
                2 * HOUR_S);
    keep_history_close(history);
}

static void test_bytes_are_bounded(void **state)
{
    enum { SMALL = 4 << 20 };
    struct place *place = *state;
    struct keep_history *history = open_bounded(place, SMALL);
    char path[128], wal[128];
    struct stat st, wal_st;
    snprintf(path, sizeof path, "%s/history.db", place->state);
    snprintf(wal, sizeof wal, "%s/history.db-wal", place->state);
    for (int minute = 1; minute <= 1500; minute++) {
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, 30.0 * DAY_S), err);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(stat(wal, &wal_st), 0);
        assert_true(st.st_size <= SMALL && wal_st.st_size <= 2 << 20);
    }
    assert_true(number_of(place, "SELECT count(*) FROM seconds") < 100000);
    assert_true(number_of(place, "SELECT max(boottime_s) FROM seconds") == 90000);
    keep_history_close(history);
    /* A larger one that is to be smaller from now on shrinks, in steps. */
    history = open_bounded(place, BOUND);
    for (int minute = 1501; minute <= 3000; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, 30.0 * DAY_S), err);
    keep_history_close(history);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > SMALL);
    history = open_bounded(place, SMALL);
    for (int minute = 3001; minute <= 3060; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, 30.0 * DAY_S), err);
    keep_history_close(history);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= SMALL);
}

static void test_models_are_learned(void **state)
{
    struct keep_history *history = open_history(*state);
    struct history_footprint f = {.digest = id_a,
                                  .context = 4096,
                                  .parallel = 2,
                                  .kv_type = "q8_0",
                                  .model = "qwen3:8b",
                                  .held = 5000,
                                  .seen = 1,
                                  .last_wall_ms = noon_ms};
    struct history_use use = {.model = "qwen3:8b", .loads = 1, .last_used_wall_ms = noon_ms};
    struct history_batch batch = batch_at(1);
    batch.footprints = &f;
    batch.uses = &use;
    batch.n_footprints = batch.n_uses = 1;
    assert_ok(keep_history_write(history, &batch, &err), err);
    f.held = 4000; /* less: another load, which does not lower what was seen */
    f.last_wall_ms = noon_ms + 1;
    use.last_used_wall_ms = 0; /* loaded, not used yet */
    assert_ok(keep_history_write(history, &batch, &err), err);
    f.held = f.seen = use.loads = 0;
    assert_ok(keep_history_footprint(history, &f, &err), err);
    assert_int_equal(f.held, 5000);
    assert_int_equal(f.seen, 2);
    assert_int_equal(f.last_wall_ms, noon_ms + 1);
    assert_ok(keep_history_use(history, &use, &err), err);
    assert_int_equal(use.loads, 2);
    assert_int_equal(use.last_used_wall_ms, noon_ms);
    f.context = 8192;
    assert_int_equal(keep_history_footprint(history, &f, &err), -ENOENT);
    use.model = "other";
    assert_int_equal(keep_history_use(history, &use, &err), -ENOENT);
    keep_history_close(history);
}

static void test_nothing_to_read(void **state)
{
    struct place *place = *state;
    struct keep_history *history = NULL;
    assert_int_equal(keep_history_open_reader(place->state, &history, &err), -ENOENT);
    assert_message(err, "history.db");
    assert_null(history);
    keep_history_close(NULL);
}

static void test_killed_writer_loses_nothing(void **state)
{
    struct place *place = *state;
    pid_t child = fork();
    if (child == 0) {
        struct keep_history *history = open_history(place);
        int r = write_event(history, event_of("acting", id_a, "ollama", noon_ms));
        kill(getpid(), r == 0 ? SIGKILL : SIGTERM);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, SIGKILL);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 9}).kinds, "acting ");
    struct keep_history *history = open_history(place);
    assert_ok(write_event(history, event_of("healed", id_a, "ollama", noon_ms)), err);
    keep_history_close(history);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "acting healed ");
}

static void test_full_disk_stops_it_and_not_the_intents(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "16m");
    struct keep *keep = place_open(place);
    struct keep_history *history = open_history(place), *late = NULL;
    assert_ok(write_event(history, event_of("raised", id_a, "ollama", noon_ms)), err);
    place_fill(place);
    assert_int_equal(write_event(history, event_of("acting", id_a, "ollama", noon_ms)), -ENOSPC);
    assert_message(err, "less than 4 MiB are left");
    struct intent intent = longest_intent(1);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    assert_int_equal(keep_history_open(place->state, true, BOUND, &late, &err), -ENOSPC);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 9}).kinds, "raised ");
    place_unfill(place);
    assert_ok(write_event(history, event_of("healed", id_a, "ollama", noon_ms)), err);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "raised healed ");
    keep_history_close(history);
    keep_close(keep);
}

static void test_read_only_disk_can_be_read(void **state)
{
    struct place *place = *state;
    place_mount_ext4(place, 16);
    struct keep_history *history = open_history(place);
    assert_ok(write_event(history, event_of("raised", id_a, "ollama", noon_ms)), err);
    keep_history_close(history);
    place_read_only(place);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 9}).kinds, "raised ");
    history = NULL;
    int r = keep_history_open(place->state, true, BOUND, &history, &err);
    assert_true(r == -EROFS);
    assert_null(history);
}

static void test_without_its_wal_on_a_read_only_disk(void **state)
{
    struct place *place = *state;
    char path[128];
    place_mount_ext4(place, 16);
    struct keep_history *history = open_history(place);
    assert_ok(write_event(history, event_of("raised", id_a, "ollama", noon_ms)), err);
    keep_history_close(history);
    snprintf(path, sizeof path, "%s/history.db-wal", place->state);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/history.db-shm", place->state);
    unlink(path);
    place_read_only(place);
    assert_string_equal(hear_events(place, (struct history_filter){.limit = 9}).kinds, "raised ");
}

static void spoil(const struct place *place, off_t at)
{
    char path[128], bytes[4096];
    memset(bytes, 0xa5, sizeof bytes);
    snprintf(path, sizeof path, "%s/history.db", place->state);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, at), (ssize_t)sizeof bytes);
    close(fd);
    snprintf(path, sizeof path, "%s/history.db-wal", place->state);
    unlink(path);
}

static void test_corrupt_is_set_aside(void **state)
{
    struct place *place = *state;
    for (off_t at = 0; at <= 8192; at += 8192) { /* the header; the root of the events */
        struct keep_history *history = open_history(place);
        assert_ok(write_event(history, event_of("raised", id_a, "ollama", noon_ms)), err);
        keep_history_close(history);
        spoil(place, at);
        history = NULL;
        struct history_filter all = {.limit = 9};
        struct heard heard = {0};
        int r = keep_history_open_reader(place->state, &history, &err);
        if (r == 0)
            r = keep_history_events(history, &all, hear, &heard, NULL, &err);
        keep_history_close(history);
        assert_int_equal(r, -EUCLEAN);
        assert_message(err, "it is corrupt");
        assert_ok(keep_history_open(place->state, true, BOUND, &history, &err), err);
        assert_non_null(keep_history_set_aside(history));
        assert_int_equal(access(keep_history_set_aside(history), F_OK), 0);
        assert_ok(write_event(history, event_of("healed", id_a, "ollama", noon_ms)), err);
        keep_history_close(history);
        assert_string_equal(hear_events(place, all).kinds, "healed ");
        char drop[160];
        snprintf(drop, sizeof drop, "%s/history.db", place->state);
        assert_int_equal(unlink(drop), 0);
        snprintf(drop, sizeof drop, "%s/history.db-wal", place->state);
        unlink(drop);
    }
}

static void test_removed_while_in_use(void **state)
{
    struct place *place = *state;
    struct keep_history *history = open_history(place);
    char path[128];
    snprintf(path, sizeof path, "%s/history.db", place->state);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write_event(history, event_of("raised", id_a, "ollama", noon_ms)), -EIO);
    assert_message(err, "was removed or replaced");
    keep_history_close(history);
}

static void test_foreign_and_newer_files(void **state)
{
    struct place *place = *state;
    struct keep_history *history = open_history(place);
    keep_history_close(history);
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/history.db", place->state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    history = NULL;
    assert_int_equal(keep_history_open(place->state, true, BOUND, &history, &err), -ENOTSUP);
    assert_message(err, "newer supervisor");
    assert_int_equal(keep_history_open_reader(place->state, &history, &err), -ENOTSUP);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 0", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(keep_history_open(place->state, true, BOUND, &history, &err), -ENOTSUP);
    assert_message(err, "some other program's");
    sqlite3_close(db);
}

#define test(f) cmocka_unit_test_setup_teardown(f, place_make, place_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_events_come_back_in_order),
        test(test_events_are_bounded),
        test(test_samples_come_back),
        test(test_seconds_stay_an_hour_minutes_longer),
        test(test_clock_that_jumps_costs_little),
        test(test_bytes_are_bounded),
        test(test_models_are_learned),
        test(test_nothing_to_read),
        test(test_killed_writer_loses_nothing),
        test(test_full_disk_stops_it_and_not_the_intents),
        test(test_read_only_disk_can_be_read),
        test(test_without_its_wal_on_a_read_only_disk),
        test(test_corrupt_is_set_aside),
        test(test_removed_while_in_use),
        test(test_foreign_and_newer_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
