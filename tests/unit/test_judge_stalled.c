/* Runners with clients that wait, several runners, and lists that are older than they are. */
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

/* ---- a client that waits ---- */

static void stalled_load_is_told_and_ended_late(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_add_runner(&s, 200, A);
    s.connections = 1;
    scene_look(&s);
    double told_s = scene_until_raised(&s, VERDICT_STALLED_LOAD, 120);
    assert_true(told_s >= 60 && told_s <= 62);
    assert_int_equal(scene_verdict(&s, VERDICT_STALLED_LOAD)->remedy, REMEDY_NONE);
    assert_int_equal(scene_verdict(&s, VERDICT_STALLED_LOAD)->pid, 200);
    assert_false(scene_acts(&s));
    double raised_s = scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 400);
    assert_true(raised_s >= 360 && raised_s <= 362);
    assert_true(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)->hold_s == 360);
    assert_int_equal(scene_verdict(&s, VERDICT_STALLED_LOAD)->state, VERDICT_CLEARED);
    scene_end(&s);
}

static void client_that_leaves_makes_it_an_orphan(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_add_runner(&s, 200, A);
    s.connections = 1;
    scene_look(&s);
    scene_step(&s, 100);
    assert_true(scene_raised(&s, VERDICT_STALLED_LOAD));
    s.connections = 0;
    double raised_s = scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 60);
    assert_true(raised_s > 100 && raised_s <= 112);
    assert_int_equal(scene_verdict(&s, VERDICT_STALLED_LOAD)->state, VERDICT_CLEARED);
    s.connections = 1; /* and one that comes back makes it a stalled load again */
    s.connections_always = true;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)->state, VERDICT_CLEARED);
    assert_true(scene_raised(&s, VERDICT_STALLED_LOAD));
    scene_end(&s);
}

static void connections_unknown_block_it(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    s.connections_never = true;
    scene_add_runner(&s, 200, A);
    scene_look(&s);
    scene_step(&s, 57);
    assert_false(scene_assessment(&s)->wants_connections);
    scene_step(&s, 3);
    assert_true(scene_assessment(&s)->wants_connections);
    assert_true(scene_never_raised(&s, VERDICT_ORPHAN_RUNNER, 400));
    assert_string_equal(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)->missing,
                        "connections to Ollama's port");
    scene_end(&s);
}

/* ---- which one ---- */

static void only_the_unlisted_one_of_several(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_list(&s, "a", A);
    scene_add_runner(&s, 200, A);
    scene_add_runner(&s, 201, B);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 120) <= 61);
    size_t raised = 0;
    for (size_t i = 0; i < s.judgement.n_verdicts; i++)
        raised += s.judgement.verdicts[i].state == VERDICT_RAISED;
    assert_int_equal(raised, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)->pid, 201);
    scene_end(&s);
}

/* The same pid, another start: another process, whose hold begins anew. */
static void pid_reused_is_another_runner(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_add_runner(&s, 200, A);
    scene_look(&s);
    scene_step(&s, 50);
    scene_process(&s, 200)->started_us += 1;
    scene_step(&s, 1);
    assert_true(scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 120) >= 51 + 60);
    scene_end(&s);
}

/* A list that was asked for before the runner was there says nothing of it (fact 2). */
static void list_older_than_the_runner_says_nothing(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, "leak.orphan_hold=1s supervisor.poll=5s");
    s.silent = true;
    scene_look(&s);
    scene_step(&s, 5);
    scene_add_runner(&s, 200, A);
    for (int age_s = 1; age_s <= 9; age_s++) {
        scene_container(&s)->ollama.age_ms = age_s * 1000;
        scene_step(&s, 1);
        assert_false(scene_raised(&s, VERDICT_ORPHAN_RUNNER));
    }
    scene_container(&s)->ollama.age_ms = 0;
    scene_step(&s, 3);
    assert_true(scene_raised(&s, VERDICT_ORPHAN_RUNNER));
    scene_end(&s);
}

/* [] that was asked for before a runner was last seen does not prove that nothing is loaded. */
static void list_older_than_the_last_runner_proves_nothing(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_add_runner(&s, 200, A);
    scene_look(&s);
    scene_step(&s, 3);
    scene_remove_process(&s, 200);
    s.silent = true;
    scene_container(&s)->ollama.age_ms = 1500;
    scene_step(&s, 1);
    assert_false(scene_assessment(&s)->answered);
    assert_string_equal(scene_assessment(&s)->why, "the last answer is older than the last runner");
    scene_container(&s)->ollama.age_ms = 900;
    scene_step(&s, 1);
    assert_true(scene_assessment(&s)->answered);
    assert_int_equal(scene_assessment(&s)->activity, ACTIVITY_IDLE);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stalled_load_is_told_and_ended_late),
        cmocka_unit_test(client_that_leaves_makes_it_an_orphan),
        cmocka_unit_test(connections_unknown_block_it),
        cmocka_unit_test(only_the_unlisted_one_of_several),
        cmocka_unit_test(pid_reused_is_another_runner),
        cmocka_unit_test(list_older_than_the_runner_says_nothing),
        cmocka_unit_test(list_older_than_the_last_runner_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
