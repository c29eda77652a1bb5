/* ghost-model and oversize-model: which model, when, and what is done. */
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
#define B "sha256-bbbb"

static void loaded(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    scene_list(s, "a", A);
    scene_add_runner(s, 200, A);
    scene_look(s);
    scene_step(s, 10);
}

/* ---- ghost-model ---- */

static void ghost_is_told_after_ten_seconds(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, NULL);
    assert_null(scene_verdict(&s, VERDICT_GHOST_MODEL));
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    double gone_s = s.now_s;
    assert_true(scene_until_raised(&s, VERDICT_GHOST_MODEL, 60) == gone_s + 10);
    const struct verdict *v = scene_verdict(&s, VERDICT_GHOST_MODEL);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_int_equal(v->severity, SEVERITY_INFO);
    assert_string_equal(v->model, "a");
    assert_true(v->changed);
    assert_true(verdict_evidence(v, "runners") == 0);
    assert_true(verdict_evidence(v, "models") == 1);
    scene_step(&s, 600);
    assert_true(scene_raised(&s, VERDICT_GHOST_MODEL));
    assert_false(scene_acts(&s));
    scene_add_runner(&s, 201, A); /* the next request loaded it again */
    scene_step(&s, 1);
    v = scene_verdict(&s, VERDICT_GHOST_MODEL);
    assert_true(v && v->state == VERDICT_CLEARED);
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_GHOST_MODEL));
    scene_end(&s);
}

static void ghost_that_leaves_the_list_is_cleared(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, NULL);
    scene_remove_process(&s, 200);
    assert_true(scene_until_raised(&s, VERDICT_GHOST_MODEL, 60) > 0);
    scene_unlist(&s, "a");
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_GHOST_MODEL);
    assert_true(v && v->state == VERDICT_CLEARED && !strcmp(v->model, "a"));
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_GHOST_MODEL));
    scene_end(&s);
}

static void ghost_takes_two_polls_at_least(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, "supervisor.poll=8s");
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    double gone_s = s.now_s;
    assert_true(scene_until_raised(&s, VERDICT_GHOST_MODEL, 60) == gone_s + 16);
    scene_end(&s);
}

/* What it is in the recordings too: dying for half a second while it is still listed. */
static void unload_is_no_ghost(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, NULL);
    scene_process(&s, 200)->state = 'Z';
    scene_step(&s, 1);
    scene_remove_process(&s, 200);
    scene_step(&s, 3);
    assert_null(scene_verdict(&s, VERDICT_GHOST_MODEL));
    scene_unlist(&s, "a");
    assert_true(scene_never_raised(&s, VERDICT_GHOST_MODEL, 60));
    scene_end(&s);
}

static void has_its_runner(struct scene *s)
{
    scene_add_runner(s, 201, A);
}
static void has_an_unknown_runner(struct scene *s)
{
    scene_add_runner(s, 201, "");
}
static void has_another_runner(struct scene *s)
{
    scene_add_runner(s, 201, B);
}
static void blob_unknown(struct scene *s)
{
    scene_container(s)->ollama.models[0].blob[0] = 0;
}
static void processes_unknown(struct scene *s)
{
    scene_container(s)->processes_known = false;
    scene_container(s)->n_processes = 0;
}
static void answer_old(struct scene *s)
{
    scene_container(s)->ollama.age_ms = 4001;
}
static void no_answer(struct scene *s)
{
    scene_container(s)->ollama.reachable = false;
}

static void only_a_ghost_is_one(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct scene *s);
        bool ghost;
    } cases[] = {
        {"its runner", has_its_runner, false},
        {"unknown runner", has_an_unknown_runner, false},
        {"other runner", has_another_runner, true},
        {"blob unknown", blob_unknown, false},
        {"processes unknown", processes_unknown, false},
        {"old answer", answer_old, false},
        {"no answer", no_answer, false},
        {"ghost", NULL, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, NULL);
        scene_remove_process(&s, 200);
        s.change = cases[i].change;
        if (scene_never_raised(&s, VERDICT_GHOST_MODEL, 60) == cases[i].ghost)
            fail_msg("%s", cases[i].name);
        scene_end(&s);
    }
}

static void unknown_does_not_clear_a_ghost(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, NULL);
    scene_remove_process(&s, 200);
    assert_true(scene_until_raised(&s, VERDICT_GHOST_MODEL, 60) > 0);
    s.change = no_answer;
    scene_step(&s, 100);
    const struct verdict *v = scene_verdict(&s, VERDICT_GHOST_MODEL);
    assert_true(v && v->state == VERDICT_RAISED && !v->confirmed && v->missing[0]);
    scene_end(&s);
}

static void new_life_clears_a_ghost(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, NULL);
    scene_remove_process(&s, 200);
    assert_true(scene_until_raised(&s, VERDICT_GHOST_MODEL, 60) > 0);
    snprintf(scene_container(&s)->started_at, sizeof scene_container(&s)->started_at,
             "2026-11-21T04:00:00Z");
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_GHOST_MODEL);
    assert_true(v && v->state == VERDICT_CLEARED);
    scene_end(&s);
}

/* ---- oversize-model ---- */

static const fact billion = INT64_C(1000000000);

static void oversized(struct scene *s, const char *settings, fact parameters, fact size)
{
    scene_begin(s, settings);
    scene_list(s, "a", A);
    s->models[0].parameters = parameters;
    s->models[0].size = size;
    scene_add_runner(s, 200, A);
    scene_look(s);
}

static void oversize_by_table(void **state)
{
    static const struct {
        const char *name, *settings;
        fact parameters, size;
        bool told, unloaded;
    } cases[] = {
        {"off", NULL, 70 * (fact)1000000000, 40 * GIB, false, false},
        {"at the limit", "models.max_parameters=3B", 3 * (fact)1000000000, 6 * GIB, false, false},
        {"above it", "models.max_parameters=3B", 7 * (fact)1000000000, 6 * GIB, true, true},
        {"unknown", "models.max_parameters=3B", FACT_UNKNOWN, 6 * GIB, false, false},
        {"small", "models.max_parameters=3B", 7 * (fact)1000000000, 4 * GIB, true, false},
        {"size unknown", "models.max_parameters=3B", 7 * (fact)1000000000, FACT_UNKNOWN, true,
         false},
        {"small, and none is", "models.max_parameters=3B models.small_model=0",
         7 * (fact)1000000000, 4 * GIB, true, true},
        {"preset", "supervisor.preset=strict15g", 7 * (fact)1000000000, 6 * GIB, true, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        oversized(&s, cases[i].settings, cases[i].parameters, cases[i].size);
        bool told = false, unloaded = false;
        for (int k = 0; k < 30; k++) {
            scene_step(&s, 1);
            const struct verdict *v = scene_verdict(&s, VERDICT_OVERSIZE_MODEL);
            told |= v && v->state == VERDICT_RAISED;
            unloaded |= v && v->state == VERDICT_RAISED && v->remedy == REMEDY_UNLOAD &&
                        v->confirmed && !strcmp(v->model, "a");
        }
        if (told != cases[i].told || unloaded != cases[i].unloaded)
            fail_msg("%s: told %d, unloaded %d", cases[i].name, told, unloaded);
        scene_end(&s);
    }
}

static void connected(struct scene *s)
{
    scene_container(s)->connections = 1;
}
static void works(struct scene *s)
{
    scene_process(s, 200)->cpu_us = (fact)(s->now_s * 3e5);
}
static void cpu_unknown(struct scene *s)
{
    scene_process(s, 200)->cpu_us = FACT_UNKNOWN;
}
static void twin(struct scene *s)
{
    scene_add_runner(s, 201, A)->started_us = 1;
}

static void busy_one_is_told_and_not_unloaded(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct scene *s);
    } cases[] = {{"connected", connected},
                 {"works", works},
                 {"cpu unknown", cpu_unknown},
                 {"two runners", twin}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        oversized(&s, "models.max_parameters=3B", 7 * billion, 6 * GIB);
        s.change = cases[i].change;
        for (int k = 0; k < 60; k++) {
            scene_step(&s, 1);
            if (scene_acts(&s))
                fail_msg("%s", cases[i].name);
        }
        assert_true(scene_raised(&s, VERDICT_OVERSIZE_MODEL));
        s.change = NULL; /* and when it is idle it goes */
        int k = 0;
        while (!scene_acts(&s) && k++ < 20)
            scene_step(&s, 1);
        assert_in_range(k, 0, 12);
        scene_end(&s);
    }
}

/* It is told when it is found, and once more when there is something to do about it. */
static void remedy_is_told_once(void **state)
{
    struct scene s;
    int changes = 0;
    (void)state;
    oversized(&s, "models.max_parameters=3B", 7 * billion, 6 * GIB);
    for (int k = 0; k < 120; k++) {
        s.change = k % 20 < 5 ? works : NULL; /* in use now and then */
        scene_step(&s, 1);
        const struct verdict *v = scene_verdict(&s, VERDICT_OVERSIZE_MODEL);
        changes += v && v->changed;
    }
    assert_int_equal(changes, 2);
    scene_end(&s);
}

/* The fresh look before the unload finds somebody at work. */
static void fresh_look_with_a_client_does_not_confirm(void **state)
{
    struct scene s;
    (void)state;
    oversized(&s, "models.max_parameters=3B", 7 * billion, 6 * GIB);
    int k = 0;
    while (!scene_acts(&s) && k++ < 60)
        scene_step(&s, 1);
    assert_true(scene_acts(&s));
    s.connections = 1;
    s.connections_always = true;
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_OVERSIZE_MODEL);
    assert_true(v && v->state == VERDICT_RAISED && v->remedy == REMEDY_NONE && !v->confirmed);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ghost_is_told_after_ten_seconds),
        cmocka_unit_test(ghost_that_leaves_the_list_is_cleared),
        cmocka_unit_test(ghost_takes_two_polls_at_least),
        cmocka_unit_test(unload_is_no_ghost),
        cmocka_unit_test(only_a_ghost_is_one),
        cmocka_unit_test(unknown_does_not_clear_a_ghost),
        cmocka_unit_test(new_life_clears_a_ghost),
        cmocka_unit_test(oversize_by_table),
        cmocka_unit_test(busy_one_is_told_and_not_unloaded),
        cmocka_unit_test(remedy_is_told_once),
        cmocka_unit_test(fresh_look_with_a_client_does_not_confirm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
