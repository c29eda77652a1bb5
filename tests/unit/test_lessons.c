/* What the history learns of models: footprints, each a load's, and uses. */
#include "history_case.h"
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

static void test_models_are_learned(void **state)
{
    struct keep_history *history = history_open(*state);
    struct history_footprint f = {.digest = history_id_a,
                                  .context = 4096,
                                  .parallel = 2,
                                  .kv_type = "q8_0",
                                  .version = "0.33.0",
                                  .model = "qwen3:8b",
                                  .held = 5000,
                                  .last_wall_ms = history_noon_ms,
                                  .pid = 7,
                                  .started_us = 100};
    struct history_use use = {
        .model = "qwen3:8b", .loads = 1, .last_used_wall_ms = history_noon_ms};
    struct history_batch batch = history_batch_at(1);
    batch.footprints = &f;
    batch.uses = &use;
    batch.n_footprints = batch.n_uses = 1;
    assert_ok(keep_history_write(history, &batch, &history_err), history_err);
    f.held = 4000; /* another load, with less on top */
    f.pid = 8;
    f.last_wall_ms = history_noon_ms + 1;
    use.last_used_wall_ms = 0; /* loaded, not used yet */
    assert_ok(keep_history_write(history, &batch, &history_err), history_err);
    f.held = f.seen = use.loads = 0;
    assert_ok(keep_history_footprint(history, &f, &history_err), history_err);
    assert_int_equal(f.held, 4000);
    assert_int_equal(f.seen, 2);
    assert_int_equal(f.last_wall_ms, history_noon_ms + 1);
    assert_ok(keep_history_use(history, &use, &history_err), history_err);
    assert_int_equal(use.loads, 2);
    assert_int_equal(use.last_used_wall_ms, history_noon_ms);
    /* A copy has the same, and needs no file. */
    struct keep_history *copy = NULL;
    assert_ok(keep_history_read(((struct place *)*state)->state, true, &copy, &history_err),
              history_err);
    keep_history_close(history);
    history = copy;
    char path[160];
    snprintf(path, sizeof path, "%s/history.db", ((struct place *)*state)->state);
    assert_int_equal(unlink(path), 0);
    f.held = 0;
    assert_ok(keep_history_footprint(history, &f, &history_err), history_err);
    assert_int_equal(f.held, 4000);
    assert_int_equal(keep_history_last_used_ms(history, "qwen3:8b"), history_noon_ms);
    struct history_footprint others[] = {f, f, f, f};
    others[0].context = 8192;
    others[1].version = "0.33.1";
    others[2].gpu = true;
    others[3].parallel = FACT_UNKNOWN;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(keep_history_footprint(history, &others[i], &history_err), -ENOENT);
    use.model = "other";
    assert_int_equal(keep_history_use(history, &use, &history_err), -ENOENT);
    keep_history_close(history);
    assert_int_equal(keep_history_read(((struct place *)*state)->state, true, &copy, &history_err),
                     -ENOENT);
}

static void write_use(struct keep_history *history, int64_t wall_ms, int64_t used_ms)
{
    struct history_use use = {.model = "m", .last_used_wall_ms = used_ms};
    struct history_batch batch = history_batch_at(1);
    batch.now_wall_ms = wall_ms;
    batch.uses = &use;
    batch.n_uses = 1;
    assert_ok(keep_history_write(history, &batch, &history_err), history_err);
}

/* The later one, in whatever order they come; but none of a time to come. */
static void test_last_use_goes_forward(void **state)
{
    struct keep_history *history = history_open(*state);
    write_use(history, history_noon_ms, history_noon_ms - 1000);
    write_use(history, history_noon_ms, history_noon_ms - 60000); /* in another container */
    assert_int_equal(keep_history_last_used_ms(history, "m"), history_noon_ms - 1000);
    write_use(history, history_noon_ms - 3600000, history_noon_ms - 3600000 - 2000);
    assert_int_equal(keep_history_last_used_ms(history, "m"), history_noon_ms - 3600000);
    keep_history_close(history);
}

/* What was used longest ago goes first, however often it is written. */
static void test_last_uses_are_bounded(void **state)
{
    static struct history_last_use rows[HISTORY_MODELS_MAX + 8];
    enum { ROWS = sizeof rows / sizeof *rows };
    struct keep_history *history = history_open(*state);
    struct history_batch batch = history_batch_at(1);
    for (size_t i = 0; i < ROWS; i++) {
        rows[i].use.from_s = rows[i].use.to_s = (double)(ROWS - i); /* the newest comes first */
        snprintf(rows[i].use.model, sizeof rows[i].use.model, "m%zu", i);
        snprintf(rows[i].container, sizeof rows[i].container, "%s", history_id_a);
    }
    batch.last_uses = rows;
    batch.n_last_uses = ROWS;
    assert_ok(keep_history_write(history, &batch, &history_err), history_err);
    assert_int_equal(history_number_of(*state, "SELECT min(to_s) FROM last_uses"), 9);
    assert_int_equal(history_number_of(*state, "SELECT max(to_s) FROM last_uses"), ROWS);
    keep_history_close(history);
}

static void write_lesson(struct keep_history *history, struct history_footprint *f, fact pid,
                         fact held)
{
    struct history_batch batch = history_batch_at(1);
    f->pid = pid;
    f->held = held;
    batch.footprints = f;
    batch.n_footprints = 1;
    assert_ok(keep_history_write(history, &batch, &history_err), history_err);
}

/* The last eight loads count; what a runner taught is taken back, and nothing else with it. */
static void test_lessons_go_and_are_taken_back(void **state)
{
    struct keep_history *history = history_open(*state);
    struct history_footprint f = {.digest = history_id_a,
                                  .context = 4096,
                                  .parallel = FACT_UNKNOWN,
                                  .kv_type = "f16",
                                  .version = "0.24.0",
                                  .model = "m",
                                  .started_us = 100};
    write_lesson(history, &f, 1, 100);
    f.version = "0.33.0";
    for (fact pid = 2; pid < 11; pid++)
        write_lesson(history, &f, pid, 1000 + pid);
    assert_ok(keep_history_footprint(history, &f, &history_err), history_err);
    assert_true(f.held == 1003 && f.seen == 8);
    write_lesson(history, &f, 3, FACT_UNKNOWN);
    write_lesson(history, &f, 99, FACT_UNKNOWN); /* which taught nothing */
    assert_ok(keep_history_footprint(history, &f, &history_err), history_err);
    assert_true(f.held == 1004 && f.seen == 7);
    for (fact pid = 4; pid < 11; pid++)
        write_lesson(history, &f, pid, FACT_UNKNOWN);
    assert_int_equal(keep_history_footprint(history, &f, &history_err), -ENOENT);
    f.version = "0.24.0";
    assert_ok(keep_history_footprint(history, &f, &history_err), history_err);
    assert_int_equal(f.held, 100);
    keep_history_close(history);
}

/* As the first schema left it: who only reads it learns nothing and is not disturbed; what happened
 * and how often models were used stay, what was learned goes. */
static void test_the_first_schema_is_led_on(void **state)
{
    struct place *place = *state;
    struct keep_history *history = history_open(place), *copy = NULL;
    assert_ok(history_write_event(history, history_event_of("found", history_id_a, "one", 1)),
              history_err);
    keep_history_close(history);
    char path[160];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/history.db", place->state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "DROP TABLE last_uses; DROP VIEW footprints; DROP TABLE lessons; CREATE TABLE "
                     "footprints ("
                     " digest TEXT NOT NULL, context INTEGER NOT NULL, parallel INTEGER NOT NULL,"
                     " kv_type TEXT NOT NULL, model TEXT NOT NULL, held INTEGER NOT NULL,"
                     " seen INTEGER NOT NULL, last_wall_ms INTEGER NOT NULL,"
                     " UNIQUE (digest, context, parallel, kv_type));"
                     "INSERT INTO footprints VALUES ('d', 1, -1, 'f16', 'm', 5, 1, 1);"
                     "INSERT INTO uses VALUES ('m', 4, 9); PRAGMA user_version = 1",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    struct history_footprint f = {
        .digest = "d", .context = 1, .parallel = -1, .kv_type = "f16", .version = "", .model = "m"};
    struct history_use use = {.model = "m"};
    assert_ok(keep_history_read(place->state, true, &copy, &history_err), history_err);
    assert_int_equal(keep_history_footprint(copy, &f, &history_err), -ENOENT);
    assert_ok(keep_history_use(copy, &use, &history_err), history_err);
    assert_int_equal(use.loads, 4);
    keep_history_close(copy);
    history = history_open_reader(place);
    assert_int_equal(keep_history_footprint(history, &f, &history_err), -ENOENT);
    assert_ok(keep_history_use(history, &use, &history_err), history_err);
    keep_history_close(history);
    /* A command takes down what it did, and leaves the schema to the daemon. */
    history = history_open(place);
    assert_ok(history_write_event(history, history_event_of("found", history_id_a, "two", 2)),
              history_err);
    keep_history_close(history);
    assert_int_equal(history_number_of(place, "PRAGMA user_version"), 1);
    assert_ok(keep_history_open(place->state, true, 64 * 1024 * 1024, &history, &history_err),
              history_err);
    assert_int_equal(keep_history_footprint(history, &f, &history_err), -ENOENT);
    write_lesson(history, &f, 1, 100);
    assert_ok(keep_history_footprint(history, &f, &history_err), history_err);
    keep_history_close(history);
    assert_int_equal(history_number_of(place, "PRAGMA user_version"), 3);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM events"), 2);
    assert_int_equal(history_number_of(place, "SELECT loads FROM uses"), 4);
}

#define test(f) cmocka_unit_test_setup_teardown(f, place_make, place_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_models_are_learned),         test(test_lessons_go_and_are_taken_back),
        test(test_the_first_schema_is_led_on), test(test_last_use_goes_forward),
        test(test_last_uses_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
