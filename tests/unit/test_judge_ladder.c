/* The ladder of growth-leak: one step after the other, each only while all of its conditions hold.
 */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "growth_scene.h"
#include "judge/kinds.h"
#include <stdio.h>
#include <string.h>

#define B "sha256-bbbb"

static const struct verdict *leak(const struct scene *s)
{
    return scene_verdict(s, VERDICT_GROWTH_LEAK);
}

static enum remedy remedy_of(const struct scene *s)
{
    const struct verdict *v = leak(s);
    return v ? v->remedy : REMEDY_NONE;
}

/* The runner has grown until the limit is near, and rests now; its leak is raised. */
static void runner_begin(struct scene *s)
{
    growth_begin(s, NULL, "0.24.0", NULL);
    assert_true(growth_until(s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB) > 0);
    scene_step(s, 11); /* at rest, before the limit is near */
    scene_container(s)->cgroup.limit = scene_assessment(s)->held + 8 * MIB;
    scene_step(s, 2);
}

/* The remedy of the last look was not enough. */
static void failed(struct scene *s)
{
    struct verdict v = *leak(s);
    judge_tell_failed(s->judge, &v, s->world.monotonic_s);
    scene_step(s, 1);
}

static void ladders_of_the_table(void **state)
{
    (void)state;
    assert_int_equal(kind_next(VERDICT_GROWTH_LEAK, REMEDY_UNLOAD), REMEDY_KILL_RUNNER);
    assert_int_equal(kind_next(VERDICT_GROWTH_LEAK, REMEDY_KILL_RUNNER), REMEDY_RESTART);
    assert_int_equal(kind_next(VERDICT_GROWTH_LEAK, REMEDY_RESTART), REMEDY_NONE);
    assert_int_equal(kind_next(VERDICT_UNREACHABLE, REMEDY_WAIT), REMEDY_RESTART);
    assert_int_equal(kind_next(VERDICT_UNREACHABLE, REMEDY_RESTART), REMEDY_NONE);
    assert_int_equal(kind_next(VERDICT_STUCK_STOPPING, REMEDY_KILL_RUNNER), REMEDY_NONE);
    assert_int_equal(kind_next(VERDICT_OVERSIZE_MODEL, REMEDY_UNLOAD), REMEDY_NONE);
    assert_int_equal(kind_next(VERDICT_LIMIT_DRIFT, REMEDY_LIMIT), REMEDY_NONE);
    assert_int_equal(kind_next(VERDICT_HOST_PRESSURE, REMEDY_UNLOAD), REMEDY_NONE);
}

static void climbs_where_a_step_was_not_enough(void **state)
{
    static const enum remedy steps[] = {REMEDY_UNLOAD, REMEDY_KILL_RUNNER, REMEDY_RESTART};
    struct scene s;
    (void)state;
    runner_begin(&s);
    double since_s = leak(&s)->since_s;
    for (int i = 0; i < 3; i++) {
        scene_step(&s, 8);
        const struct verdict *v = leak(&s);
        assert_int_equal(v->remedy, steps[i]);
        assert_int_equal(v->failed, i ? steps[i - 1] : REMEDY_NONE);
        assert_int_equal(v->pid, 200);
        assert_true(v->since_s >= since_s && v->since_s <= since_s); /* no hold began anew */
        s.connections_always = true;                                 /* the fresh look */
        scene_step(&s, 1);
        s.connections_always = false;
        assert_true(leak(&s)->confirmed);
        failed(&s);
        if (i < 2) { /* the next one at once, told as a change */
            assert_int_equal(remedy_of(&s), steps[i + 1]);
            assert_true(leak(&s)->changed);
        }
    }
    assert_int_equal(remedy_of(&s), REMEDY_NONE);
    assert_true(scene_raised(&s, VERDICT_GROWTH_LEAK));
    scene_end(&s);
}

static void below_the_limit(struct scene *s)
{
    scene_container(s)->cgroup.limit = scene_assessment(s)->held * 100 / 94;
}
static void connected(struct scene *s)
{
    s->connections = 1;
}
static void connections_unknown(struct scene *s)
{
    s->connections_never = true;
}
static void works(struct scene *s)
{
    s->cpu_percent = 30;
}
static void no_child(struct scene *s)
{
    scene_process(s, 200)->ppid = 1;
}
static void in_state_d(struct scene *s)
{
    scene_process(s, 200)->state = 'D';
}
static void other_loads(struct scene *s)
{
    scene_add_runner(s, 201, B);
}

/* Whatever the step: what no longer holds ends the climb. */
static void any_condition_ends_it(void **state)
{
    static const struct {
        void (*change)(struct scene *s);
        bool stops[3]; /* unload, kill-runner, restart */
        const char *what;
    } cases[] = {
        {below_the_limit, {true, true, true}, "below the limit"},
        {connected, {true, true, true}, "connected"},
        {connections_unknown, {true, true, true}, "connections unknown"},
        {works, {true, true, true}, "works"},
        {no_child, {false, true, true}, "no child"},
        {in_state_d, {false, true, true}, "state D"},
        {other_loads, {false, false, true}, "another loads"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int step = 0; step < 3; step++) {
            struct scene s;
            runner_begin(&s);
            for (int k = 0; k < step; k++)
                failed(&s);
            assert_int_not_equal(remedy_of(&s), REMEDY_NONE);
            cases[i].change(&s);
            bool acted = false;
            for (int k = 0; k < 20; k++) {
                scene_step(&s, 1);
                if (cases[i].change == other_loads)
                    scene_process(&s, 201)->rss_anon += 2 * MIB;
                acted |= k > 12 && remedy_of(&s) != REMEDY_NONE;
            }
            if (acted == cases[i].stops[step])
                fail_msg("%s, step %d: %s", cases[i].what, step, acted ? "acted" : "did not act");
            scene_end(&s);
        }
}

/* A person restarted it, or the model was loaded anew: nothing of the climb is left. */
static void forgotten_with_its_subject(void **state)
{
    (void)state;
    for (int life = 0; life < 2; life++) {
        struct scene s;
        runner_begin(&s);
        failed(&s);
        assert_int_equal(remedy_of(&s), REMEDY_KILL_RUNNER);
        struct container *c = scene_container(&s);
        fact held = scene_process(&s, 200)->rss_anon;
        if (life) {
            snprintf(c->started_at, sizeof c->started_at, "2026-11-21T13:00:00Z");
        } else {
            scene_remove_process(&s, 200);
            scene_add_process(&s, 202, PROCESS_RUNNER, held - 700 * MIB);
            snprintf(scene_process(&s, 202)->blob, sizeof scene_process(&s, 202)->blob,
                     GROWTH_BLOB);
        }
        scene_step(&s, 1);
        assert_false(scene_raised(&s, VERDICT_GROWTH_LEAK));
        assert_false(scene_acts(&s));
        scene_step(&s, 60);
        assert_false(scene_acts(&s));
        scene_end(&s);
    }
}

/* ---- the server ---- */

static const fact serve_grows = 3 * MIB;

/* The server has grown by more than the threshold beside a loaded model; the limit is near. */
static void serve_begin(struct scene *s, fact per_look)
{
    growth_begin(s, NULL, "0.33.0", NULL);
    for (int i = 0; i < 620; i++) {
        scene_leak(s, per_look);
        scene_step(s, 1);
    }
    assert_true(scene_raised(s, VERDICT_GROWTH_LEAK));
    scene_container(s)->cgroup.limit = scene_assessment(s)->held + 8 * MIB;
}

static void server_is_restarted(void **state)
{
    struct scene s;
    (void)state;
    serve_begin(&s, serve_grows);
    scene_step(&s, 8);
    const struct verdict *v = leak(&s);
    assert_int_equal(v->remedy, REMEDY_RESTART);
    assert_true(v->pid < 0 && !v->model[0]);
    /* What should come back can be told from it. */
    assert_true(verdict_evidence(v, "serve") - verdict_evidence(v, "baseline") > 1.0 * (double)GIB);
    failed(&s);
    assert_int_equal(remedy_of(&s), REMEDY_NONE);
    scene_end(&s);
}

static void grows_again(struct scene *s)
{
    scene_process(s, 200)->rss_anon += 2 * MIB;
}

static void server_is_only_told(void **state)
{
    static void (*const changes[])(struct scene *s) = {below_the_limit, connected,
                                                       connections_unknown, works, grows_again};
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct scene s;
        serve_begin(&s, serve_grows);
        for (int k = 0; k < 30; k++) {
            if (k == 0 || changes[i] == grows_again)
                changes[i](&s);
            scene_step(&s, 1);
            if (k > 5 && remedy_of(&s) != REMEDY_NONE)
                fail_msg("case %zu: %s", i, remedy_name(remedy_of(&s)));
        }
        scene_end(&s);
    }
}

/* What it holds is less than a leak: the models fill the limit, as somebody asked for. */
static void little_of_the_server_is_only_told(void **state)
{
    struct scene s;
    (void)state;
    serve_begin(&s, MIB / 2);
    scene_step(&s, 30);
    assert_true(scene_raised(&s, VERDICT_GROWTH_LEAK));
    assert_int_equal(remedy_of(&s), REMEDY_NONE);
    scene_end(&s);
}

/* It never rests, and always has a client: near the limit it goes at the end of its request, in the
 * last minute it is killed; once. */
static void near_the_limit(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    s.connections = 1;
    s.cpu_percent = 30;
    assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 700, 3 * GIB) > 0);
    assert_int_equal(remedy_of(&s), REMEDY_NONE);
    scene_container(&s)->cgroup.limit = scene_assessment(&s)->held + 400 * MIB;
    scene_step(&s, 12); /* it works, and grows no more */
    assert_true(scene_raised(&s, VERDICT_GROWTH_LEAK));
    assert_int_equal(remedy_of(&s), REMEDY_NONE);
    growth_run(&s, 3, 3 * GIB);
    assert_int_equal(leak(&s)->remedy, REMEDY_UNLOAD);
    scene_container(&s)->cgroup.limit = scene_assessment(&s)->held + 40 * MIB;
    growth_run(&s, 3, 3 * GIB);
    assert_int_equal(leak(&s)->remedy, REMEDY_KILL_RUNNER);
    assert_int_equal(leak(&s)->pid, 200);
    s.connections_always = true;
    growth_run(&s, 1, 3 * GIB);
    assert_true(leak(&s)->confirmed);
    failed(&s);
    assert_int_equal(remedy_of(&s), REMEDY_NONE);
    scene_end(&s);
}

/* The kernel kills when the swap that is left to it is full too; where that is not known, nothing
 * is done. */
static void swap_is_room_too(void **state)
{
    static const struct {
        fact version, limit, swap, swap_limit; /* of the cgroup; MiB, limit: beyond what is held */
        fact swap_total, swap_used;            /* of the host, MiB */
        enum remedy remedy;
    } cases[] = {
        {2, 40, 0, 0, 4096, 0, REMEDY_KILL_RUNNER},
        {2, 40, 0, FACT_NONE, 4096, 0, REMEDY_NONE},
        {2, 40, 0, 2048, 4096, 0, REMEDY_NONE},
        {2, 40, 0, 2048, 4096, 4096, REMEDY_KILL_RUNNER}, /* the host's is full */
        {2, -2000, 2008, 2040, 4096, 3000, REMEDY_KILL_RUNNER},
        {2, -2000, 2008, 2400, 4096, 3000, REMEDY_UNLOAD},
        {2, -2000, 2008, FACT_NONE, 4096, 3000, REMEDY_NONE},
        {2, -2000, 2008, FACT_NONE, 4096, 4068, REMEDY_KILL_RUNNER},
        {2, 40, 0, FACT_UNKNOWN, 4096, 0, REMEDY_NONE},
        {2, 40, 0, FACT_UNKNOWN, 0, 0, REMEDY_KILL_RUNNER}, /* there is none */
        {2, 40, 0, FACT_NONE, FACT_UNKNOWN, 0, REMEDY_NONE},
        {2, 40, 0, FACT_NONE, 4096, FACT_UNKNOWN, REMEDY_NONE},
        {1, 40, 0, FACT_NONE, 4096, 0, REMEDY_NONE},
        {1, 40, 0, 0, 4096, 0, REMEDY_KILL_RUNNER}, /* beyond the limit: it is of both together */
        {1, 40, 0, 360, 4096, 0, REMEDY_UNLOAD},
        {1, 40, 0, FACT_UNKNOWN, 4096, 0, REMEDY_NONE},
        {2, FACT_NONE, 0, FACT_NONE, 4096, 0, REMEDY_NONE},
        {2, FACT_NONE, 0, FACT_NONE, 4096, 4096, REMEDY_KILL_RUNNER}, /* 40 MiB are available */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        growth_begin(&s, NULL, "0.24.0", NULL);
        struct cgroup_memory *m = &scene_container(&s)->cgroup;
        struct host *host = &s.world.host;
        s.connections = 1;
        s.cpu_percent = 30;
        m->version = (int)cases[i].version;
        m->swap = cases[i].swap * MIB;
        assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 700, 3 * GIB) > 0);
        bool unlimited = cases[i].limit == FACT_NONE;
        m->limit = unlimited ? FACT_NONE : scene_assessment(&s)->held + cases[i].limit * MIB;
        if (unlimited)
            host->available = 40 * MIB;
        m->swap_limit =
            fact_known(cases[i].swap_limit) ? cases[i].swap_limit * MIB : cases[i].swap_limit;
        if (m->version == 1 && fact_known(m->swap_limit))
            m->swap_limit += m->limit;
        host->swap_total = fact_times(cases[i].swap_total, MIB);
        host->swap_used = fact_times(cases[i].swap_used, MIB);
        growth_run(&s, 3, 3 * GIB);
        if (remedy_of(&s) != cases[i].remedy)
            fail_msg("case %zu: %s", i, remedy_name(remedy_of(&s)));
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(swap_is_room_too),
        cmocka_unit_test(near_the_limit),
        cmocka_unit_test(ladders_of_the_table),
        cmocka_unit_test(climbs_where_a_step_was_not_enough),
        cmocka_unit_test(any_condition_ends_it),
        cmocka_unit_test(forgotten_with_its_subject),
        cmocka_unit_test(server_is_restarted),
        cmocka_unit_test(server_is_only_told),
        cmocka_unit_test(little_of_the_server_is_only_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
