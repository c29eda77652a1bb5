/* page-cache and high-drift, and the levels of pressure. */
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

/* 95 % of the host's 32 GiB are in use, and the container has 2 GiB of page cache that rests. */
static void press(struct scene *s)
{
    s->world.host.available = 32 * GIB / 20;
    scene_container(s)->cgroup.file = 2 * GIB;
    scene_container(s)->cgroup.inactive_file = GIB;
}

static bool known(const struct scene *s, enum verdict_kind kind)
{
    return scene_verdict(s, kind) != NULL;
}

/* ---- page-cache ---- */

static void cache_is_asked_for_under_pressure_in_the_third_look(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    press(&s);
    scene_step(&s, 2);
    assert_false(known(&s, VERDICT_PAGE_CACHE)); /* no suspicion either */
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_PAGE_CACHE);
    assert_non_null(v);
    assert_true(v->state == VERDICT_RAISED && v->changed && v->confirmed);
    assert_int_equal(v->remedy, REMEDY_RECLAIM);
    assert_string_equal(verdict_kind_name(v->kind), "page-cache");
    assert_string_equal(remedy_name(v->remedy), "reclaim");
    assert_true(verdict_evidence(v, "inactive_file") == (double)GIB);
    assert_true(verdict_evidence(v, "file") == (double)(2 * GIB));
    assert_true(verdict_evidence(v, "available") == (double)(32 * GIB / 20));
    assert_true(verdict_evidence(v, "in_use") > 94.9 && verdict_evidence(v, "in_use") < 95.1);
    scene_end(&s);
}

static void cache_is_left_alone_below_the_threshold(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    press(&s);
    s.world.host.available = 32 * GIB / 10 + MIB; /* a little less than 90 % in use */
    assert_true(scene_never_raised(&s, VERDICT_PAGE_CACHE, 30));
    scene_end(&s);
    scene_begin(&s, "pressure.action_optimize=50");
    press(&s);
    s.world.host.available = 17 * GIB; /* 47 % */
    assert_true(scene_never_raised(&s, VERDICT_PAGE_CACHE, 10));
    s.world.host.available = 15 * GIB;
    assert_true(scene_until_raised(&s, VERDICT_PAGE_CACHE, 10) >= 0);
    scene_end(&s);
}

static void little_cache_is_left_alone(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    press(&s);
    scene_container(&s)->cgroup.inactive_file = 256 * MIB - 1;
    assert_true(scene_never_raised(&s, VERDICT_PAGE_CACHE, 30));
    scene_container(&s)->cgroup.inactive_file = 256 * MIB;
    assert_true(scene_until_raised(&s, VERDICT_PAGE_CACHE, 10) >= 0);
    scene_end(&s);
}

/* At the edge nothing comes and goes, and nothing is done. */
static void cache_stays_raised_at_the_edge_without_a_deed(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    press(&s);
    assert_true(scene_until_raised(&s, VERDICT_PAGE_CACHE, 10) >= 0);
    s.world.host.available = 32 * GIB / 8; /* 87.5 % */
    for (int i = 0; i < 4; i++) {
        scene_step(&s, 1);
        const struct verdict *v = scene_verdict(&s, VERDICT_PAGE_CACHE);
        assert_true(v && v->state == VERDICT_RAISED && !v->changed && !v->confirmed);
    }
    s.world.host.available = 32 * GIB / 4; /* 75 % */
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_PAGE_CACHE);
    assert_true(v && v->state == VERDICT_CLEARED && v->changed);
    scene_step(&s, 1);
    assert_false(known(&s, VERDICT_PAGE_CACHE));
    scene_end(&s);
}

static void cache_that_was_given_back_clears_it(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    press(&s);
    assert_true(scene_until_raised(&s, VERDICT_PAGE_CACHE, 10) >= 0);
    scene_container(&s)->cgroup.inactive_file = 64 * MIB;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_PAGE_CACHE)->state, VERDICT_CLEARED);
    scene_end(&s);
}

static void cache_on_version_1_is_told_only(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    press(&s);
    scene_container(&s)->cgroup.version = 1;
    assert_true(scene_until_raised(&s, VERDICT_PAGE_CACHE, 10) >= 0);
    const struct verdict *v = scene_verdict(&s, VERDICT_PAGE_CACHE);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_non_null(strstr(v->why, "v2"));
    assert_false(scene_acts(&s));
    scene_end(&s);
}

static void hide_available(struct scene *s)
{
    s->world.host.available = FACT_UNKNOWN;
}

static void hide_inactive(struct scene *s)
{
    scene_container(s)->cgroup.inactive_file = FACT_UNKNOWN;
}

static void hide_cgroup(struct scene *s)
{
    scene_container(s)->cgroup.version = 0;
}

static void unknown_asks_for_nothing(void **state)
{
    static void (*const hidden[])(struct scene *) = {hide_available, hide_inactive, hide_cgroup};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        press(&s);
        s.change = hidden[i];
        assert_true(scene_never_raised(&s, VERDICT_PAGE_CACHE, 20));
        s.change = NULL;
        assert_true(scene_until_raised(&s, VERDICT_PAGE_CACHE, 10) >= 0);
        scene_end(&s);
    }
}

/* ---- high-drift ---- */

static void high_that_is_not_there_is_wanted(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.high=6g");
    scene_look(&s);
    assert_false(known(&s, VERDICT_HIGH_DRIFT));
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_HIGH_DRIFT);
    assert_true(v && v->state == VERDICT_RAISED && v->confirmed);
    assert_int_equal(v->remedy, REMEDY_HIGH);
    assert_string_equal(verdict_kind_name(v->kind), "high-drift");
    assert_string_equal(remedy_name(v->remedy), "high");
    assert_true(verdict_evidence(v, "wanted") == (double)(6 * GIB));
    assert_true(verdict_evidence(v, "high") < 0); /* there is none */
    assert_true(verdict_evidence(v, "floor") == (double)(11 * MIB + 11 * MIB / 5));
    scene_container(&s)->cgroup.high = 6 * GIB;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_HIGH_DRIFT)->state, VERDICT_CLEARED);
    scene_container(&s)->cgroup.high = 7 * GIB; /* somebody changed it */
    scene_step(&s, 2);
    assert_true(scene_raised(&s, VERDICT_HIGH_DRIFT));
    assert_true(verdict_evidence(scene_verdict(&s, VERDICT_HIGH_DRIFT), "high") ==
                (double)(7 * GIB));
    scene_end(&s);
}

static void high_is_compared_by_pages(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.high=1000000001");
    scene_container(&s)->cgroup.high = 1000000001 / 4096 * 4096;
    assert_true(scene_never_raised(&s, VERDICT_HIGH_DRIFT, 5));
    scene_end(&s);
}

static void none_wanted_is_nothing_wrong(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->cgroup.high = GIB;
    assert_true(scene_never_raised(&s, VERDICT_HIGH_DRIFT, 5));
    scene_end(&s);
}

static void high_below_the_floor_is_told_only(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.high=2g");
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 2);
    const struct verdict *v = scene_verdict(&s, VERDICT_HIGH_DRIFT);
    assert_true(v && v->state == VERDICT_RAISED);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_non_null(strstr(v->why, "floor"));
    scene_leak(&s, -(2 * GIB - 100 * MIB)); /* it holds less now */
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_HIGH_DRIFT)->remedy, REMEDY_HIGH);
    scene_end(&s);
}

static void high_on_version_1_is_told_only(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.high=6g");
    scene_container(&s)->cgroup.version = 1;
    scene_container(&s)->cgroup.high = FACT_UNKNOWN;
    scene_step(&s, 3);
    const struct verdict *v = scene_verdict(&s, VERDICT_HIGH_DRIFT);
    assert_true(v && v->state == VERDICT_RAISED && v->remedy == REMEDY_NONE);
    assert_non_null(strstr(v->why, "v2"));
    scene_end(&s);
}

static void hide_high(struct scene *s)
{
    scene_container(s)->cgroup.high = FACT_UNKNOWN;
}

static void unknown_high_is_left_alone(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.high=6g");
    s.change = hide_high;
    assert_true(scene_never_raised(&s, VERDICT_HIGH_DRIFT, 20));
    scene_end(&s);
}

/* ---- levels ---- */

static void levels_of_all_together(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "memory.max_model_memory=1g");
    scene_look(&s);
    const struct judgement *j = &s.judgement;
    assert_int_equal(j->host_level, LEVEL_LOW);
    assert_int_equal(j->models_level, LEVEL_LOW);
    assert_int_equal(scene_assessment(&s)->level, LEVEL_LOW);
    assert_int_equal(j->level, LEVEL_LOW);
    assert_true(j->models_held == 0 && j->models_budget == GIB);

    scene_list(&s, "m", "sha256-1");
    scene_list(&s, "n", "sha256-2");
    scene_add_runner(&s, 200,
                     "sha256-1"); /* 400 MiB each; what is mapped of files does not count */
    scene_step(&s, 1);
    assert_int_equal(j->models_level, LEVEL_LOW);
    scene_add_runner(&s, 201, "sha256-2"); /* 78 % of a GiB */
    scene_step(&s, 1);
    assert_true(j->models_held == 800 * MIB);
    assert_int_equal(j->models_level, LEVEL_MEDIUM);
    assert_int_equal(j->level, LEVEL_MEDIUM);
    scene_process(&s, 201)->swap = 100 * MIB;
    scene_step(&s, 1);
    assert_int_equal(j->models_level, LEVEL_HIGH);
    s.world.host.available = GIB;
    scene_step(&s, 1);
    assert_int_equal(j->host_level, LEVEL_CRITICAL);
    assert_int_equal(j->level, LEVEL_CRITICAL);
    assert_int_equal(j->models_level, LEVEL_HIGH);
    scene_end(&s);
}

static void hide_runner(struct scene *s)
{
    scene_process(s, 200)->rss_anon = FACT_UNKNOWN;
}

static void level_of_models_needs_budget_and_numbers(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_add_runner(&s, 200, "sha256-1");
    scene_look(&s);
    assert_int_equal(s.judgement.models_level, LEVEL_UNKNOWN);
    assert_true(s.judgement.models_budget == FACT_NONE);
    assert_int_equal(s.judgement.level, LEVEL_LOW);
    scene_end(&s);
    scene_begin(&s, "memory.max_model_memory=1g");
    scene_add_runner(&s, 200, "sha256-1");
    s.change = hide_runner;
    scene_look(&s);
    assert_int_equal(s.judgement.models_level, LEVEL_UNKNOWN);
    assert_true(s.judgement.models_held == FACT_UNKNOWN);
    s.change = NULL;
    scene_container(&s)->status = STATUS_EXITED; /* holds nothing, whatever is unknown of it */
    scene_step(&s, 1);
    assert_true(s.judgement.models_held == 0);
    assert_int_equal(s.judgement.models_level, LEVEL_LOW);
    scene_end(&s);
}

/* A label's budget is that container's own. */
static void label_gives_a_budget_of_its_own(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    struct container *c = scene_container(&s);
    assert_int_equal(
        pairs_add(&c->labels, &c->n_labels, "supervisor.memory.max_model_memory", "400m"), 0);
    scene_add_runner(&s, 200, "sha256-1");
    scene_look(&s);
    assert_int_equal(scene_assessment(&s)->level, LEVEL_CRITICAL);
    assert_int_equal(s.judgement.models_level, LEVEL_UNKNOWN);
    assert_int_equal(s.judgement.level, LEVEL_CRITICAL);
    assert_false(scene_acts(&s)); /* levels inform */
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_is_asked_for_under_pressure_in_the_third_look),
        cmocka_unit_test(cache_is_left_alone_below_the_threshold),
        cmocka_unit_test(little_cache_is_left_alone),
        cmocka_unit_test(cache_stays_raised_at_the_edge_without_a_deed),
        cmocka_unit_test(cache_that_was_given_back_clears_it),
        cmocka_unit_test(cache_on_version_1_is_told_only),
        cmocka_unit_test(unknown_asks_for_nothing),
        cmocka_unit_test(high_that_is_not_there_is_wanted),
        cmocka_unit_test(high_is_compared_by_pages),
        cmocka_unit_test(none_wanted_is_nothing_wrong),
        cmocka_unit_test(high_below_the_floor_is_told_only),
        cmocka_unit_test(high_on_version_1_is_told_only),
        cmocka_unit_test(unknown_high_is_left_alone),
        cmocka_unit_test(levels_of_all_together),
        cmocka_unit_test(level_of_models_needs_budget_and_numbers),
        cmocka_unit_test(label_gives_a_budget_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
