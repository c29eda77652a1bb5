/* host-pressure: what is told of the host, and one pass over idle models. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "pressure_case.h"
#include <stdio.h>
#include <string.h>

static void told_from_the_third_look_on(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_settle(&s);
    pressure_use(&s, 79.9);
    pressure_step(&s, 10);
    assert_null(pressure_told(&s));
    pressure_use(&s, 80);
    pressure_step(&s, 2);
    assert_null(pressure_told(&s));
    pressure_step(&s, 1);
    const struct verdict *v = pressure_told(&s);
    assert_true(v && v->state == VERDICT_RAISED && v->changed);
    assert_int_equal(v->severity, SEVERITY_WARNING);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_true(verdict_evidence(v, "in_use") >= 79.9 && verdict_evidence(v, "in_use") < 80.1);
    assert_true(verdict_evidence(v, "held") == (double)(10 * MIB));
    assert_true(verdict_evidence(v, "total") == (double)(32 * GIB));
    scene_end(&s);
}

static void does_not_come_and_go_at_the_edge(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_use(&s, 81);
    pressure_step(&s, 3);
    assert_non_null(pressure_told(&s));
    pressure_use(&s, 75.1);
    for (int i = 0; i < 60; i++) {
        pressure_step(&s, 1);
        assert_true(pressure_told(&s) && !pressure_told(&s)->changed);
    }
    pressure_use(&s, 74.9);
    pressure_step(&s, 1);
    assert_null(pressure_told(&s));
    assert_int_equal(scene_verdict(&s, VERDICT_HOST_PRESSURE)->state, VERDICT_CLEARED);
    scene_end(&s);
}

static void critical_is_told_once_more(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_use(&s, 85);
    pressure_step(&s, 4);
    pressure_use(&s, 95);
    pressure_step(&s, 1);
    const struct verdict *v = pressure_told(&s);
    assert_true(v && v->changed);
    assert_int_equal(v->severity, SEVERITY_CRITICAL);
    pressure_step(&s, 1);
    assert_false(pressure_told(&s)->changed);
    pressure_use(&s, 93); /* a swing is not told again */
    pressure_step(&s, 1);
    assert_int_equal(pressure_told(&s)->severity, SEVERITY_WARNING);
    pressure_use(&s, 96);
    pressure_step(&s, 1);
    assert_false(pressure_told(&s)->changed);
    pressure_use(&s, 89);
    pressure_step(&s, 1);
    pressure_use(&s, 96);
    pressure_step(&s, 1);
    assert_true(pressure_told(&s)->changed);
    scene_end(&s);
}

static void unknown_memory_asks_for_nothing(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "pressure.action_flush=99");
    pressure_load(&s, 0, "m", 4 * GIB);
    pressure_use(&s, -1);
    pressure_step(&s, 60);
    assert_null(scene_verdict(&s, VERDICT_HOST_PRESSURE));
    pressure_use(&s, 96);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m");
    pressure_use(&s, -1); /* what stands stays, and is not confirmed */
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:m");
    assert_false(pressure_of_container(&s, 0)->confirmed);
    assert_string_equal(pressure_told(&s)->missing, "the host's available memory");
    pressure_step(&s, 10); /* for long it asks for nothing */
    assert_string_equal(pressure_asked(&s), "");
    pressure_use(&s, 96);
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:m");
    scene_end(&s);
}

static void gap_begins_every_hold_anew(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "m", 4 * GIB);
    pressure_use(&s, 99);
    pressure_step(&s, 4);
    assert_string_equal(pressure_asked(&s), "a:stop");
    scene_pass(&s, 60);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "a:stop");
    s.wall_offset_ms = -3600000;
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    scene_end(&s);
}

/* The order of a pass: priority first, then the models' own; each only when the one before has
 * gone and the host was read again. */
static void pass_goes_one_by_one_in_order(void **state)
{
    static const struct {
        size_t at;
        const char *model;
        fact size;
    } order[] = {{2, "low-small", GIB},
                 {1, "large-1", 8 * GIB},
                 {0, "large-2", 6 * GIB},
                 {0, "small", 2 * GIB}};
    struct scene s;
    (void)state;
    pressure_begin(&s, "supervisor.preset=runbook models.pin=pinned");
    pressure_add(&s);
    pressure_add(&s);
    pressure_label(&s, 1, "supervisor.priority", "normal");
    pressure_label(&s, 2, "supervisor.priority", "low");
    pressure_load(&s, 0, "small", 2 * GIB);
    pressure_load(&s, 0, "large-2", 6 * GIB);
    pressure_load(&s, 0, "pinned", 6 * GIB);
    pressure_load(&s, 1, "large-1", 8 * GIB);
    pressure_load(&s, 1, "busy", 9 * GIB);
    pressure_load(&s, 1, "qwen3:8b", 9 * GIB); /* of a tier */
    pressure_load(&s, 2, "low-small", GIB);
    pressure_work(&s, "busy", true);
    pressure_settle(&s);
    pressure_use(&s, 92);
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 1);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
        char wanted[64] = {(char)('a' + order[i].at), ':', 0};
        snprintf(wanted + 2, sizeof wanted - 2, "%s", order[i].model);
        assert_string_equal(pressure_asked(&s), wanted);
        const struct verdict *v = pressure_of_container(&s, order[i].at);
        assert_true(v->confirmed && fact_known(v->pid));
        assert_true(verdict_evidence(v, "runner") == (double)order[i].size);
        pressure_step(&s, 3);
        assert_string_equal(pressure_asked(&s), wanted);
        pressure_unload(&s, order[i].at, order[i].model);
        pressure_step(&s, 1); /* the look that finds it gone */
        assert_string_equal(pressure_asked(&s), "");
        pressure_step(&s, 1);
    }
    pressure_step(&s, 20);
    assert_string_equal(pressure_asked(&s), "");
    assert_true(verdict_evidence(pressure_told(&s), "models") == 0);
    scene_end(&s);
}

static void tie_goes_to_the_one_used_longest_ago(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_add(&s);
    pressure_load(&s, 0, "used", 6 * GIB);
    pressure_load(&s, 1, "unused", 6 * GIB);
    pressure_settle(&s);
    pressure_work(&s, "used", true);
    pressure_step(&s, 2);
    pressure_work(&s, "used", false);
    pressure_step(&s, 10);
    pressure_use(&s, 91);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "b:unused");
    scene_end(&s);
}

static void pass_ends_as_soon_as_it_is_below(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_load(&s, 0, "m2", 6 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 90);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m1");
    pressure_use(&s, 89.9);
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    pressure_use(&s, 93); /* the next pass begins a minute after the last one did */
    for (double end_s = s.now_s + 58; s.now_s < end_s;) {
        pressure_step(&s, 1);
        assert_string_equal(pressure_asked(&s), "");
    }
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m1");
    scene_end(&s);
}

static void passes_of_strict15g_come_twice_as_often(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "supervisor.preset=strict15g models.single=off");
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_work(&s, "m1", true);
    pressure_settle(&s);
    pressure_use(&s, 91);
    pressure_step(&s, 4); /* nothing is idle: that pass is over */
    pressure_work(&s, "m1", false);
    pressure_step(&s, 27);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m1");
    scene_end(&s);
}

static void model_that_begins_to_work_stays(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_load(&s, 0, "m2", 5 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 91);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m1");
    pressure_work(&s, "m1", true);
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:m2");
    scene_end(&s);
}

/* A supervisor that has just started knows nobody's use yet: its first pass waits for that. */
/* Its client reads slowly, or it hangs: that its runner computes nothing does not make it idle. */
static void model_with_a_request_stays(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_load(&s, 0, "m2", 2 * GIB);
    pressure_settle(&s);
    scene_process(&s, 200)->cpu_us += 500000; /* m1's begins after a rest, and does not end */
    pressure_step(&s, 12);
    pressure_use(&s, 91);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m2");
    scene_end(&s);
}

static void pass_waits_until_rest_is_known(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_use(&s, 91);
    scene_look(&s);
    pressure_step(&s, 4);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "a:m1");
    scene_end(&s);
}

static void tiers_go_after_thirty_minutes_at_critical(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "supervisor.preset=runbook pressure.action_unload= ");
    pressure_load(&s, 0, "qwen3:8b", 6 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 96);
    while (!*pressure_asked(&s) && s.now_s < 2000)
        pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:qwen3:8b");
    assert_true(s.now_s >= 1800 && s.now_s <= 1860); /* with the next pass */
    scene_end(&s);
}

static void exclusive_container_keeps_its_model_in_a_pass(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_label(&s, 0, "supervisor.exclusive", "true");
    pressure_load(&s, 0, "large", 27 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 94);
    pressure_step(&s, 130); /* two passes */
    assert_string_equal(pressure_asked(&s), "");
    pressure_use(&s, 95);
    pressure_step(&s, 30); /* beside it bytes count */
    assert_string_equal(pressure_asked(&s), "");
    pressure_use(&s, 99);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:large");
    scene_end(&s);
}

static void watched_containers_are_told_of_and_hold_nobody_up(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_add(&s)->mode = MODE_OBSERVE;
    pressure_load(&s, 0, "m1", 2 * GIB);
    pressure_load(&s, 0, "m2", GIB);
    pressure_load(&s, 1, "watched", 8 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 91);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "b:watched a:m1");
    assert_int_equal(pressure_of_container(&s, 1)->mode, MODE_OBSERVE);
    pressure_unload(&s, 0, "m1");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "b:watched a:m2");
    for (int i = 0; i < 40; i++) { /* it stands, and is not told again and again */
        pressure_step(&s, 1);
        assert_true(pressure_of_container(&s, 1) && !pressure_of_container(&s, 1)->changed);
    }
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_from_the_third_look_on),
        cmocka_unit_test(does_not_come_and_go_at_the_edge),
        cmocka_unit_test(critical_is_told_once_more),
        cmocka_unit_test(unknown_memory_asks_for_nothing),
        cmocka_unit_test(gap_begins_every_hold_anew),
        cmocka_unit_test(pass_goes_one_by_one_in_order),
        cmocka_unit_test(tie_goes_to_the_one_used_longest_ago),
        cmocka_unit_test(pass_ends_as_soon_as_it_is_below),
        cmocka_unit_test(passes_of_strict15g_come_twice_as_often),
        cmocka_unit_test(model_that_begins_to_work_stays),
        cmocka_unit_test(model_with_a_request_stays),
        cmocka_unit_test(pass_waits_until_rest_is_known),
        cmocka_unit_test(tiers_go_after_thirty_minutes_at_critical),
        cmocka_unit_test(exclusive_container_keeps_its_model_in_a_pass),
        cmocka_unit_test(watched_containers_are_told_of_and_hold_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
