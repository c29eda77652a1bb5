/* host-pressure, its last resorts: all models, the kill switch, the flush. */
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

static void kill_switch_takes_the_largest_after_three_seconds(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "pressure.action_unload= ");
    for (int i = 1; i < 4; i++)
        pressure_add(&s);
    pressure_container(&s, 0)->cgroup.anon = 4 * GIB;
    pressure_container(&s, 1)->cgroup.anon = 3 * GIB; /* the largest, with its tmpfs */
    pressure_container(&s, 1)->cgroup.shmem = 3 * GIB;
    pressure_container(&s, 2)->cgroup.anon = GIB; /* 9 GiB of it are swapped out */
    pressure_container(&s, 2)->cgroup.swap = 9 * GIB;
    pressure_container(&s, 3)->cgroup.anon = 300 * MIB; /* less than 1 % */
    pressure_use(&s, 98);
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "b:stop");
    const struct verdict *v = pressure_of_container(&s, 1);
    assert_true(v->confirmed && v->severity == SEVERITY_CRITICAL);
    assert_true(verdict_evidence(v, "relief") == (double)(6 * GIB));
    pressure_step(&s, 10); /* it takes its grace: nobody else meanwhile */
    assert_string_equal(pressure_asked(&s), "b:stop");
    pressure_container(&s, 1)->status = STATUS_EXITED;
    for (int i = 0; i < 4; i++) { /* the world is read anew, for three seconds */
        pressure_step(&s, 1);
        assert_string_equal(pressure_asked(&s), "");
    }
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:stop");
    pressure_container(&s, 0)->status = STATUS_EXITED;
    pressure_step(&s, 6);
    assert_string_equal(pressure_asked(&s), "c:stop");
    pressure_container(&s, 2)->status = STATUS_EXITED;
    pressure_step(&s, 60);
    assert_string_equal(pressure_asked(&s), ""); /* what is left relieves nothing */
    scene_end(&s);
}

static void kill_switch_refuses_and_says_why(void **state)
{
    static const struct {
        fact auto_remove, swarm_task;
        const char *why;
    } cases[] = {{1, 0, "--rm"},
                 {FACT_UNKNOWN, 0, "not known"},
                 {0, 1, "Swarm"},
                 {0, FACT_UNKNOWN, "not known"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        pressure_begin(&s, "pressure.action_unload= ");
        pressure_add(&s);
        struct container *c = pressure_container(&s, 0);
        c->auto_remove = cases[i].auto_remove;
        c->swarm_task = cases[i].swarm_task;
        c->cgroup.anon = 8 * GIB;
        pressure_container(&s, 1)->cgroup.anon = 2 * GIB;
        pressure_use(&s, 99);
        pressure_step(&s, 4);
        assert_string_equal(pressure_asked(&s), "b:stop");
        const struct verdict *v = pressure_of_container(&s, 0);
        assert_true(v && v->state == VERDICT_RAISED && v->remedy == REMEDY_NONE);
        if (!strstr(v->why, cases[i].why))
            fail_msg("%s", v->why);
        pressure_use(&s, 97);
        pressure_step(&s, 1);
        assert_null(pressure_of_container(&s, 0));
        assert_null(pressure_of_container(&s, 1));
        scene_end(&s);
    }
}

static void kill_switch_tells_of_a_watched_one_that_is_larger(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "pressure.action_unload= ");
    pressure_add(&s)->mode = MODE_OBSERVE;
    pressure_container(&s, 0)->cgroup.anon = 2 * GIB;
    pressure_container(&s, 1)->cgroup.anon = 8 * GIB;
    pressure_use(&s, 99);
    pressure_step(&s, 4);
    assert_string_equal(pressure_asked(&s), "a:stop b:stop");
    assert_int_equal(pressure_of_container(&s, 1)->mode, MODE_OBSERVE);
    pressure_container(&s, 1)->cgroup.anon = GIB;
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:stop");
    scene_end(&s);
}

static void stop_that_failed_gives_the_next_one_its_turn(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "pressure.action_unload= ");
    pressure_add(&s);
    pressure_container(&s, 0)->cgroup.anon = 8 * GIB;
    pressure_container(&s, 1)->cgroup.anon = 2 * GIB;
    pressure_use(&s, 99);
    pressure_step(&s, 4);
    struct verdict v = *pressure_of_container(&s, 0);
    judge_tell_failed(s.judge, &v, s.world.monotonic_s);
    pressure_step(&s, 5);
    assert_string_equal(pressure_asked(&s), "b:stop");
    scene_end(&s);
}

static void stopped_one_is_told_until_somebody_starts_it(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, NULL);
    pressure_step(&s, 1);
    struct container *c = pressure_container(&s, 0);
    judge_tell_stopped(s.judge, c->id, "another life");
    c->status = STATUS_EXITED;
    pressure_step(&s, 2);
    assert_null(pressure_of_container(&s, 0));
    judge_tell_stopped(s.judge, c->id, c->started_at);
    for (int i = 0; i < 100; i++) {
        pressure_step(&s, 1);
        const struct verdict *v = pressure_of_container(&s, 0);
        assert_true(v && v->state == VERDICT_RAISED && v->severity == SEVERITY_CRITICAL);
        assert_int_equal(v->changed, i == 0);
        assert_int_equal(v->remedy, REMEDY_NONE);
        assert_non_null(strstr(v->why, "docker start a"));
    }
    c->status = STATUS_RUNNING;
    snprintf(c->started_at, sizeof c->started_at, "2026-11-21T09:00:00Z");
    pressure_step(&s, 1);
    assert_null(pressure_of_container(&s, 0));
    assert_int_equal(scene_verdict(&s, VERDICT_HOST_PRESSURE)->state, VERDICT_CLEARED);
    pressure_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_HOST_PRESSURE));
    scene_end(&s);
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
        cmocka_unit_test(kill_switch_takes_the_largest_after_three_seconds),
        cmocka_unit_test(kill_switch_refuses_and_says_why),
        cmocka_unit_test(kill_switch_tells_of_a_watched_one_that_is_larger),
        cmocka_unit_test(stop_that_failed_gives_the_next_one_its_turn),
        cmocka_unit_test(stopped_one_is_told_until_somebody_starts_it),
        cmocka_unit_test(flush_asks_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
