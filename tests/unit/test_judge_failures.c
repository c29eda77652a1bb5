/* A remedy that was not enough: whose it is remembered as, and for how long. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/look.h"
#include "worlds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void is_remembered_for_ten_minutes(void **state)
{
    struct failures failures = {0};
    (void)state;
    assert_false(has_failed(&failures, REMEDY_UNLOAD, 0, 60));
    failures_add(&failures, REMEDY_UNLOAD, 100);
    assert_true(has_failed(&failures, REMEDY_UNLOAD, 100, 60));
    assert_true(has_failed(&failures, REMEDY_UNLOAD, 160, 60));
    assert_false(has_failed(&failures, REMEDY_UNLOAD, 161, 60));
    assert_false(has_failed(&failures, REMEDY_KILL_RUNNER, 100, 60));
    assert_true(has_failed(&failures, REMEDY_UNLOAD, 700, 1e6));
    assert_false(has_failed(&failures, REMEDY_UNLOAD, 701, 1e6)); /* failure_kept_s */
    failures_add(&failures, REMEDY_UNLOAD, 701);
    assert_true(has_failed(&failures, REMEDY_UNLOAD, 800, 1e6));
}

struct subject {
    struct history history;
    struct runner runners[2];
    struct known_model models[2];
};

static void subject_begin(struct subject *s)
{
    *s = (struct subject){.history = {.runners = s->runners,
                                      .n_runners = 2,
                                      .models = s->models,
                                      .n_models = 2,
                                      .started_at = "now"},
                          .runners = {{.pid = 200, .started_us = 7}, {.pid = 201, .started_us = 8}},
                          .models = {{.name = "a"}, {.name = "b"}}};
}

static struct verdict verdict_of(fact pid, fact started_us, const char *model)
{
    struct verdict v = {.kind = VERDICT_GROWTH_LEAK,
                        .remedy = REMEDY_UNLOAD,
                        .pid = pid,
                        .started_us = started_us,
                        .started_at = "now"};
    snprintf(v.model, sizeof v.model, "%s", model);
    return v;
}

/* Which of the five have it: runners, models, container, as digits. */
static const char *told(struct verdict v)
{
    static char text[6];
    struct subject s;
    subject_begin(&s);
    history_tell_failed(&s.history, &v, 50);
    const struct failures *all[] = {&s.runners[0].failures, &s.runners[1].failures,
                                    &s.models[0].failures, &s.models[1].failures,
                                    &s.history.failures};
    for (size_t i = 0; i < 5; i++)
        text[i] = has_failed(all[i], v.remedy, 50, 1) ? '1' : '0';
    return text;
}

static void belongs_to_its_subject(void **state)
{
    (void)state;
    assert_string_equal(told(verdict_of(200, 7, "")), "10000");
    assert_string_equal(told(verdict_of(201, 8, "")), "01000");
    assert_string_equal(told(verdict_of(200, 7, "a")), "10100");
    assert_string_equal(told(verdict_of(FACT_UNKNOWN, FACT_UNKNOWN, "b")), "00010");
    assert_string_equal(told(verdict_of(FACT_UNKNOWN, FACT_UNKNOWN, "")), "00001");
    /* Another process of that number, a model that is not listed: nobody's. */
    assert_string_equal(told(verdict_of(200, 8, "")), "00000");
    assert_string_equal(told(verdict_of(FACT_UNKNOWN, FACT_UNKNOWN, "c")), "00000");
    struct verdict other_life = verdict_of(200, 7, "a");
    snprintf(other_life.started_at, sizeof other_life.started_at, "before");
    assert_string_equal(told(other_life), "00000");
}

/* Through the judge: of a container that it does not know it remembers nothing, and is not moved by
 * it in what it judges. */
static void other_verdicts_stay(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 200) > 0);
    struct verdict v = *scene_verdict(&s, VERDICT_IDLE_LEAK);
    judge_tell_failed(s.judge, &v, s.world.monotonic_s);
    snprintf(v.id, sizeof v.id, "another");
    judge_tell_failed(s.judge, &v, s.world.monotonic_s);
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_IDLE_LEAK));
    assert_int_equal(scene_verdict(&s, VERDICT_IDLE_LEAK)->remedy, REMEDY_RESTART);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_remembered_for_ten_minutes),
        cmocka_unit_test(belongs_to_its_subject),
        cmocka_unit_test(other_verdicts_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
