/* oom-kill: who was killed, and why. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "worlds.h"
#include <stdio.h>
#include <string.h>

#define A "sha256-aaaa"

static void begin(struct scene *s)
{
    scene_begin(s, NULL);
    struct cgroup_memory *m = &scene_container(s)->cgroup;
    m->oom_kills = 0;
    m->usage = m->peak = 500 * MIB;
    scene_add_runner(s, 200, A);
    scene_look(s);
    scene_step(s, 5);
}

static void kill_one(struct scene *s)
{
    scene_container(s)->cgroup.oom_kills++;
}

static const struct verdict *oom(const struct scene *s)
{
    return scene_verdict(s, VERDICT_OOM_KILL);
}

static void each_kill_is_told(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    snprintf(scene_container(&s)->ollama.version, sizeof scene_container(&s)->ollama.version,
             "0.33.0");
    for (int i = 1; i <= 3; i++) {
        kill_one(&s);
        scene_container(&s)->cgroup.peak = 8 * GIB;
        scene_step(&s, 1);
        assert_true(oom(&s)->changed && oom(&s)->state == VERDICT_RAISED);
        assert_true(verdict_evidence(oom(&s), "kills") == i);
        assert_non_null(strstr(oom(&s)->why, "a prompt cache of up to 8.0 GiB cannot fit 8.0 GiB"));
        scene_step(&s, 30);
        assert_false(oom(&s)->changed);
    }
    scene_end(&s);
}

static void runner_killed_at_its_own_limit(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    kill_one(&s);
    scene_container(&s)->cgroup.peak = 8 * GIB;
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    double at_s = s.now_s;
    const struct verdict *v = oom(&s);
    assert_true(v && v->state == VERDICT_RAISED && v->changed && v->remedy == REMEDY_NONE);
    assert_int_equal(v->pid, 200);
    assert_true(verdict_evidence(v, "kills") == 1);
    assert_true(verdict_evidence(v, "runner") == (double)(400 * MIB));
    assert_non_null(strstr(v->why, "own limit"));
    assert_non_null(strstr(v->why, "runner 200"));
    scene_step(&s, 599);
    assert_true(scene_raised(&s, VERDICT_OOM_KILL)); /* ten minutes */
    scene_step(&s, 1);
    assert_true(s.now_s == at_s + 600);
    assert_int_equal(oom(&s)->state, VERDICT_CLEARED);
    scene_step(&s, 1);
    assert_null(oom(&s));
    scene_end(&s);
}

static void causes(void **state)
{
    static const struct {
        const char *name;
        fact limit, usage, peak, available;
        const char *why;
    } cases[] = {
        {"usage at the limit", 8 * GIB, 8 * GIB - 10 * MIB, FACT_UNKNOWN, 20 * GIB, "own limit"},
        {"peak at the limit", 8 * GIB, 1 * GIB, 8 * GIB, 20 * GIB, "own limit"},
        {"peak of page cache once, host full", 8 * GIB, 1 * GIB, 8 * GIB, 200 * MIB, "the host"},
        {"host full", 8 * GIB, 1 * GIB, 2 * GIB, 200 * MIB, "the host had"},
        {"no limit, host full", FACT_NONE, 1 * GIB, 2 * GIB, 200 * MIB, "the host had"},
        {"neither", 8 * GIB, 1 * GIB, 2 * GIB, 20 * GIB, "a parent"},
        {"all unknown", FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN, "a parent"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s);
        struct cgroup_memory *m = &scene_container(&s)->cgroup;
        kill_one(&s);
        m->limit = cases[i].limit;
        m->usage = cases[i].usage;
        m->peak = cases[i].peak;
        s.world.host.available = cases[i].available;
        scene_step(&s, 1);
        if (!scene_raised(&s, VERDICT_OOM_KILL) || !strstr(oom(&s)->why, cases[i].why))
            fail_msg("%s: %s", cases[i].name, oom(&s) ? oom(&s)->why : "none");
        scene_end(&s);
    }
}

/* The counter and the processes are not read in one instant. */
static void victim_by_time(void **state)
{
    static const struct {
        int gone_after; /* looks */
        bool victim;
    } cases[] = {{-5, false}, {-2, false}, {-1, true}, {0, true}, {1, true}, {3, true}, {6, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s);
        for (int look = -6; look <= 8; look++) {
            if (look == cases[i].gone_after)
                scene_remove_process(&s, 200);
            if (look == 0)
                kill_one(&s);
            scene_step(&s, 1);
        }
        const struct verdict *v = oom(&s);
        if (!v || (v->pid == 200) != cases[i].victim)
            fail_msg("gone after %d: pid %lld", cases[i].gone_after, v ? (long long)v->pid : 0);
        scene_end(&s);
    }
}

static void counter_at_first_sight_is_no_event(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->cgroup.oom_kills = 7;
    scene_look(&s);
    assert_true(scene_never_raised(&s, VERDICT_OOM_KILL, 30));
    scene_end(&s);
}

static void unknown(struct scene *s)
{
    scene_container(s)->cgroup.oom_kills = FACT_UNKNOWN;
}

static void lost_looks_lose_no_kill(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    s.change = unknown;
    scene_step(&s, 5);
    kill_one(&s);
    scene_step(&s, 5);
    assert_null(oom(&s));
    s.change = NULL;
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_OOM_KILL));
    scene_pass(&s, 100); /* a gap */
    assert_true(scene_raised(&s, VERDICT_OOM_KILL));
    kill_one(&s);
    scene_pass(&s, 100);
    assert_true(verdict_evidence(oom(&s), "kills") == 2);
    scene_end(&s);
}

static void next_life_ends_it(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    kill_one(&s);
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_OOM_KILL));
    snprintf(scene_container(&s)->started_at, sizeof scene_container(&s)->started_at,
             "2026-11-21T04:00:00Z");
    scene_container(&s)->cgroup.oom_kills = 0;
    scene_step(&s, 1);
    assert_int_equal(oom(&s)->state, VERDICT_CLEARED);
    scene_step(&s, 1);
    assert_null(oom(&s));
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kill_is_told),
        cmocka_unit_test(runner_killed_at_its_own_limit),
        cmocka_unit_test(causes),
        cmocka_unit_test(victim_by_time),
        cmocka_unit_test(counter_at_first_sight_is_no_event),
        cmocka_unit_test(lost_looks_lose_no_kill),
        cmocka_unit_test(next_life_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
