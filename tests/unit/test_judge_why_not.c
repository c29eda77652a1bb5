/* Why a verdict does not stand: what the judge leaves in the assessment, by the conditions that it
 * judged. That each kind either stands or has a reason is checked in every look of every scene
 * (worlds.c). */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "worlds.h"
#include <string.h>

#define A "sha256-aaaa"
#define B "sha256-bbbb"

static const char *why(const struct scene *s, enum verdict_kind kind)
{
    static char text[256];
    why_not(scene_assessment(s), kind, text, sizeof text);
    if (*text)
        assert_true(text[strlen(text) - 1] != '.');
    return text;
}

static void idle_server(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "leak.baseline=10m");
    scene_step(&s, 20);
    for (enum verdict_kind k = 0; k < VERDICT_KINDS; k++)
        assert_true(*why(&s, k));
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK),
                        "the server itself holds 0 B above its baseline, a leak begins at 1.0 GiB");
    assert_string_equal(why(&s, VERDICT_ORPHAN_RUNNER), "no runner is alive");
    assert_string_equal(why(&s, VERDICT_GHOST_MODEL), "no model is listed");
    assert_string_equal(why(&s, VERDICT_NO_LIMIT), "it has a limit of 8.0 GiB");
    assert_string_equal(why(&s, VERDICT_LIMIT_DRIFT), "memory.limit is not set: none is wanted");
    assert_string_equal(why(&s, VERDICT_OOM_KILL), "unknown: the kernel's counter of kills");
    scene_end(&s);
}

static void leak_that_comes(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "leak.baseline=10m");
    scene_list(&s, "a", A);
    scene_add_runner(&s, 200, A);
    scene_leak(&s, 2 * GIB);
    scene_step(&s, 10);
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK), "a model is loaded");
    assert_string_equal(why(&s, VERDICT_ORPHAN_RUNNER), "every runner is one of a listed model");
    assert_string_equal(why(&s, VERDICT_TOO_MANY_MODELS), "models.single is off");
    assert_string_equal(why(&s, VERDICT_GHOST_MODEL), "each listed model has its runner");
    scene_unlist(&s, "a");
    scene_step(&s, 3);
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK), "a runner is alive");
    scene_remove_process(&s, 200);
    s.cpu_percent = 43;
    scene_step(&s, 10);
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK), "it is busy: 43 % of a core");
    s.cpu_percent = 0;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 200) > 0);
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK), ""); /* it stands */
    scene_container(&s)->status = STATUS_EXITED;
    scene_step(&s, 1);
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK), "");
    scene_end(&s);
}

/* Of several runners or models, the one of which most is true says why. */
static void nearest_of_several(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_list(&s, "a", A);
    scene_add_runner(&s, 200, A);
    scene_add_runner(&s, 201, B);
    for (int i = 0; i < 20; i++) {
        scene_process(&s, 201)->cpu_us += 500000;
        scene_step(&s, 1);
    }
    assert_string_equal(why(&s, VERDICT_ORPHAN_RUNNER), "its runner works");
    scene_step(&s, 20);
    assert_non_null(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)); /* suspected */
    assert_string_equal(why(&s, VERDICT_ORPHAN_RUNNER), "");
    assert_string_equal(why(&s, VERDICT_STALLED_LOAD), "nobody is connected");
    scene_end(&s);
}

static void what_is_unknown_is_named(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_container(&s)->cgroup.limit = FACT_UNKNOWN;
    s.silent = true;
    scene_container(&s)->ollama.reachable = false;
    scene_step(&s, 20);
    assert_string_equal(why(&s, VERDICT_NO_LIMIT), "unknown: its limit");
    assert_string_equal(why(&s, VERDICT_IDLE_LEAK),
                        "unknown: the list of loaded models: Ollama does not answer");
    scene_end(&s);
}

static void what_has_not_lasted(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_step(&s, 10);
    s.silent = true;
    scene_container(&s)->ollama.reachable = false;
    scene_container(&s)->ollama.age_ms = 0;
    scene_step(&s, 11);
    assert_non_null(strstr(why(&s, VERDICT_UNREACHABLE), "it has not lasted yet, 1"));
    assert_non_null(strstr(why(&s, VERDICT_UNREACHABLE), " s of 1m 00s"));
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_server),         cmocka_unit_test(leak_that_comes),
        cmocka_unit_test(nearest_of_several),  cmocka_unit_test(what_is_unknown_is_named),
        cmocka_unit_test(what_has_not_lasted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
