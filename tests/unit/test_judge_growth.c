/* growth-leak: what grows, how fast, and what is no growth. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "growth_scene.h"
#include <stdio.h>
#include <string.h>

#define A    "sha256-aaaa"
#define B    "sha256-bbbb"
#define HOUR 3600.0

static const struct verdict *leak(const struct scene *s)
{
    return scene_verdict(s, VERDICT_GROWTH_LEAK);
}

static void leak_of_an_older_version(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    double begun_s = s.now_s, raised_s = growth_until(&s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB);
    /* It begins with the load, so the hold is all of it. */
    assert_true(raised_s >= begun_s + 590 && raised_s <= begun_s + 600 + 2);
    const struct verdict *v = leak(&s);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_int_equal(v->pid, 200);
    assert_string_equal(v->model, "a");
    double per_hour = verdict_evidence(v, "per_hour"), low = verdict_evidence(v, "per_hour_low");
    assert_true(per_hour > 1.95 * (double)GIB && per_hour < 2.05 * (double)GIB);
    assert_true(low > 1.8 * (double)GIB && low <= per_hour);
    double grown = verdict_evidence(v, "grown");
    assert_true(grown > 300.0 * (double)MIB && grown < 360.0 * (double)MIB);
    /* 8 GiB less 750 MiB, at 2 GiB an hour. */
    double left_s = verdict_evidence(v, "left");
    assert_true(left_s > 3.4 * HOUR && left_s < 3.8 * HOUR);
    assert_null(scene_verdict(&s, VERDICT_PROMPT_CACHE));
    scene_step(&s, 600); /* it has stopped: told so in time */
    assert_null(leak(&s));
    scene_end(&s);
}

/* What is shown as left is what the ladder goes by: with the swap that is left to it. */
static void swap_is_room(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    scene_container(&s)->cgroup.swap_limit = 4 * GIB;
    assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB) >= 0);
    double left_s = verdict_evidence(leak(&s), "left"); /* 8 and 4 GiB less 750 MiB */
    assert_true(left_s > 5.4 * HOUR && left_s < 5.9 * HOUR);
    scene_end(&s);
}

/* The look that first sees the model listed is the first point: not a sample of the hold is lost.
 */
static void the_hold_runs_from_the_first_look(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "leak.growth_hold=120s leak.growth=16m");
    struct container *c = scene_container(&s);
    snprintf(c->ollama.version, sizeof c->ollama.version, "0.24.0");
    scene_step(&s, 40);
    scene_list(&s, "a", A);
    scene_add_runner(&s, 200, A);
    scene_look(&s);
    double begun_s = s.now_s, raised_s = growth_until(&s, VERDICT_GROWTH_LEAK, 300, 16 * GIB);
    assert_true(raised_s == begun_s + 120);
    assert_true(leak(&s)->hold_s == 120);
    scene_end(&s);
}

/* After hours at rest. */
static void leak_that_begins_late(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    growth_run(&s, 6 * HOUR, 0);
    assert_null(leak(&s));
    double begun_s = s.now_s, raised_s = growth_until(&s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB);
    assert_true(raised_s > 0 && raised_s <= begun_s + 600 + 2);
    scene_end(&s);
}

/* 30 MiB an hour: the recent window shows less than is told, the whole segment does not. */
static void slow_leak(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    s.interval_s = 1;
    double begun_s = s.now_s, raised_s = growth_until(&s, VERDICT_GROWTH_LEAK, 8 * HOUR, 30 * MIB);
    assert_true(raised_s > begun_s + 2 * HOUR && raised_s < begun_s + 5 * HOUR);
    double per_hour = verdict_evidence(leak(&s), "per_hour");
    assert_true(per_hour > 28.0 * (double)MIB && per_hour < 32.0 * (double)MIB);
    scene_end(&s);
}

/* Requests, each of which leaves something; many seconds in between. */
static void leak_in_steps(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    double raised_s = -1;
    for (int i = 0; i < 1200 && raised_s < 0; i++) {
        if (i % 40 == 0)
            growth_step(&s, scene_process(&s, 200), 25 * MIB);
        scene_step(&s, 1);
        raised_s = scene_raised(&s, VERDICT_GROWTH_LEAK) ? s.now_s : -1;
    }
    assert_true(raised_s >= 590 && raised_s <= 660);
    scene_end(&s);
}

/* ---- what is no growth ---- */

static void step_is_no_growth(void **state)
{
    static const double at_s[] = {0, 60, 300, 590, 900, 1300};
    (void)state;
    for (size_t i = 0; i < sizeof at_s / sizeof at_s[0]; i++) {
        struct scene s;
        growth_begin(&s, NULL, "0.24.0", NULL);
        growth_run(&s, at_s[i], 0);
        growth_step(&s, scene_process(&s, 200), 3 * GIB); /* one large request */
        for (int k = 0; k < 40; k++) {
            growth_run(&s, 60, 0);
            if (leak(&s))
                fail_msg("step at %g: raised at %g", at_s[i], s.now_s);
        }
        scene_end(&s);
    }
}

/* It comes and goes with the work. */
static void saw_is_no_growth(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    for (int i = 0; i < 4 * 3600; i++) {
        growth_step(&s, scene_process(&s, 200), i % 120 < 60 ? 4 * MIB : -4 * MIB);
        scene_step(&s, 1);
        if (leak(&s))
            fail_msg("at %g", s.now_s);
    }
    scene_end(&s);
}

/* Up and down by chance, 500 MiB wide, four days: of seven thousand windows a day some rise as
 * surely as one of a thousand does. */
static void noise_is_no_growth(void **state)
{
    (void)state;
    for (uint32_t first = 1; first <= 4; first++) {
        struct scene s;
        uint32_t seed = first;
        growth_begin(&s, NULL, "0.24.0", NULL);
        for (int i = 0; i < 24 * 3600; i++) {
            seed = seed * 1664525 + 1013904223;
            fact noise = (fact)(seed >> 8) * 500 * MIB / (1 << 24);
            growth_step(&s, scene_process(&s, 200), noise);
            scene_step(&s, 1);
            growth_step(&s, scene_process(&s, 200), -noise);
            if (leak(&s))
                fail_msg("day %u: at %g", first, s.now_s);
        }
        scene_end(&s);
    }
}

static void little_is_no_growth(void **state)
{
    static const struct {
        const char *settings;
        fact limit, per_hour; /* for 20 minutes */
        bool told;
    } cases[] = {
        {NULL, 8 * GIB, 180 * MIB, false}, /* 60 MiB */
        {NULL, 8 * GIB, 900 * MIB, true},
        {NULL, 32 * GIB, 900 * MIB, false}, /* 1 % is 328 MiB */
        {"leak.growth=1g", 8 * GIB, 900 * MIB, false},
        {"leak.growth=8m", 1 * GIB, 180 * MIB, true},
        {NULL, FACT_NONE, 900 * MIB, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        growth_begin(&s, cases[i].settings, "0.24.0", NULL);
        scene_container(&s)->cgroup.limit = cases[i].limit;
        bool told = growth_until(&s, VERDICT_GROWTH_LEAK, 1200, cases[i].per_hour) > 0;
        if (told != cases[i].told)
            fail_msg("case %zu: %d", i, told);
        scene_end(&s);
    }
}

/* Each is another runner: a load for another context length every five minutes. */
static void another_context_begins_anew(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    for (int i = 0; i < 12; i++) {
        growth_run(&s, 300, GIB);
        fact held = scene_process(&s, 200)->rss_anon;
        scene_remove_process(&s, 200);
        scene_add_process(&s, 200, PROCESS_RUNNER, held + 200 * MIB);
        snprintf(scene_process(&s, 200)->blob, sizeof scene_process(&s, 200)->blob, A);
        assert_null(leak(&s));
    }
    scene_end(&s);
}

static void load_is_no_growth(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    snprintf(scene_container(&s)->ollama.version, 32, "0.24.0");
    scene_add_runner(&s, 200, A); /* a slow disk: twenty minutes */
    scene_look(&s);
    growth_run(&s, 1200, 12 * GIB);
    assert_null(leak(&s));
    scene_list(&s, "a", A);
    growth_run(&s, 1200, 0);
    assert_null(leak(&s));
    scene_end(&s);
}

static void gap_begins_anew(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    growth_run(&s, 500, 2 * GIB);
    scene_pass(&s, 60);
    double gap_s = s.now_s, raised_s = growth_until(&s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB);
    assert_true(raised_s >= gap_s + 590 && raised_s <= gap_s + 602);
    /* What it has grown by in all is not forgotten. */
    assert_true(verdict_evidence(leak(&s), "grown") > 600.0 * (double)MIB);
    scene_end(&s);
}

static void memory_unknown(struct scene *s)
{
    scene_process(s, 200)->rss_anon = FACT_UNKNOWN;
}
static void processes_unknown(struct scene *s)
{
    scene_container(s)->processes_known = false;
    scene_container(s)->n_processes = 0;
}

static void unknown_neither_raises_nor_clears(void **state)
{
    static void (*const changes[])(struct scene *s) = {memory_unknown, processes_unknown};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        growth_begin(&s, NULL, "0.24.0", NULL);
        assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB) > 0);
        s.change = changes[i];
        scene_step(&s, 3);
        assert_true(scene_raised(&s, VERDICT_GROWTH_LEAK));
        scene_end(&s);
        growth_begin(&s, NULL, "0.24.0", NULL);
        s.change = changes[i];
        assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 1200, 2 * GIB) < 0);
        scene_end(&s);
    }
}

/* ---- the server ---- */

static void server_grows(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.33.0", NULL);
    for (int i = 0; i < 700 && !scene_raised(&s, VERDICT_GROWTH_LEAK); i++) {
        scene_leak(&s, MIB / 2);
        scene_step(&s, 1);
    }
    const struct verdict *v = leak(&s);
    assert_true(v && v->state == VERDICT_RAISED && v->remedy == REMEDY_NONE && v->pid < 0);
    assert_true(verdict_evidence(v, "serve") > 250.0 * (double)MIB);
    scene_list(&s, "b", B); /* another set of models */
    scene_add_runner(&s, 201, B);
    scene_step(&s, 1);
    assert_int_equal(leak(&s)->state, VERDICT_CLEARED);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leak_of_an_older_version),
        cmocka_unit_test(swap_is_room),
        cmocka_unit_test(the_hold_runs_from_the_first_look),
        cmocka_unit_test(leak_that_begins_late),
        cmocka_unit_test(slow_leak),
        cmocka_unit_test(leak_in_steps),
        cmocka_unit_test(step_is_no_growth),
        cmocka_unit_test(saw_is_no_growth),
        cmocka_unit_test(noise_is_no_growth),
        cmocka_unit_test(little_is_no_growth),
        cmocka_unit_test(another_context_begins_anew),
        cmocka_unit_test(load_is_no_growth),
        cmocka_unit_test(gap_begins_anew),
        cmocka_unit_test(unknown_neither_raises_nor_clears),
        cmocka_unit_test(server_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
