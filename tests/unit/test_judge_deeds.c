/* What was done of late about a model counts: of some remedies there are only so many in a time. */
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
#include <time.h>

#define A "sha256-aaaa"
#define B "sha256-bbbb"

static void expires_in(struct scene *s, size_t model, double seconds)
{
    time_t at = (time_t)((double)s->world.time_ms / 1000 + seconds);
    strftime(s->models[model].expires_at, sizeof s->models[model].expires_at, "%Y-%m-%dT%H:%M:%SZ",
             gmtime(&at));
}

/* A model that rests, and a client's connection. */
static void begin(struct scene *s)
{
    scene_begin(s, NULL);
    scene_list(s, "a", A);
    scene_add_runner(s, 200, A);
    s->connections = 1;
    scene_look(s);
    expires_in(s, 0, 300);
    scene_step(s, 10);
}

static bool told(struct scene *s, double seconds)
{
    return !scene_never_raised(s, VERDICT_HUNG_RUNNER, seconds);
}

/* What was done, as keep would tell it. */
static struct deeds done;

static void is_told(struct scene *s)
{
    for (size_t i = 0; i < done.n; i++)
        done.all[i].age_s += s->world.monotonic_s - done.told_s;
    done.told_s = s->world.monotonic_s;
    judge_tell_deeds(s->judge, scene_container(s)->id, &done);
}

/* It hangs, is killed where that is its remedy, and another one comes in its place. */
static enum remedy hangs(struct scene *s, fact pid)
{
    scene_process(s, pid)->cpu_us += 300000;
    scene_step(s, 1);
    scene_process(s, pid)->state = 'T';
    assert_true(told(s, 40));
    enum remedy remedy = scene_verdict(s, VERDICT_HUNG_RUNNER)->remedy;
    char blob[80];
    snprintf(blob, sizeof blob, "%s", scene_process(s, pid)->blob);
    assert_string_equal(scene_verdict(s, VERDICT_HUNG_RUNNER)->blob, blob);
    scene_remove_process(s, pid);
    scene_step(s, 1);
    if (remedy == REMEDY_KILL_RUNNER) {
        struct deed deed = {.kind = VERDICT_HUNG_RUNNER, .remedy = remedy};
        snprintf(deed.blob, sizeof deed.blob, "%s", blob);
        is_told(s);
        done.all[done.n++] = deed;
        is_told(s);
    }
    scene_add_runner(s, pid, blob);
    scene_step(s, 10);
    return remedy;
}

/* Of which a restart of the container makes no new hour. */
static void told_after_three_of_a_model(void **state)
{
    (void)state;
    for (int restarted = 0; restarted < 2; restarted++) {
        struct scene s;
        done.n = 0;
        begin(&s);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(hangs(&s, 200), i < 3 ? REMEDY_KILL_RUNNER : REMEDY_NONE);
            if (!restarted || i != 2)
                continue;
            snprintf(scene_container(&s)->started_at, sizeof scene_container(&s)->started_at,
                     "2026-11-21T04:00:00Z");
            scene_step(&s, 10);
        }
        for (int i = 0; i < 36; i++)
            scene_pass(&s, 100); /* an hour */
        scene_step(&s, 10);
        assert_int_equal(hangs(&s, 200), REMEDY_KILL_RUNNER);
        scene_end(&s);
    }
}

/* Nor does a supervisor that begins: it is told. What ended by itself is no deed, and what was done
 * to another model, or for another verdict, is not counted. */
static void told_by_what_was_done(void **state)
{
    static const struct deed three[] = {
        {VERDICT_HUNG_RUNNER, REMEDY_KILL_RUNNER, A, 3000},
        {VERDICT_HUNG_RUNNER, REMEDY_KILL_RUNNER, A, 20},
        {VERDICT_HUNG_RUNNER, REMEDY_KILL_RUNNER, A, 10},
    };
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct scene s;
        begin(&s);
        done.n = 3;
        memcpy(done.all, three, sizeof three);
        if (how == 1)
            done.all[1].kind = VERDICT_ORPHAN_RUNNER;
        if (how == 2)
            done.all[1].remedy = REMEDY_UNLOAD;
        if (how == 3)
            memcpy(done.all[1].blob, B, sizeof B);
        if (how == 4)
            done.all[0].age_s = 3600;
        done.told_s = s.world.monotonic_s;
        is_told(&s);
        assert_int_equal(hangs(&s, 200), how == 0 ? REMEDY_NONE : REMEDY_KILL_RUNNER);
        scene_end(&s);
    }
}

static void what_went_by_itself_is_no_deed(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    for (int i = 0; i < 5; i++) {
        done.n = 0;
        assert_int_equal(hangs(&s, 200), REMEDY_KILL_RUNNER);
        done.n = 0;
        is_told(&s);
    }
    scene_end(&s);
}

/* More than are remembered. */
static void told_where_many_models_hang(void **state)
{
    struct scene s;
    (void)state;
    done.n = 0;
    begin(&s);
    for (int i = 1; i < 4; i++) {
        char name[] = {(char)('a' + i), 0}, blob[] = "sha256-x";
        blob[7] = name[0];
        scene_list(&s, name, blob);
        scene_add_runner(&s, 200 + i, blob);
        scene_step(&s, 1);
        expires_in(&s, (size_t)i, 300);
    }
    scene_step(&s, 10);
    for (int i = 0; i < 12; i++)
        assert_int_equal(hangs(&s, 200 + i % 4), i < 9 ? REMEDY_KILL_RUNNER : REMEDY_NONE);
    scene_end(&s);
}

/* Near the limit: neither step twice within ten minutes, whoever did it and whichever runner of the
 * model it was; the other one of the two is another step. */
static void not_again_for_growth(void **state)
{
    static const struct {
        struct deed deed;
        fact left; /* MiB until the limit */
        enum remedy remedy;
    } cases[] = {
        {{VERDICT_GROWTH_LEAK, REMEDY_KILL_RUNNER, GROWTH_BLOB, 500}, 40, REMEDY_NONE},
        {{VERDICT_GROWTH_LEAK, REMEDY_KILL_RUNNER, GROWTH_BLOB, 600}, 40, REMEDY_KILL_RUNNER},
        {{VERDICT_GROWTH_LEAK, REMEDY_KILL_RUNNER, B, 500}, 40, REMEDY_KILL_RUNNER},
        {{VERDICT_HUNG_RUNNER, REMEDY_KILL_RUNNER, GROWTH_BLOB, 500}, 40, REMEDY_KILL_RUNNER},
        {{VERDICT_GROWTH_LEAK, REMEDY_UNLOAD, GROWTH_BLOB, 500}, 40, REMEDY_KILL_RUNNER},
        {{VERDICT_GROWTH_LEAK, REMEDY_KILL_RUNNER, GROWTH_BLOB, 500}, 400, REMEDY_UNLOAD},
        {{VERDICT_GROWTH_LEAK, REMEDY_UNLOAD, GROWTH_BLOB, 500}, 400, REMEDY_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        growth_begin(&s, NULL, "0.24.0", NULL);
        s.connections = 1;
        s.cpu_percent = 30;
        assert_true(growth_until(&s, VERDICT_GROWTH_LEAK, 700, 3 * GIB) > 0);
        struct deeds deeds = {.all = {cases[i].deed}, .n = 1};
        judge_tell_deeds(s.judge, scene_container(&s)->id, &deeds);
        scene_container(&s)->cgroup.limit = scene_assessment(&s)->held + cases[i].left * MIB;
        growth_run(&s, 3, 3 * GIB);
        if (scene_verdict(&s, VERDICT_GROWTH_LEAK)->remedy != cases[i].remedy)
            fail_msg("case %zu", i);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_after_three_of_a_model),
        cmocka_unit_test(told_by_what_was_done),
        cmocka_unit_test(what_went_by_itself_is_no_deed),
        cmocka_unit_test(told_where_many_models_hang),
        cmocka_unit_test(not_again_for_growth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
