/* One life of a container: uptime, grace, baseline; what ends it; memory that runs out. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "worlds.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- uptime (fact 3) ---- */

static void grace_counts_from_the_start(void **state)
{
    static const struct {
        double uptime_s;
        const char *settings;
        double raised_s; /* a leak from the first look on */
    } cases[] = {
        {3600, NULL, 60},        {31, NULL, 60},
        {30, NULL, 61}, /* longer than the grace, not as long */
        {0, NULL, 91},           {10, NULL, 81},
        {0, "leak.grace=0", 61}, {0, "leak.grace=300s", 361},
        {0, "leak.hold=5s", 36},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        scene_container(&s)->uptime_s = cases[i].uptime_s;
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 500);
        if (raised_s < cases[i].raised_s || raised_s > cases[i].raised_s)
            fail_msg("case %zu: raised at %g", i, raised_s);
        scene_end(&s);
    }
}

/* Where the world does not say it, the main process's start does; wall times never. */
static void uptime_comes_from_the_main_process(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->uptime_s = -1;
    scene_serve(&s)->started_us -= 20 * 1000000; /* 20 s before the scene */
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 200) == 71);
    scene_end(&s);
}

/* ---- baseline (fact 4) ---- */

static void start_seen(struct scene *s)
{
    scene_container(s)->uptime_s = 2;
    scene_look(s);
}

static void set_held(struct scene *s, fact bytes)
{
    scene_leak(s, bytes - process_held(scene_serve(s)));
}

static fact baseline(const struct scene *s)
{
    return scene_assessment(s)->baseline;
}

static void baseline_is_the_low_water_mark(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    set_held(&s, 60 * MIB);
    start_seen(&s);
    assert_int_equal(baseline(&s), 128 * MIB); /* whether it is busy is not known yet */
    scene_step(&s, 10);
    assert_int_equal(baseline(&s), 60 * MIB);
    set_held(&s, 40 * MIB);
    scene_step(&s, 1);
    assert_int_equal(baseline(&s), 40 * MIB);
    set_held(&s, 2 * GIB);
    scene_step(&s, 30);
    assert_int_equal(baseline(&s), 40 * MIB);
    scene_end(&s);
}

static void baseline_has_a_cap(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    set_held(&s, 900 * MIB);
    start_seen(&s);
    scene_step(&s, 20);
    assert_int_equal(baseline(&s), 256 * MIB);
    scene_end(&s);
}

static void baseline_is_learned_in_idle_minutes_only(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct scene s;
        scene_begin(&s, NULL);
        set_held(&s, 60 * MIB);
        if (how == 0)
            scene_list(&s, "m", "sha256-1");
        else if (how == 1)
            scene_add_runner(&s, 200, "sha256-1");
        else if (how == 2)
            s.cpu_percent = 50;
        else
            scene_container(&s)->ollama.reachable = false;
        start_seen(&s);
        scene_step(&s, 60);
        assert_int_equal(baseline(&s), 128 * MIB);
        scene_end(&s);
    }
}

static void baseline_is_learned_for_ten_minutes(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    set_held(&s, 200 * MIB);
    start_seen(&s);
    scene_step(&s, 300);
    scene_list(&s, "m", "sha256-1"); /* an hour in use does not count */
    scene_step(&s, 3600);
    scene_unlist(&s, "m");
    set_held(&s, 150 * MIB);
    scene_step(&s, 100);
    assert_int_equal(baseline(&s), 150 * MIB);
    scene_step(&s, 210);
    set_held(&s, 20 * MIB); /* too late */
    scene_step(&s, 20);
    assert_int_equal(baseline(&s), 150 * MIB);
    scene_end(&s);
}

static void baseline_is_assumed_where_the_start_was_not_seen(void **state)
{
    static const double uptimes_s[] = {31, 3600, -1}; /* -1: unknown, so not seen */
    (void)state;
    for (size_t i = 0; i < sizeof uptimes_s / sizeof uptimes_s[0]; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_container(&s)->uptime_s = uptimes_s[i];
        if (uptimes_s[i] < 0)
            scene_serve(&s)->started_us = FACT_UNKNOWN;
        set_held(&s, 250 * MIB);
        scene_look(&s);
        scene_step(&s, 100);
        assert_int_equal(baseline(&s), 128 * MIB);
        scene_end(&s);
    }
}

/* A recording, or an earlier daemon's world, carries what was learned; the cap holds for it too. */
static void baseline_of_the_world_is_taken(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->baseline = 33 * MIB;
    scene_look(&s);
    assert_int_equal(baseline(&s), 33 * MIB);
    scene_container(&s)->baseline = 25 * GIB;
    scene_step(&s, 1);
    assert_int_equal(baseline(&s), 256 * MIB);
    scene_end(&s);
}

/* ---- another life ---- */

static void new_id(struct container *c)
{
    memset(c->id, 'b', sizeof c->id - 1);
}
static void new_start(struct container *c)
{
    snprintf(c->started_at, sizeof c->started_at, "2026-11-21T04:00:00Z");
}
static void new_inode(struct container *c)
{
    c->cgroup.inode++;
}

static void (*const rebirths[])(struct container *c) = {new_id, new_start, new_inode};

static void new_life_restarts_the_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        scene_step(&s, 50);
        rebirths[i](scene_container(&s));
        scene_step(&s, 1);
        double born_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 200);
        if (raised_s < born_s + 60 || raised_s > born_s + 60)
            fail_msg("rebirth %zu: raised %g s after it", i, raised_s - born_s);
        scene_end(&s);
    }
}

static void new_life_clears_what_was_raised(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        scene_begin(&s, "models.single=on leak.orphan_hold=5s");
        scene_container(&s)->cgroup.limit = FACT_NONE;
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        scene_step(&s, 61);
        scene_add_runner(&s, 200, "sha256-1");
        scene_step(&s, 10);
        assert_true(scene_raised(&s, VERDICT_ORPHAN_RUNNER));
        assert_true(scene_raised(&s, VERDICT_NO_LIMIT));
        rebirths[i](scene_container(&s));
        scene_step(&s, 1);
        for (size_t k = 0; k < s.judgement.n_verdicts; k++) {
            const struct verdict *v = &s.judgement.verdicts[k];
            bool new_one = v->state == VERDICT_SUSPECT;
            assert_true(new_one || (v->state == VERDICT_CLEARED && v->changed));
        }
        /* Under another id nothing can be told of the old one: it is not in the world. */
        assert_int_equal(scene_verdict(&s, VERDICT_NO_LIMIT) != NULL, i != 0);
        const struct verdict *orphan = scene_verdict(&s, VERDICT_ORPHAN_RUNNER);
        assert_int_equal(orphan && orphan->state == VERDICT_CLEARED && orphan->pid == 200, i != 0);
        assert_false(scene_acts(&s));
        scene_end(&s);
    }
}

static void stopping_clears_what_was_raised(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 60);
    assert_true(scene_raised(&s, VERDICT_IDLE_LEAK));
    scene_container(&s)->status = STATUS_EXITED;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_IDLE_LEAK)->state, VERDICT_CLEARED);
    assert_int_equal(scene_assessment(&s)->activity, ACTIVITY_STOPPED);
    scene_step(&s, 1);
    assert_int_equal(s.judgement.n_verdicts, 0);
    scene_end(&s);
}

static void container_that_left_is_forgotten(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 59);
    s.world.n_containers = 0;
    s.now_s += 1;
    s.world.monotonic_s += 1;
    assert_int_equal(judge_look(s.judge, &s.world, &s.judgement), 0);
    assert_int_equal(s.judgement.n_assessments + s.judgement.n_verdicts, 0);
    s.world.n_containers = 1;
    scene_step(&s, 1);
    double back_s = s.now_s;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 200) == back_s + 60);
    scene_end(&s);
}

/* After a remedy the next verdict is earned anew. */
static void holds_are_restarted_after_a_remedy(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 60);
    judge_restart_holds(s.judge, scene_container(&s)->id, "");
    double acted_s = s.now_s;
    scene_step(&s, 10);
    assert_false(scene_raised(&s, VERDICT_IDLE_LEAK));
    double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 200);
    assert_true(raised_s >= acted_s + 60 && raised_s <= acted_s + 62);
    scene_end(&s);
}

/* ---- memory that runs out ---- */

/* A leak, an orphan and a drifted limit: all three are raised in the end, whichever allocation
 * failed on the way; a look that failed is a lost one. */
static void any_allocation_may_fail(void **state)
{
    long failures = 0;
    (void)state;
    for (long at = 0;; at++) {
        struct scene s;
        scene_begin(&s, "memory.limit=6g leak.orphan_hold=3s leak.hold=3s");
        scene_leak(&s, 2 * GIB);
        struct container *c = scene_container(&s);
        struct world *w = &s.world;
        bool lost = false, done = false;
        w->monotonic_s = 1;
        w->time_ms = 1000;
        c->connections = 0;
        fail_malloc = (struct fail_call){at, ENOMEM};
        for (int i = 0; i < 12; i++, w->monotonic_s += 1, w->time_ms += 1000) {
            int r = judge_look(s.judge, w, &s.judgement);
            assert_true(r == 0 || r == -ENOMEM);
            if (r < 0)
                assert_int_equal(s.judgement.n_verdicts + s.judgement.n_assessments, 0);
            lost |= r < 0;
        }
        assert_true(judgement_find(&s.judgement, c->id, VERDICT_IDLE_LEAK) != NULL);
        assert_true(judgement_find(&s.judgement, c->id, VERDICT_LIMIT_DRIFT) != NULL);
        done = fail_malloc.at >= 0; /* all succeeded */
        fail_malloc = NOT_FAILING;
        scene_add_runner(&s, 200, "sha256-1");
        struct process *runner = scene_process(&s, 200);
        runner->clients = 0;
        fail_malloc = (struct fail_call){at, ENOMEM};
        for (int i = 0; i < 12; i++, w->monotonic_s += 1, w->time_ms += 1000)
            assert_int_equal(judge_look(s.judge, w, &s.judgement), 0);
        const struct verdict *v = judgement_find(&s.judgement, c->id, VERDICT_ORPHAN_RUNNER);
        assert_true(v && v->state == VERDICT_RAISED && v->pid == runner->pid);
        done &= fail_malloc.at >= 0;
        fail_malloc = NOT_FAILING;
        failures += lost;
        scene_end(&s);
        if (done)
            break;
    }
    assert_true(failures >= 2); /* the histories and the assessments cannot be done without */
}

/* What could not be written down in the look that changed it is told in the next. */
static void change_is_told_although_memory_ran_out(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->cgroup.limit = FACT_NONE;
    scene_look(&s);
    fail_malloc = (struct fail_call){0, ENOMEM};
    scene_step(&s, 1);
    assert_int_equal(s.judgement.n_verdicts, 0);
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_NO_LIMIT);
    assert_true(v && v->state == VERDICT_RAISED && v->changed);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grace_counts_from_the_start),
        cmocka_unit_test(uptime_comes_from_the_main_process),
        cmocka_unit_test(baseline_is_the_low_water_mark),
        cmocka_unit_test(baseline_has_a_cap),
        cmocka_unit_test(baseline_is_learned_in_idle_minutes_only),
        cmocka_unit_test(baseline_is_learned_for_ten_minutes),
        cmocka_unit_test(baseline_is_assumed_where_the_start_was_not_seen),
        cmocka_unit_test(baseline_of_the_world_is_taken),
        cmocka_unit_test(new_life_restarts_the_hold),
        cmocka_unit_test(new_life_clears_what_was_raised),
        cmocka_unit_test(stopping_clears_what_was_raised),
        cmocka_unit_test(container_that_left_is_forgotten),
        cmocka_unit_test(holds_are_restarted_after_a_remedy),
        cmocka_unit_test(any_allocation_may_fail),
        cmocka_unit_test(change_is_told_although_memory_ran_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
