/* too-many-models: with models.single the one used last stays, and nothing busy goes. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "single_case.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The runner works for so long, at so much of a core. */
static void work(struct scene *s, fact pid, size_t seconds, double percent)
{
    for (size_t i = 0; i < seconds; i++) {
        scene_process(s, pid)->cpu_us += (fact)(percent * 1e4);
        scene_step(s, 1);
    }
}

static void off_by_default(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, NULL);
    work(&s, 200, 3, 50);
    scene_step(&s, 30);
    assert_null(scene_verdict(&s, VERDICT_TOO_MANY_MODELS));
    scene_end(&s);
}

static void one_model_is_not_too_many(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "models.single=on");
    scene_list(&s, "a", SINGLE_A);
    scene_add_runner(&s, 200, SINGLE_A);
    scene_look(&s);
    scene_step(&s, 30);
    assert_null(scene_verdict(&s, VERDICT_TOO_MANY_MODELS));
    scene_end(&s);
}

static void the_one_used_last_stays(void **state)
{
    (void)state;
    for (fact last = 200; last <= 201; last++) {
        struct scene s;
        single_begin(&s, "models.single=on");
        scene_step(&s, 6);
        work(&s, 401 - last, 2, 30);
        work(&s, last, 2, 30);
        scene_step(&s, 12);
        assert_string_equal(single_surplus(&s), last == 200 ? "b" : "a");
        const struct verdict *v = scene_verdict(&s, VERDICT_TOO_MANY_MODELS);
        assert_int_equal(v->remedy, REMEDY_UNLOAD);
        assert_int_equal(v->pid, 401 - last);
        assert_true(v->confirmed && verdict_evidence(v, "models") == 2);
        assert_true(verdict_evidence(v, "unused") >= 12);
        scene_end(&s);
    }
}

/* Nobody knows which was used last: nobody goes. */
static void a_tie_is_nobodys(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "models.single=on");
    scene_list(&s, "a", SINGLE_A);
    scene_add_runner(&s, 200, SINGLE_A);
    scene_list(&s, "b", SINGLE_B);
    scene_add_runner(&s, 201, SINGLE_B); /* both are found in one look, and neither was ever used */
    scene_look(&s);
    scene_step(&s, 60);
    assert_string_equal(single_surplus(&s), "");
    char why[128];
    assert_string_equal(why_not(scene_assessment(&s), VERDICT_TOO_MANY_MODELS, why, sizeof why),
                        "which of them was used last cannot be told");
    work(&s, 200, 2, 30);
    scene_step(&s, 12);
    assert_string_equal(single_surplus(&s), "b");
    scene_end(&s);
}

static void expire(struct scene *s, size_t model, double seconds)
{
    time_t at = (time_t)((double)s->world.time_ms / 1000 + seconds);
    strftime(s->models[model].expires_at, sizeof s->models[model].expires_at, "%Y-%m-%dT%H:%M:%SZ",
             gmtime(&at));
}

/* Two requests that ended between the same two lists are told apart by expires_at, if that is a
 * request's end and the server's keep_alive; where it cannot be, a request had its own, and nobody
 * goes. Nor does where the lists are far apart, or nobody saw one before: what fits then may be a
 * keep_alive of its own. */
static void a_new_expires_at_tells_apart(void **state)
{
    static const double ever_s = 9223372036;
    static const struct {
        const char *keep;
        double apart_s;  /* the lists; 0: it is the first */
        double a_s, b_s; /* until they expire */
        const char *goes;
        bool once; /* a person asks */
    } cases[] = {
        {NULL, 8, 294, 298, "a", false}, /* 6 s and 2 s ago */
        {NULL, 8, 298, 294, "b", false},
        {NULL, 8, 294, 3600, "", false}, /* somebody asked for more */
        {NULL, 8, 294, 200, "", false},  /* or for less */
        {"1h", 8, 3594, 3598, "a", false},
        {"-1", 8, ever_s - 6, ever_s - 2, "a", false},
        {"?", 8, 294, 298, "", false},
        {NULL, 20, 282, 298, "", false},
        {NULL, 0, 200, 250, "", false},
        {NULL, 0, 250, 200, "", false},
        {NULL, 0, 200, 250, "a", true},
        {NULL, 0, 250, 200, "b", true},
        {NULL, 0, 250, 3600, "", true},
        {NULL, 0, 250, -301, "", true}, /* that were before its start */
        {NULL, 0, 250, 310, "", true},  /* nor is it a use in ten seconds */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        scene_begin(&s, "models.single=on");
        if (cases[i].once)
            judge_ask_once(s.judge);
        struct container *c = scene_container(&s);
        assert_int_equal(
            pairs_add(&c->env, &c->n_env, "OLLAMA_KEEP_ALIVE", cases[i].keep ? cases[i].keep : ""),
            0);
        scene_list(&s, "a", SINGLE_A);
        scene_list(&s, "b", SINGLE_B);
        scene_add_runner(&s, 200, SINGLE_A)->started_us -= 600000000;
        scene_add_runner(&s, 201, SINGLE_B)->started_us -= 600000000;
        scene_look(&s); /* sets the clock */
        for (size_t k = 0; k < 2 && cases[i].apart_s > 0; k++)
            expire(&s, k, 1000);
        s.poll_s = 1;
        scene_step(&s, 1);
        s.poll_s = cases[i].apart_s;
        for (size_t k = 0; k < 2; k++) /* as of the next list */
            expire(&s, k, cases[i].apart_s + (k ? cases[i].b_s : cases[i].a_s));
        scene_step(&s, (size_t)cases[i].apart_s);
        s.poll_s = 0;
        scene_step(&s, 20);
        if (strcmp(single_surplus(&s), cases[i].goes) != 0)
            fail_msg("case %zu: %s", i, single_surplus(&s));
        if (*cases[i].goes)
            assert_non_null(
                strstr(scene_verdict(&s, VERDICT_TOO_MANY_MODELS)->why, "(its expires_at)"));
        else
            assert_non_null(
                strstr(scene_assessment(&s)->why, "which of 2 was used last cannot be told"));
        scene_end(&s);
    }
}

/* An idle runner's tick is no use; a request that is too short for a tick shows in expires_at. */
static void a_use_may_leave_no_tick(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on"); /* b was loaded later */
    snprintf(s.models[0].expires_at, sizeof s.models[0].expires_at, "2030-01-01T00:00:00Z");
    snprintf(s.models[1].expires_at, sizeof s.models[1].expires_at, "2030-01-01T00:00:05Z");
    scene_step(&s, 10);
    assert_string_equal(single_surplus(&s), "a");
    scene_process(&s, 200)->cpu_us += 10000;
    scene_step(&s, 10);
    assert_string_equal(single_surplus(&s), "a");
    snprintf(s.models[0].expires_at, sizeof s.models[0].expires_at, "2030-01-01T01:00:30+01:00");
    scene_step(&s, 10);
    assert_string_equal(single_surplus(&s), "b");
    snprintf(s.models[0].expires_at, sizeof s.models[0].expires_at, "2030-01-01T00:00:30Z");
    snprintf(s.models[1].expires_at, sizeof s.models[1].expires_at, "2030-01-01T01:00:05+01:00");
    scene_step(&s, 10); /* other words for the same instants */
    assert_string_equal(single_surplus(&s), "b");
    scene_end(&s);
}

static void what_is_pinned_stays(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on models.pin=a");
    scene_step(&s, 20);
    assert_string_equal(single_surplus(&s), ""); /* b is the one beside it */
    scene_list(&s, "c", SINGLE_C);
    scene_add_runner(&s, 202, SINGLE_C);
    scene_step(&s, 20);
    assert_string_equal(single_surplus(&s), "b");
    scene_end(&s);
}

static void wanted_for_two_polls(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on");
    double known_s = s.now_s;
    assert_string_equal(single_surplus(&s), "");
    while (!*single_surplus(&s))
        scene_step(&s, 1);
    assert_true(s.now_s == known_s + 4);
    scene_end(&s);
}

static void busy_one_is_never_unloaded(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on");
    snprintf(s.models[1].expires_at, sizeof s.models[1].expires_at, "2029-01-01T00:00:00Z");
    for (int i = 0; i < 30; i++) { /* a works on, b was used in this very look */
        scene_process(&s, 200)->cpu_us += 800000;
        scene_process(&s, 201)->cpu_us += 400000;
        s.cpu_percent = 120;
        scene_step(&s, 1);
        assert_string_equal(single_surplus(&s), "");
    }
    assert_int_equal(scene_assessment(&s)->activity, ACTIVITY_BUSY);
    assert_string_equal(scene_assessment(&s)->why, "2 models are busy; one is wanted: waiting");
    s.cpu_percent = 80; /* a goes on: b is the one too many, after its window is quiet */
    for (int i = 0; i < 12; i++) {
        scene_process(&s, 200)->cpu_us += 800000;
        scene_step(&s, 1);
    }
    assert_string_equal(single_surplus(&s), "b");
    scene_process(&s, 201)->cpu_us += 800000; /* and it is asked again: at once it is not */
    scene_process(&s, 200)->cpu_us += 800000;
    scene_step(&s, 1);
    assert_string_equal(single_surplus(&s), "");
    assert_int_equal(scene_verdict(&s, VERDICT_TOO_MANY_MODELS)->state, VERDICT_CLEARED);
    work(&s, 200, 3, 80);
    scene_step(&s, 20); /* its request has not ended, whatever its runner does */
    assert_string_equal(single_surplus(&s), "");
    snprintf(s.models[1].expires_at, sizeof s.models[1].expires_at, "2030-01-01T00:00:00Z");
    scene_step(&s, 3);
    work(&s, 200, 3, 80);
    scene_step(&s, 20);
    assert_string_equal(single_surplus(&s), "b");
    scene_end(&s);
}

static void three_models_leave_one(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on");
    scene_list(&s, "c", SINGLE_C);
    scene_add_runner(&s, 202, SINGLE_C);
    scene_step(&s, 6);
    work(&s, 201, 2, 30);
    scene_step(&s, 12);
    assert_string_equal(single_surplus(&s), "ac");
    scene_end(&s);
}

/* A model that is listed without a runner holds nothing; it neither stays nor goes. */
static void ghost_is_ignored(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on");
    scene_step(&s, 10);
    assert_string_equal(single_surplus(&s), "a");
    scene_remove_process(&s, 201);
    scene_step(&s, 1);
    assert_string_equal(single_surplus(&s), "");
    scene_step(&s, 30);
    assert_null(scene_verdict(&s, VERDICT_TOO_MANY_MODELS));
    scene_end(&s);
}

static void what_nobody_can_tell_apart_stays(void **state)
{
    (void)state;
    for (int how = 0; how < 4; how++) {
        struct scene s;
        single_begin(&s, "models.single=on");
        if (how == 0)
            s.models[0].blob[0] = 0; /* no blob */
        else if (how == 1)
            scene_process(&s, 200)->blob[0] = 0;
        else if (how == 2)
            scene_add_runner(&s, 202, SINGLE_A); /* two runners on a's blob */
        else
            scene_process(&s, 200)->state = 'Z';
        scene_step(&s, 30);
        assert_string_equal(single_surplus(&s), "");
        scene_end(&s);
    }
}

static void more_models_than_are_compared(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on");
    for (int i = 0; i < 15; i++) {
        char name[16], blob[24];
        snprintf(name, sizeof name, "x%d", i);
        snprintf(blob, sizeof blob, "sha256-%d", i);
        scene_list(&s, name, blob);
        scene_add_runner(&s, 300 + i, blob);
    }
    scene_step(&s, 30); /* seventeen: none is unloaded by half a comparison */
    assert_null(scene_verdict(&s, VERDICT_TOO_MANY_MODELS));
    scene_end(&s);
}

static void no_answer(struct scene *s)
{
    scene_container(s)->ollama.reachable = false;
}
static void no_processes(struct scene *s)
{
    scene_container(s)->n_processes = 0;
    scene_container(s)->processes_known = false;
}

static void unknown_looks_neither_raise_nor_clear(void **state)
{
    static void (*const hide[])(struct scene *s) = {no_answer, no_processes};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        single_begin(&s, "models.single=on");
        scene_step(&s, 10);
        assert_string_equal(single_surplus(&s), "a");
        s.change = hide[i];
        for (int k = 0; k < 20; k++) {
            scene_step(&s, 1);
            assert_string_equal(single_surplus(&s), "a");
            const struct verdict *v = scene_verdict(&s, VERDICT_TOO_MANY_MODELS);
            assert_false(v->confirmed);
            assert_string_equal(v->missing, "loaded models or processes");
        }
        s.change = NULL; /* after so long it is earned anew */
        scene_step(&s, 1);
        assert_string_equal(single_surplus(&s), "");
        scene_step(&s, 5);
        assert_string_equal(single_surplus(&s), "a");
        scene_end(&s);
    }
}

static void cleared_when_it_is_gone(void **state)
{
    struct scene s;
    (void)state;
    single_begin(&s, "models.single=on");
    scene_step(&s, 10);
    scene_unlist(&s, "a");
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    const struct verdict *v = scene_verdict(&s, VERDICT_TOO_MANY_MODELS);
    assert_true(v && v->state == VERDICT_CLEARED && v->changed);
    assert_string_equal(v->model, "a");
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_TOO_MANY_MODELS));
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(off_by_default),
        cmocka_unit_test(one_model_is_not_too_many),
        cmocka_unit_test(the_one_used_last_stays),
        cmocka_unit_test(a_tie_is_nobodys),
        cmocka_unit_test(a_new_expires_at_tells_apart),
        cmocka_unit_test(a_use_may_leave_no_tick),
        cmocka_unit_test(what_is_pinned_stays),
        cmocka_unit_test(wanted_for_two_polls),
        cmocka_unit_test(busy_one_is_never_unloaded),
        cmocka_unit_test(three_models_leave_one),
        cmocka_unit_test(ghost_is_ignored),
        cmocka_unit_test(what_nobody_can_tell_apart_stays),
        cmocka_unit_test(more_models_than_are_compared),
        cmocka_unit_test(unknown_looks_neither_raise_nor_clear),
        cmocka_unit_test(cleared_when_it_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
