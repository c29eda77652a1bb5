/* host-pressure: the kill switch, and whom it waits for. */
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

/* A person's `docker stop`, or our restart: what comes back is seen before another one is chosen.
 */
static void who_is_being_stopped_is_waited_for(void **state)
{
    struct scene s;
    (void)state;
    pressure_begin(&s, "pressure.action_unload= ");
    for (int i = 1; i < 3; i++)
        pressure_add(&s);
    const struct container *b = pressure_container(&s, 1);
    pressure_container(&s, 0)->cgroup.anon = 4 * GIB;
    pressure_container(&s, 1)->cgroup.anon = 3 * GIB;
    pressure_step(&s, 1);
    judge_tell_stopping(s.judge, b->id, true);
    pressure_use(&s, 99);
    pressure_step(&s, 30);
    assert_string_equal(pressure_asked(&s), "");
    judge_tell_stopping(s.judge, b->id, false); /* it did not go, and its time is over */
    pressure_step(&s, 3);
    assert_string_equal(pressure_asked(&s), "");
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "a:stop");
    judge_tell_stopping(s.judge, b->id, true); /* once more, before a was told */
    pressure_step(&s, 1);
    assert_string_equal(pressure_asked(&s), "");
    pressure_container(&s, 1)->status = STATUS_EXITED; /* what is gone is waited for no more */
    pressure_step(&s, 4);
    assert_string_equal(pressure_asked(&s), "a:stop");
    judge_tell_stopping(s.judge, pressure_container(&s, 0)->id, true); /* our own goes on */
    pressure_container(&s, 1)->status = STATUS_RUNNING;
    pressure_step(&s, 10);
    assert_string_equal(pressure_asked(&s), "a:stop");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kill_switch_takes_the_largest_after_three_seconds),
        cmocka_unit_test(kill_switch_refuses_and_says_why),
        cmocka_unit_test(kill_switch_tells_of_a_watched_one_that_is_larger),
        cmocka_unit_test(stop_that_failed_gives_the_next_one_its_turn),
        cmocka_unit_test(who_is_being_stopped_is_waited_for),
        cmocka_unit_test(stopped_one_is_told_until_somebody_starts_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
