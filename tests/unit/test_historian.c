/* The historian on a loop: how often it samples, minutes; what waits while nothing can be written,
 * and what is told then. */
#include "historian_case.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_one_sample_a_second(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 1);
    begin(stage);
    for (int i = 0; i < 41; i++)
        look(stage, 0.25);
    end(stage);
    const struct place *place = stage->place;
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM seconds"), 11);
    assert_int_equal(history_number_of(place, "SELECT max(held) FROM seconds"), 1000 + 41 * 100);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM seconds WHERE cpu = 10.0"), 10);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM minutes"), 1);
    assert_int_equal(history_number_of(place, "SELECT samples FROM minutes"), 11);
    assert_int_equal(history_number_of(place, "SELECT held_max FROM minutes"), 1000 + 41 * 100);
    assert_int_equal(history_number_of(place, "SELECT held FROM minutes"), 1100 + 20 * 100);
    assert_int_equal(history_number_of(place, "SELECT cpu FROM minutes"), 10);
}

static void test_many_containers_are_sampled_less_often(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 100);
    begin(stage);
    for (int i = 0; i < 41; i++)
        look(stage, 1);
    end(stage);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM seconds"), 11 * 100);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM minutes"), 100);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM containers"), 100);
}

static void died(struct stage *stage, int i)
{
    snprintf(stage->world.containers[0].name, sizeof stage->world.containers[0].name, "one-%d", i);
    historian_note(stage->historian, NOTE_DIED, &stage->world.containers[0], "exited");
}

static void test_events_wait_while_nothing_can_be_written(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 1);
    FILE *file = fopen(stage->place->state, "w"); /* where the directory should be */
    assert_non_null(file);
    fclose(file);
    begin(stage);
    turn(stage);
    assert_int_equal(stage->stopped, 1);
    for (int i = 0; i < 300; i++)
        died(stage, i);
    turn(stage);
    assert_int_equal(stage->stopped, 1); /* once */
    assert_int_equal(unlink(stage->place->state), 0);
    end(stage);
    assert_int_equal(stage->again, 1);
    /* The newest 256 of 302. */
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events"), 256);
    assert_int_equal(
        history_number_of(stage->place, "SELECT count(*) FROM events WHERE kind = 'died'"), 255);
    assert_int_equal(history_number_of(stage->place, "SELECT kind = 'supervisor-ended' FROM events"
                                                     " ORDER BY id DESC LIMIT 1"),
                     1);
}

/* An engine that comes and goes four times a second, and containers that crash as often, under one
 * name and under a new one each time: the history keeps what else happened, and how often it was.
 */
static void test_repetition_does_not_flush_it(void **state)
{
    struct stage *stage = *state;
    struct container *c;
    set_containers(stage, 1);
    c = &stage->world.containers[0];
    begin(stage);
    for (int i = 0; i < 10000; i++) {
        historian_note(stage->historian, i % 2 ? NOTE_ENGINE_BACK : NOTE_ENGINE_LOST, NULL, "");
        snprintf(c->name, sizeof c->name, "crashes");
        historian_note(stage->historian, i % 2 ? NOTE_STARTED : NOTE_DIED, c, "exited");
        died(stage, i);
        if (i % 64 == 63)
            turn(stage);
    }
    snprintf(c->name, sizeof c->name, "neighbour");
    historian_note(stage->historian, NOTE_OLLAMA_LOST, c, "");
    turn(stage);
    end(stage);
    assert_in_range(history_number_of(stage->place, "SELECT count(*) FROM events"), 500, 1200);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events WHERE kind ="
                                                     " 'supervisor-started'"),
                     1);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events WHERE kind ="
                                                     " 'ollama-lost' AND name = 'neighbour'"),
                     1);
    /* Each of the 5,000 times is there, or counted. */
    assert_int_equal(
        history_number_of(stage->place,
                          "SELECT sum(coalesce(json_extract(numbers, '$.repeated'), 1))"
                          " FROM events WHERE kind = 'engine-lost'"),
        5000);
}

static void test_file_that_vanishes_or_breaks_is_begun_anew(void **state)
{
    struct stage *stage = *state;
    char path[128], wal[140];
    set_containers(stage, 1);
    begin(stage);
    turn(stage);
    snprintf(path, sizeof path, "%s/history.db", stage->place->state);
    snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(unlink(path), 0);
    unlink(wal);
    died(stage, 0);
    turn(stage);
    assert_int_equal(stage->stopped, 0);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events"), 1);
    end(stage);

    FILE *file = fopen(path, "r+"); /* its header */
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, file);
    fclose(file);
    unlink(wal);
    begin(stage);
    turn(stage);
    assert_int_equal(stage->set_aside, 1);
    assert_int_equal(stage->stopped, 0);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events"), 1);
    end(stage);
}

#define test(f) cmocka_unit_test_setup_teardown(f, stage_make, stage_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_one_sample_a_second),
        test(test_many_containers_are_sampled_less_often),
        test(test_events_wait_while_nothing_can_be_written),
        test(test_repetition_does_not_flush_it),
        test(test_file_that_vanishes_or_breaks_is_begun_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
