/* The history: events, samples; in order, bounded, thinned. */
#include "history_case.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_events_come_back_in_order(void **state)
{
    struct place *place = *state;
    struct keep_history *history = history_open(place);
    /* The wall clock goes back in between: the order is that of writing. */
    assert_ok(history_write_event(
                  history, history_event_of("raised", history_id_a, "ollama", history_noon_ms)),
              history_err);
    assert_ok(history_write_event(history, history_event_of("acting", history_id_a, "ollama",
                                                            history_noon_ms - 5000)),
              history_err);
    assert_ok(
        history_write_event(history, history_event_of("engine-lost", "", "", history_noon_ms + 1)),
        history_err);
    assert_ok(history_write_event(
                  history, history_event_of("healed", history_id_b, "other", history_noon_ms + 2)),
              history_err);
    struct history_heard all = history_hear_events(place, (struct history_filter){.limit = 10});
    assert_string_equal(all.kinds, "raised acting engine-lost healed ");
    assert_string_equal(all.name, "other");
    assert_string_equal(all.outcome, "it came back");
    assert_string_equal(all.numbers, "{\"before\":2147483648,\"after\":9437184}");
    assert_true(all.last.wall_ms == history_noon_ms + 2 && all.last.boottime_s == 12.5);
    struct history_filter by_name = {.container = "ollama", .limit = 10};
    assert_string_equal(history_hear_events(place, by_name).kinds, "raised acting ");
    struct history_filter by_id = {.container = "bbbbbbbbbbbb", .limit = 10};
    assert_string_equal(history_hear_events(place, by_id).kinds, "healed ");
    struct history_filter too_short = {.container = "bbbbbbbbbbb", .limit = 10};
    assert_string_equal(history_hear_events(place, too_short).kinds, "");
    struct history_filter newest = {.limit = 2};
    assert_string_equal(history_hear_events(place, newest).kinds, "engine-lost healed ");
    struct history_filter since = {.since_wall_ms = history_noon_ms, .limit = 10};
    assert_string_equal(history_hear_events(place, since).kinds, "raised engine-lost healed ");
    struct history_filter after = {.after_id = all.first_id + 1, .limit = 10};
    assert_string_equal(history_hear_events(place, after).kinds, "engine-lost healed ");
    after.limit = 1; /* no event between two questions is left out */
    assert_string_equal(history_hear_events(place, after).kinds, "engine-lost ");
    struct history_filter first = {.after_id = -1, .limit = 1};
    assert_string_equal(history_hear_events(place, first).kinds, "raised ");
    keep_history_close(history);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 1}).kinds,
                        "healed ");
}

static void test_events_are_bounded(void **state)
{
    struct place *place = *state;
    enum { AT_ONCE = 1000 };
    struct keep_history *history = history_open(place);
    struct history_event *events = calloc(AT_ONCE, sizeof *events);
    for (size_t i = 0; i < AT_ONCE; i++)
        events[i] = history_event_of("raised", history_id_a, "ollama", history_noon_ms);
    struct history_batch batch = history_batch_at(1);
    batch.events = events;
    batch.n_events = AT_ONCE;
    for (int i = 0; i < HISTORY_EVENTS_MAX / AT_ONCE + 3; i++)
        assert_ok(keep_history_write(history, &batch, &history_err), history_err);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM events"), HISTORY_EVENTS_MAX);
    free(events);
    keep_history_close(history);
}

/* A minute's samples of two containers, the last of them at end_s. */
static int write_minute(struct keep_history *history, double end_s, const char *boot,
                        int64_t wall_shift_ms, double keep_seconds_s)
{
    static const struct history_subject subjects[] = {{history_id_a, "ollama"},
                                                      {history_id_b, "other"}};
    struct history_sample samples[120];
    struct history_minute minutes[2];
    for (unsigned i = 0; i < 120; i++) {
        double at_s = end_s - 59 + i / 2;
        samples[i] = (struct history_sample){.subject = i % 2,
                                             .wall_ms = history_noon_ms + (int64_t)(at_s * 1000) +
                                                        wall_shift_ms,
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
    struct history_batch batch = history_batch_at(end_s);
    batch.now_wall_ms += wall_shift_ms;
    batch.boot_id = boot;
    batch.keep_seconds_s = keep_seconds_s;
    batch.subjects = subjects;
    batch.samples = samples;
    batch.minutes = minutes;
    batch.n_subjects = 2;
    batch.n_samples = 120;
    batch.n_minutes = 2;
    return keep_history_write(history, &batch, &history_err);
}

struct span {
    size_t n;
    struct history_sample first, last;
};

static void span_sample(void *userdata, const struct history_sample *sample)
{
    struct span *span = userdata;
    if (span->n++ == 0)
        span->first = *sample;
    span->last = *sample;
}

static void test_samples_come_back(void **state)
{
    struct place *place = *state;
    struct keep_history *history = history_open(place);
    assert_ok(write_minute(history, 60, "boot-one", 0, HOUR_S), history_err);
    struct span span = {0};
    assert_ok(keep_history_samples(history, history_id_b, 0, span_sample, &span, &history_err),
              history_err);
    assert_int_equal(span.n, 60);
    assert_int_equal(span.first.held, 1001);
    assert_int_equal(span.last.held, 1119);
    assert_int_equal(span.last.page_cache, FACT_UNKNOWN);
    assert_int_equal(span.last.limit, FACT_NONE);
    assert_int_equal(span.last.models, 7);
    assert_true(span.last.cpu_percent == 12.3 && span.last.boottime_s == 60);
    span.n = 0;
    assert_ok(keep_history_samples(history, history_id_b, history_noon_ms + 51000, span_sample,
                                   &span, &history_err),
              history_err);
    assert_int_equal(span.n, 10);
#define OF_A " FROM minutes WHERE container = (SELECT ref FROM containers WHERE name = 'ollama')"
    assert_int_equal(history_number_of(place, "SELECT count(*)" OF_A), 1);
    assert_int_equal(history_number_of(place, "SELECT samples" OF_A), 60);
    assert_int_equal(history_number_of(place, "SELECT held" OF_A), 1118);
    assert_int_equal(history_number_of(place, "SELECT held_max" OF_A), 5000);
    assert_int_equal(history_number_of(place, "SELECT models_max" OF_A), 9);
    assert_int_equal(history_number_of(place, "SELECT cpu_max" OF_A), -1);
    span.n = 0;
    assert_ok(keep_history_samples(history, "unheard-of", 0, span_sample, &span, &history_err),
              history_err);
    assert_int_equal(span.n, 0);
    keep_history_close(history);
}

static void test_seconds_stay_an_hour_minutes_longer(void **state)
{
    struct place *place = *state;
    struct keep_history *history = history_open(place);
    for (int minute = 1; minute <= 90; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, HOUR_S), history_err);
    int64_t rows = history_number_of(place, "SELECT count(*) FROM seconds");
    assert_in_range(rows, 2 * HOUR_S, 2 * HOUR_S + 120);
    assert_int_equal(history_number_of(place, "SELECT min(boottime_s) FROM seconds"), 1800);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM minutes"), 180);
    keep_history_close(history);
}

static void test_clock_that_jumps_costs_little(void **state)
{
    static const int64_t years_ms = INT64_C(10) * 365 * DAY_S * 1000;
    struct place *place = *state;
    struct keep_history *history = history_open(place);
    for (int minute = 1; minute <= 50; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, HOUR_S), history_err);
    /* Within a boot its own clock counts. */
    assert_ok(write_minute(history, 60.0 * 51, "boot-one", years_ms, HOUR_S), history_err);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM seconds"), 51 * 120);
    /* Another boot, far ahead by mistake: what came before goes, but slowly. */
    for (int minute = 1; minute <= 3; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-two", years_ms, HOUR_S), history_err);
    int64_t left = history_number_of(place, "SELECT count(*) FROM seconds");
    assert_in_range(left, 54 * 120 - 3 * (2 * 120 + 64), 54 * 120);
    assert_in_range(history_number_of(place, "SELECT count(*) FROM minutes"), 1, 108);
    /* And back: what is dated in the future does no harm. */
    for (int minute = 4; minute <= 70; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-two", 0, HOUR_S), history_err);
    assert_true(
        history_number_of(place, "SELECT count(*) FROM seconds WHERE wall_ms < 1800000000000") >=
        2 * HOUR_S);
    keep_history_close(history);
}

static void test_bytes_are_bounded(void **state)
{
    enum { SMALL = 4 << 20 };
    struct place *place = *state;
    struct keep_history *history = history_open_bounded(place, SMALL);
    char path[128], wal[128];
    struct stat st, wal_st;
    snprintf(path, sizeof path, "%s/history.db", place->state);
    snprintf(wal, sizeof wal, "%s/history.db-wal", place->state);
    for (int minute = 1; minute <= 1500; minute++) {
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, 30.0 * DAY_S), history_err);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(stat(wal, &wal_st), 0);
        assert_true(st.st_size <= SMALL && wal_st.st_size <= 2 << 20);
    }
    assert_true(history_number_of(place, "SELECT count(*) FROM seconds") < 100000);
    assert_true(history_number_of(place, "SELECT max(boottime_s) FROM seconds") == 90000);
    keep_history_close(history);
    /* A larger one that is to be smaller from now on shrinks, in steps. */
    history = history_open_bounded(place, BOUND);
    for (int minute = 1501; minute <= 3000; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, 30.0 * DAY_S), history_err);
    keep_history_close(history);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size > SMALL);
    history = history_open_bounded(place, SMALL);
    for (int minute = 3001; minute <= 3060; minute++)
        assert_ok(write_minute(history, 60.0 * minute, "boot-one", 0, 30.0 * DAY_S), history_err);
    keep_history_close(history);
    assert_int_equal(stat(path, &st), 0);
    assert_true(st.st_size <= SMALL);
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
