/* prompt-cache or growth-leak: which of the two it is, whether its bound fits, what is done. */
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

static const struct verdict *leak(const struct scene *s)
{
    return scene_verdict(s, VERDICT_GROWTH_LEAK);
}

/* ---- which of the two ---- */

static void cache_or_leak(void **state)
{
    static const struct {
        const char *name, *version, *comm, *cache_ram;
        enum verdict_kind kind;
    } cases[] = {
        {"newer", "0.33.0", "llama-server", NULL, VERDICT_PROMPT_CACHE},
        {"first with it", "0.30.0", "llama-server", NULL, VERDICT_PROMPT_CACHE},
        {"last without", "0.29.9", "ollama", NULL, VERDICT_GROWTH_LEAK},
        {"candidate", "0.33.0-rc2", "llama-server", NULL, VERDICT_PROMPT_CACHE},
        {"major", "1.2.0", "llama-server", NULL, VERDICT_PROMPT_CACHE},
        {"own build", "0.0.0", "llama-server", NULL, VERDICT_PROMPT_CACHE},
        {"own older build", "0.0.0", "ollama", NULL, VERDICT_GROWTH_LEAK},
        {"version unknown", "", "llama-server", NULL, VERDICT_PROMPT_CACHE},
        {"switched off", "0.33.0", "llama-server", "0", VERDICT_GROWTH_LEAK},
        {"below the bound", "0.33.0", "llama-server", "4096", VERDICT_PROMPT_CACHE},
        {"past the bound", "0.33.0", "llama-server", "128", VERDICT_GROWTH_LEAK},
        {"no bound", "0.33.0", "llama-server", "-1", VERDICT_PROMPT_CACHE},
        {"bounds nothing", "0.33.0", "llama-server", "1152921504606846976", VERDICT_PROMPT_CACHE},
        {"no number", "0.33.0", "llama-server", "lots", VERDICT_PROMPT_CACHE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        growth_begin(&s, NULL, cases[i].version, cases[i].cache_ram);
        snprintf(scene_process(&s, 200)->comm, 16, "%s", cases[i].comm);
        double raised_s = growth_until(&s, cases[i].kind, 700, 3 * GIB);
        enum verdict_kind other =
            cases[i].kind == VERDICT_GROWTH_LEAK ? VERDICT_PROMPT_CACHE : VERDICT_GROWTH_LEAK;
        if (raised_s < 0 || scene_raised(&s, other) || scene_acts(&s))
            fail_msg("%s: raised at %g", cases[i].name, raised_s);
        scene_end(&s);
    }
}

/* It is a cache until it is past its bound and a tenth. */
static void cache_becomes_a_leak(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.33.0", "1024");
    assert_true(growth_until(&s, VERDICT_PROMPT_CACHE, 700, 3 * GIB) > 0);
    assert_null(leak(&s));
    fact begun = 400 * MIB;
    assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 2000, 3 * GIB) > 0);
    fact grown = scene_process(&s, 200)->rss_anon - begun;
    assert_in_range(grown, 1126 * MIB, 1132 * MIB);
    assert_int_equal(scene_verdict(&s, VERDICT_PROMPT_CACHE)->state, VERDICT_CLEARED);
    assert_true(verdict_evidence(leak(&s), "bound") == (double)GIB);
    scene_end(&s);
}

/* As in the recording with LLAMA_ARG_CACHE_RAM=128: it fills, and stands still. */
static void cache_that_is_full_is_over(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.33.0", "512");
    growth_run(&s, 700, 2 * GIB);
    assert_true(scene_raised(&s, VERDICT_PROMPT_CACHE));
    growth_run(&s, 700, 0);
    assert_null(scene_verdict(&s, VERDICT_PROMPT_CACHE));
    assert_null(leak(&s));
    scene_end(&s);
}

static void bound_that_fits(void **state)
{
    static const struct {
        fact limit;
        const char *cache_ram;
        enum severity severity;
        fact fits_least, fits_most;
    } cases[] = {
        /* 410 MiB without the cache; 95 % of the limit less that. */
        {16 * GIB, NULL, SEVERITY_INFO, 15150 * MIB, 15160 * MIB},
        {4 * GIB, NULL, SEVERITY_WARNING, 3475 * MIB, 3485 * MIB},
        {4 * GIB, "2048", SEVERITY_INFO, 3475 * MIB, 3485 * MIB},
        {16 * GIB, "-1", SEVERITY_WARNING, 15150 * MIB, 15160 * MIB},
        {FACT_NONE, NULL, SEVERITY_INFO, 28 * GIB, 30 * GIB}, /* what the host has */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        growth_begin(&s, NULL, "0.33.0", cases[i].cache_ram);
        scene_container(&s)->cgroup.limit = cases[i].limit;
        assert_true(growth_until(&s, VERDICT_PROMPT_CACHE, 700, 3 * GIB) > 0);
        const struct verdict *v = scene_verdict(&s, VERDICT_PROMPT_CACHE);
        fact fits = (fact)verdict_evidence(v, "fits");
        if (v->severity != cases[i].severity || fits < cases[i].fits_least ||
            fits > cases[i].fits_most)
            fail_msg("case %zu: %s, fits %lld MiB", i, severity_name(v->severity),
                     (long long)(fits / MIB));
        assert_non_null(strstr(v->why, "LLAMA_ARG_CACHE_RAM"));
        assert_int_equal(v->remedy, REMEDY_NONE);
        scene_end(&s);
    }
}

/* ---- what is done ---- */

static void works(struct scene *s)
{
    scene_process(s, 200)->cpu_us = (fact)(s->now_s * 3e5);
}
static void has_a_client(struct scene *s)
{
    scene_container(s)->connections = 1;
}

/* Near the limit, and only when nobody works with it. */
static void unloaded_when_critical_and_idle(void **state)
{
    static const struct {
        const char *name;
        fact limit;
        void (*change)(struct scene *s);
        bool acts;
    } cases[] = {
        {"far from the limit", 8 * GIB, NULL, false},
        {"works", 1 * GIB, works, false},
        {"client", 1 * GIB, has_a_client, false},
        {"near it, idle", 1 * GIB, NULL, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        growth_begin(&s, NULL, "0.24.0", NULL);
        assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 700, 3700 * MIB) > 0);
        scene_container(&s)->cgroup.limit = cases[i].limit;
        s.change = cases[i].change;
        bool acts = false;
        for (int k = 0; k < 60; k++) {
            scene_step(&s, 1);
            const struct verdict *v = leak(&s);
            acts |= v && v->state == VERDICT_RAISED && v->remedy == REMEDY_UNLOAD && v->confirmed &&
                    !strcmp(v->model, "a") && v->pid == 200;
        }
        if (acts != cases[i].acts)
            fail_msg("%s", cases[i].name);
        scene_end(&s);
    }
}

static void runner_that_is_gone_clears_it(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.33.0", NULL);
    assert_true(growth_until(&s, VERDICT_PROMPT_CACHE, 700, 3 * GIB) > 0);
    scene_unlist(&s, "a");
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_PROMPT_CACHE);
    assert_true(v && v->state == VERDICT_CLEARED && v->pid == 200);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_or_leak),
        cmocka_unit_test(cache_becomes_a_leak),
        cmocka_unit_test(cache_that_is_full_is_over),
        cmocka_unit_test(bound_that_fits),
        cmocka_unit_test(unloaded_when_critical_and_idle),
        cmocka_unit_test(runner_that_is_gone_clears_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
