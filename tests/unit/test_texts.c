/* What a person is told: for how long, by how much, and only what is so. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "cli/say.h"
#include "growth_scene.h"
#include "tell/state_json.h"
#include <stdio.h>
#include <string.h>

static void changes(void **state)
{
    static const struct {
        fact before, after;
        const char *said;
    } cases[] = {
        {100, 50, "50.0 % less)"},
        {100, 150, "50.0 % more)"},
        {100, 200, "100.0 % more)"},
        {100, 4800, "48 times as much)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[160];
        say_change(cases[i].before, cases[i].after, text, sizeof text);
        if (!strstr(text, cases[i].said))
            fail_msg("%s", text);
    }
}

/* Growth that is over is not told as if it went on, though its verdict stands. */
static void growth_that_is_over(void **state)
{
    struct scene s;
    (void)state;
    growth_begin(&s, NULL, "0.24.0", NULL);
    assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 700, 3 * GIB) > 0);
    assert_non_null(strstr(scene_verdict(&s, VERDICT_GROWTH_LEAK)->why, "grows by"));
    scene_step(&s, 70);
    const struct verdict *v = scene_verdict(&s, VERDICT_GROWTH_LEAK);
    assert_int_equal(v->state, VERDICT_RAISED);
    assert_null(strstr(v->why, "grows"));
    assert_non_null(strstr(v->why, "grew by"));
    assert_non_null(strstr(v->why, "it has not for 1"));
    growth_run(&s, 5, 3 * GIB);
    assert_non_null(strstr(scene_verdict(&s, VERDICT_GROWTH_LEAK)->why, "grows by"));
    scene_end(&s);
}

static void one_runner_is_one(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    scene_step(&s, 10);
    scene_add_runner(&s, 200, GROWTH_BLOB);
    scene_step(&s, 8);
    assert_string_equal(scene_assessment(&s)->why, "1 runner, 0 models listed");
    scene_end(&s);
}

static size_t told(const struct scene *s, double suspect_s)
{
    struct state state = {.world = &s->world, .judgement = &s->judgement, .suspect_s = suspect_s};
    json_t *json = state_to_json(&state);
    assert_non_null(json);
    size_t n = 0, i;
    json_t *v;
    json_array_foreach(json_object_get(json, "verdicts"), i, v) n +=
        !strcmp(json_string_value(json_object_get(v, "verdict")), "orphan-runner");
    json_decref(json);
    return n;
}

/* A suspicion is shown when it is older than that; what was raised always. */
static void young_suspicions(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    scene_step(&s, 10);
    scene_add_runner(&s, 200, GROWTH_BLOB);
    while (!scene_verdict(&s, VERDICT_ORPHAN_RUNNER))
        scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)->state, VERDICT_SUSPECT);
    assert_int_equal(told(&s, 0), 1);
    assert_int_equal(told(&s, 10), 0);
    scene_step(&s, 12);
    assert_int_equal(told(&s, 10), 1);
    assert_true(scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 100) > 0);
    assert_int_equal(told(&s, 1e6), 1);
    scene_end(&s);
}

/* An earlier supervisor learned what the idle server holds, in this life. */
static void a_baseline_is_told(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    assert_int_equal(scene_assessment(&s)->baseline, 128 * MIB);
    judge_tell_baseline(s.judge, scene_container(&s)->id, "another life", 9 * MIB);
    scene_step(&s, 1);
    assert_int_equal(scene_assessment(&s)->baseline, 128 * MIB);
    judge_tell_baseline(s.judge, scene_container(&s)->id, scene_container(&s)->started_at, 9 * MIB);
    scene_step(&s, 1);
    assert_int_equal(scene_assessment(&s)->baseline, 9 * MIB);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes),
        cmocka_unit_test(growth_that_is_over),
        cmocka_unit_test(one_runner_is_one),
        cmocka_unit_test(young_suspicions),
        cmocka_unit_test(a_baseline_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
