/* no-limit and limit-drift: which limit is wanted, whether it is there, whether it may be set. */
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

static void limit_by_table(void **state)
{
    static const struct {
        const char *name, *settings;
        fact limit, held, kernel, footprint;
        int kind; /* of the raised verdict; -1: none */
        enum remedy remedy;
    } cases[] = {
        {"none wanted, none there", NULL, FACT_NONE, 1 * GIB, 0, -1, VERDICT_NO_LIMIT, REMEDY_NONE},
        {"none wanted, one there", NULL, 4 * GIB, 1 * GIB, 0, -1, -1, REMEDY_NONE},
        {"none wanted, unknown", NULL, FACT_UNKNOWN, 1 * GIB, 0, -1, -1, REMEDY_NONE},
        {"as wanted", "memory.limit=4g", 4 * GIB, 1 * GIB, 0, -1, -1, REMEDY_NONE},
        {"rounded by the kernel", "memory.limit=4294971391", 4 * GIB + 0, 1 * GIB, 0, -1, -1,
         REMEDY_NONE},
        {"rounded to larger pages", "memory.limit=4295032831", 4 * GIB, 1 * GIB, 0, -1, -1,
         REMEDY_NONE},
        {"such a page more", "memory.limit=4295032832", 4 * GIB, 1 * GIB, 0, -1,
         VERDICT_LIMIT_DRIFT, REMEDY_LIMIT},
        {"removed", "memory.limit=4g", FACT_NONE, 1 * GIB, 0, -1, VERDICT_LIMIT_DRIFT,
         REMEDY_LIMIT},
        {"raised", "memory.limit=4g", 8 * GIB, 1 * GIB, 0, -1, VERDICT_LIMIT_DRIFT, REMEDY_LIMIT},
        {"lowered", "memory.limit=4g", 2 * GIB, 1 * GIB, 0, -1, VERDICT_LIMIT_DRIFT, REMEDY_LIMIT},
        {"unknown", "memory.limit=4g", FACT_UNKNOWN, 1 * GIB, 0, -1, -1, REMEDY_NONE},
        {"held unknown", "memory.limit=4g", FACT_NONE, FACT_UNKNOWN, 0, -1, -1, REMEDY_NONE},
        {"at the floor", "memory.limit=6g", FACT_NONE, 5 * GIB, 0, -1, VERDICT_LIMIT_DRIFT,
         REMEDY_LIMIT},
        {"below by held", "memory.limit=6g", FACT_NONE, 5 * GIB + 1 * MIB, 0, -1,
         VERDICT_LIMIT_DRIFT, REMEDY_NONE},
        {"below by held and kernel", "memory.limit=6g", FACT_NONE, 5 * GIB - 10 * MIB, 11 * MIB, -1,
         VERDICT_LIMIT_DRIFT, REMEDY_NONE},
        {"below by the footprint", "memory.limit=6g", FACT_NONE, 10 * MIB, 0, 5 * GIB + 1 * MIB,
         VERDICT_LIMIT_DRIFT, REMEDY_NONE},
        {"at the footprint", "memory.limit=6g", FACT_NONE, 10 * MIB, 0, 5 * GIB,
         VERDICT_LIMIT_DRIFT, REMEDY_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        struct cgroup_memory *m = &scene_container(&s)->cgroup;
        m->limit = cases[i].limit;
        m->anon = cases[i].held;
        m->kernel = cases[i].kernel;
        scene_look(&s);
        judge_tell_footprint(s.judge, scene_container(&s)->id, cases[i].footprint);
        scene_step(&s, 1);
        const struct verdict *v = NULL;
        for (size_t k = 0; k < s.judgement.n_verdicts; k++)
            if (s.judgement.verdicts[k].state == VERDICT_RAISED)
                v = &s.judgement.verdicts[k];
        if ((v ? (int)v->kind : -1) != cases[i].kind || (v && v->remedy != cases[i].remedy))
            fail_msg("%s: %s", cases[i].name, v ? verdict_kind_name(v->kind) : "none");
        if (v && v->kind == VERDICT_LIMIT_DRIFT)
            assert_true(verdict_evidence(v, "floor") ==
                        (double)scene_assessment(&s)->floor); /* the reason of a refusal */
        scene_end(&s);
    }
}

/* What bounds it may be a group above it; what is set is its own. */
static void a_limit_above(void **state)
{
    static const struct {
        const char *settings;
        fact own, bound;
        int kind;
    } cases[] = {
        {NULL, FACT_NONE, 4 * GIB, -1},
        {NULL, FACT_NONE, FACT_NONE, VERDICT_NO_LIMIT},
        {NULL, 4 * GIB, FACT_UNKNOWN, -1},
        {"memory.limit=8g", 8 * GIB, 4 * GIB, -1},
        {"memory.limit=4g", FACT_NONE, 4 * GIB, VERDICT_LIMIT_DRIFT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        scene_container(&s)->cgroup.limit = cases[i].own;
        scene_container(&s)->cgroup.bound = cases[i].bound;
        scene_container(&s)->cgroup.anon = 1 * GIB;
        scene_look(&s);
        scene_step(&s, 1);
        for (int kind = VERDICT_NO_LIMIT; kind <= VERDICT_LIMIT_DRIFT; kind++)
            if ((kind == VERDICT_NO_LIMIT || kind == VERDICT_LIMIT_DRIFT) &&
                scene_raised(&s, (enum verdict_kind)kind) != (kind == cases[i].kind))
                fail_msg("case %zu", i);
        scene_end(&s);
    }
}

/* One look is not enough: a limit that is just being changed would come back at once. */
static void drift_needs_two_looks(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.limit=6g");
    scene_look(&s);
    assert_null(scene_verdict(&s, VERDICT_LIMIT_DRIFT));
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_LIMIT_DRIFT);
    assert_true(v && v->state == VERDICT_RAISED && v->changed && v->confirmed);
    assert_true(verdict_evidence(v, "wanted") == (double)(6 * GIB));
    assert_true(verdict_evidence(v, "limit") == (double)(8 * GIB));
    scene_container(&s)->cgroup.limit = 6 * GIB;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_LIMIT_DRIFT)->state, VERDICT_CLEARED);
    scene_container(&s)->cgroup.limit = 8 * GIB;
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_LIMIT_DRIFT));
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_LIMIT_DRIFT));
    scene_end(&s);
}

/* An idle moment's 10 MiB say nothing about the next load. */
static void floor_remembers_the_most_held_with_a_model(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.limit=6g");
    scene_list(&s, "m", "sha256-1");
    scene_add_process(&s, 200, PROCESS_RUNNER, 10 * GIB);
    scene_look(&s);
    scene_step(&s, 2);
    scene_unlist(&s, "m");
    scene_remove_process(&s, 200);
    scene_step(&s, 100);
    assert_int_equal(scene_assessment(&s)->held, 10 * MIB);
    assert_int_equal(scene_assessment(&s)->held_with_model, 10 * GIB + 10 * MIB);
    assert_int_equal(scene_assessment(&s)->floor, (10 * GIB + 10 * MIB) / 5 * 6);
    assert_int_equal(scene_verdict(&s, VERDICT_LIMIT_DRIFT)->remedy, REMEDY_NONE);
    /* A restart does not forget it, a smaller one does not lower it. */
    snprintf(scene_container(&s)->started_at, sizeof scene_container(&s)->started_at, "later");
    scene_step(&s, 3);
    judge_tell_footprint(s.judge, scene_container(&s)->id, 1 * GIB);
    scene_step(&s, 1);
    assert_int_equal(scene_assessment(&s)->held_with_model, 10 * GIB + 10 * MIB);
    assert_int_equal(scene_verdict(&s, VERDICT_LIMIT_DRIFT)->remedy, REMEDY_NONE);
    judge_tell_footprint(s.judge, "of nobody", 40 * GIB);
    scene_end(&s);
}

/* What was held without a model is no footprint: a leak must not make a limit unreachable. */
static void leak_is_no_footprint(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.limit=6g");
    scene_leak(&s, 7 * GIB);
    scene_look(&s);
    scene_step(&s, 5);
    assert_int_equal(scene_verdict(&s, VERDICT_LIMIT_DRIFT)->remedy, REMEDY_NONE);
    scene_leak(&s, -7 * GIB);
    scene_step(&s, 1);
    assert_false(fact_known(scene_assessment(&s)->held_with_model));
    assert_int_equal(scene_verdict(&s, VERDICT_LIMIT_DRIFT)->remedy, REMEDY_LIMIT);
    scene_end(&s);
}

/* Version 2: what is on its way to the swap is in neither part of held, but still somebody's. */
static void floor_knows_what_is_being_swapped_out(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.limit=6g");
    scene_leak(&s, 6 * GIB);
    struct cgroup_memory *m = &scene_container(&s)->cgroup;
    m->version = 2;
    m->anon = 1 * GIB;
    m->swap = 5 * GIB;
    m->swapcached = 4 * GIB;
    scene_look(&s);
    scene_step(&s, 1);
    assert_int_equal(scene_assessment(&s)->held, 2 * GIB);
    assert_true(scene_assessment(&s)->floor >= 6 * GIB / 5 * 6);
    assert_int_equal(scene_verdict(&s, VERDICT_LIMIT_DRIFT)->remedy, REMEDY_NONE);
    scene_end(&s);
}

static void swap_by_table(void **state)
{
    static const struct {
        const char *name, *settings;
        int version;
        fact limit, swap_limit, host_swap, swap;
        bool drifts;
    } cases[] = {
        {"none wanted, none there", "memory.swap=0", 2, 8 * GIB, 0, GIB, 0, false},
        {"none wanted, as much again", "memory.swap=0", 2, 8 * GIB, 8 * GIB, GIB, 0, true},
        {"none wanted, no bound", "memory.swap=0", 2, 8 * GIB, FACT_NONE, GIB, 0, true},
        {"the host has no swap", "memory.swap=0", 2, 8 * GIB, 8 * GIB, 0, 0, false},
        {"the host's swap unknown", "memory.swap=0", 2, 8 * GIB, 8 * GIB, FACT_UNKNOWN, 0, false},
        {"not counted", "memory.swap=0", 2, 8 * GIB, FACT_NONE, GIB, FACT_NONE, false},
        {"unknown", "memory.swap=0", 2, 8 * GIB, FACT_UNKNOWN, GIB, 0, false},
        {"wanted and there", "memory.swap=2g", 2, 8 * GIB, 2 * GIB, GIB, 0, false},
        {"left as it is", "memory.limit=8g", 2, 8 * GIB, 5 * GIB, GIB, 0, false},
        {"memory and swap together", "memory.swap=0", 1, 8 * GIB, 8 * GIB, GIB, 0, false},
        {"twice", "memory.swap=0", 1, 8 * GIB, 16 * GIB, GIB, 0, true},
        {"no limit is wanted", "memory.swap=1g", 2, FACT_NONE, 8 * GIB, GIB, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        if (cases[i].limit > 0)
            assert_int_equal(config_set(s.config, "memory.limit=8g", ORIGIN_COMMAND_LINE, NULL), 0);
        judge_settings_changed(s.judge);
        struct cgroup_memory *m = &scene_container(&s)->cgroup;
        m->version = cases[i].version;
        m->limit = cases[i].limit;
        m->swap_limit = cases[i].swap_limit;
        m->swap = cases[i].swap;
        m->swapcached = 0;
        s.world.host.swap_total = cases[i].host_swap;
        scene_look(&s);
        scene_step(&s, 1);
        const struct verdict *v = scene_verdict(&s, VERDICT_LIMIT_DRIFT);
        if ((v != NULL) != cases[i].drifts || (v && v->remedy != REMEDY_LIMIT))
            fail_msg("%s: %s", cases[i].name, v ? v->why : "none");
        scene_end(&s);
    }
}

static void unknown_looks_do_not_clear_a_drift(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.limit=6g");
    scene_look(&s);
    scene_step(&s, 2);
    scene_container(&s)->cgroup.limit = FACT_UNKNOWN;
    scene_step(&s, 3);
    const struct verdict *v = scene_verdict(&s, VERDICT_LIMIT_DRIFT);
    assert_true(v && v->state == VERDICT_RAISED && !v->confirmed);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_by_table),
        cmocka_unit_test(a_limit_above),
        cmocka_unit_test(drift_needs_two_looks),
        cmocka_unit_test(floor_remembers_the_most_held_with_a_model),
        cmocka_unit_test(leak_is_no_footprint),
        cmocka_unit_test(floor_knows_what_is_being_swapped_out),
        cmocka_unit_test(swap_by_table),
        cmocka_unit_test(unknown_looks_do_not_clear_a_drift),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
