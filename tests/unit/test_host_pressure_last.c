/* host-pressure, its last resorts: all models, the flush. */
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

/* First what is idle and nobody's, everywhere and side by side; then the tiers', then pinned ones,
 * then busy ones. */
static void unload_goes_by_stages(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "supervisor.preset=runbook models.pin=pinned");
    pressure_add(&s);
    pressure_load(&s, 0, "a1", 2 * GIB);
    pressure_load(&s, 0, "a2", 2 * GIB);
    pressure_load(&s, 0, "qwen3:8b", 6 * GIB);
    pressure_load(&s, 1, "b1", 2 * GIB);
    pressure_load(&s, 1, "pinned", 6 * GIB);
    pressure_load(&s, 1, "busy", 6 * GIB);
    pressure_work(&s, "busy", true);
    pressure_settle(&s);
    pressure_use(&s, 95);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:a1 b:b1");
    pressure_unload(&s, 1, "b1");
    pressure_step(&s, 5); /* pinned and busy ones wait for what is idle in the other container */
    assert_string_equal(pressure_asked(&s), "a:a1");
    pressure_unload(&s, 0, "a1");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "a:a2");
    pressure_unload(&s, 0, "a2");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "a:qwen3:8b");
    assert_non_null(strstr(pressure_of_container(&s, 0)->why, "tiers"));
    pressure_unload(&s, 0, "qwen3:8b");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "b:pinned");
    pressure_unload(&s, 1, "pinned");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "b:busy");
    assert_true(pressure_of_container(&s, 1)->confirmed);
    assert_non_null(strstr(pressure_told(&s)->why, "busy"));
    pressure_use(&s, 89);
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    scene_end(&s);
}

static void what_does_not_go_gives_its_turn_to_the_next(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_load(&s, 0, "m2", 5 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 96);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:m1");
    struct verdict v = *pressure_of_container(&s, 0);
    judge_tell_failed(s.judge, &v, s.world.monotonic_s);
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:m2");
    pressure_step(&s, 20); /* nobody tells: it is given up all the same */
    assert_string_equal(pressure_asked(&s), "a:m2");
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 30);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 10); /* a minute after */
    assert_string_equal(pressure_asked(&s), "a:m1");
    scene_end(&s);
}

static void failed_unload_makes_no_other_ladder_climb(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "models.single=on pressure.action_kill_switch= ");
    pressure_load(&s, 0, "m1", 6 * GIB);
    pressure_settle(&s);
    pressure_use(&s, 99);
    pressure_step(&s, 3);
    struct verdict v = *pressure_of_container(&s, 0), other = v;
    judge_tell_failed(s.judge, &v, s.world.monotonic_s);
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "");
    snprintf(other.started_at, sizeof other.started_at, "another life");
    judge_tell_failed(s.judge, &other, s.world.monotonic_s + 1e6);
    pressure_step(&s, 60);
    assert_string_equal(pressure_asked(&s), "a:m1");
    scene_end(&s);
}

/* A ghost holds nothing; a model whose runner nobody can tell goes with the busy ones. */
static void ghosts_stay_and_the_unmatched_go_last(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_load(&s, 0, "ghost", 6 * GIB);
    pressure_load(&s, 0, "twin", 6 * GIB);
    pressure_load(&s, 0, "idle", GIB);
    struct container *c = pressure_container(&s, 0);
    c->processes[1] = c->processes[c->n_processes - 1]; /* the ghost's runner is gone */
    c->n_processes--;
    struct process *second = container_add_process(c); /* twin has two */
    *second = c->processes[2];
    second->pid = 999;
    pressure_settle(&s);
    pressure_use(&s, 96);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "a:idle");
    pressure_unload(&s, 0, "idle");
    pressure_step(&s, 2);
    assert_string_equal(pressure_asked(&s), "a:twin");
    c->ollama.n_models = 1; /* the ghost alone is left */
    c->n_processes = 1;
    pressure_step(&s, 10);
    assert_string_equal(pressure_asked(&s), "");
    scene_end(&s);
}

static void unset_thresholds_ask_for_nothing(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "pressure.action_unload= pressure.action_kill_switch= ");
    pressure_load(&s, 0, "busy", 20 * GIB);
    pressure_work(&s, "busy", true);
    pressure_settle(&s);
    pressure_use(&s, 99.9);
    for (int i = 0; i < 100; i++) {
        pressure_step(&s, 1);
        assert_string_equal(pressure_asked(&s), "");
    }
    assert_int_equal(pressure_told(&s)->severity, SEVERITY_WARNING);
    scene_end(&s);
}

/* A model of 28 GB on a host of 32 GB is what an exclusive container was made for. */
static void beside_an_exclusive_one_bytes_count(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_container(&s, 0)->cgroup.anon = 4 * GIB;
    pressure_load(&s, 0, "m1", GIB);
    pressure_settle(&s);
    pressure_label(&s, 0, "supervisor.exclusive", "true");
    s.world.host.total = 32 * GIB;
    s.world.host.available = 520 * MIB; /* 98.4 % */
    pressure_step(&s, 10);
    assert_string_equal(pressure_asked(&s), "");
    s.world.host.available = 500 * MIB;
    pressure_step(&s, 10);
    assert_string_equal(pressure_asked(&s), "a:m1");
    s.world.host.available = 250 * MIB;
    pressure_step(&s, 10);
    assert_non_null(strstr(pressure_asked(&s), "a:stop"));
    scene_end(&s);
}

/* It keeps its memory while it is paused; what has ended gave it back. */
static void exclusive_one_that_is_paused_still_counts(void **state)
{
    static const struct {
        enum container_status status;
        const char *asked;
    } cases[] = {{STATUS_RUNNING, ""},    {STATUS_PAUSED, ""},       {STATUS_UNKNOWN, ""},
                 {STATUS_RESTARTING, ""}, {STATUS_REMOVING, ""},     {STATUS_EXITED, "b:stop"},
                 {STATUS_DEAD, "b:stop"}, {STATUS_CREATED, "b:stop"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        pressure_begin(&s, NULL);
        pressure_add(&s)->cgroup.anon = 2 * GIB;
        pressure_label(&s, 0, "supervisor.exclusive", "true");
        pressure_settle(&s);
        pressure_container(&s, 0)->status = cases[i].status;
        s.world.host.total = 32 * GIB;
        s.world.host.available = 520 * MIB; /* 98.4 % */
        pressure_step(&s, 6);
        if (strcmp(pressure_asked(&s), cases[i].asked))
            fail_msg("%s: %s", container_status_name(cases[i].status), pressure_asked(&s));
        scene_end(&s);
    }
}

static void flush_asks_at_once(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "supervisor.preset=router models.single=off");
    pressure_add(&s);
    pressure_add(&s)->mode = MODE_OBSERVE;
    pressure_load(&s, 0, "m1", GIB);
    pressure_load(&s, 0, "m2", GIB);
    pressure_load(&s, 2, "m3", GIB);
    pressure_settle(&s);
    pressure_use(&s, 98.9);
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    pressure_use(&s, 99);
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:flush c:flush");
    assert_true(pressure_of_container(&s, 0)->confirmed);
    assert_int_equal(pressure_of_container(&s, 2)->mode, MODE_OBSERVE);
    pressure_use(&s, 98.5);
    pressure_step(&s, 1);
    assert_null(strstr(pressure_asked(&s), "flush"));
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unload_goes_by_stages),
        cmocka_unit_test(what_does_not_go_gives_its_turn_to_the_next),
        cmocka_unit_test(failed_unload_makes_no_other_ladder_climb),
        cmocka_unit_test(ghosts_stay_and_the_unmatched_go_last),
        cmocka_unit_test(unset_thresholds_ask_for_nothing),
        cmocka_unit_test(beside_an_exclusive_one_bytes_count),
        cmocka_unit_test(exclusive_one_that_is_paused_still_counts),
        cmocka_unit_test(flush_asks_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
