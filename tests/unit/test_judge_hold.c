/* What interrupts a hold and what does not: unknown members, old answers, lost looks, clocks,
 * connections. */
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

/* ---- each member alone ---- */

static void no_rss(struct scene *s)
{
    scene_serve(s)->rss_anon = FACT_UNKNOWN;
}
static void no_swap(struct scene *s)
{
    scene_serve(s)->swap = FACT_UNKNOWN;
}
static void no_server(struct scene *s)
{
    scene_serve(s)->kind = PROCESS_OTHER;
}
static void no_processes(struct scene *s)
{
    scene_container(s)->n_processes = 0;
    scene_container(s)->processes_known = false;
}
static void no_limit_read(struct scene *s)
{
    scene_container(s)->cgroup.limit = FACT_UNKNOWN;
}
static void no_cpu(struct scene *s)
{
    scene_container(s)->cgroup.cpu_us = FACT_UNKNOWN;
}
static void no_received(struct scene *s)
{
    scene_container(s)->received = FACT_UNKNOWN;
}
static void not_asked(struct scene *s)
{
    scene_container(s)->ollama.asked = false;
}
static void no_answer(struct scene *s)
{
    scene_container(s)->ollama.reachable = false;
}
static void old_answer(struct scene *s)
{
    scene_container(s)->ollama.age_ms = 4001; /* two polls are 4 s */
}

static const struct {
    const char *name;
    void (*hide)(struct scene *scene);
    const char *missing; /* what the verdict names; NULL: without it nothing is suspected */
} members[] = {
    {"RssAnon", no_rss, NULL},
    {"VmSwap", no_swap, NULL},
    {"the server", no_server, NULL},
    {"processes", no_processes, NULL},
    {"limit", no_limit_read, NULL},
    {"CPU time", no_cpu, "CPU time or received bytes"},
    {"received", no_received, "CPU time or received bytes"},
    {"Ollama not asked", not_asked, "the list of loaded models: Ollama has not been asked"},
    {"no answer", no_answer, "the list of loaded models: Ollama does not answer"},
    {"old answer", old_answer,
     "the list of loaded models: Ollama does not answer, its last answer is too old"},
};
enum { MEMBERS = sizeof members / sizeof members[0] };

static void each_unknown_member_alone_blocks(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_leak(&s, 2 * GIB);
        s.change = members[i].hide;
        scene_look(&s);
        bool never = scene_never_raised(&s, VERDICT_IDLE_LEAK, 200);
        const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
        bool named = members[i].missing ? v && v->state == VERDICT_SUSPECT &&
                                              !strcmp(v->missing, members[i].missing)
                                        : v == NULL;
        if (!never || !named)
            fail_msg("%s: %s", members[i].name, v ? v->missing : "no verdict");
        s.change = NULL; /* known again: the hold begins, at most by the window earlier */
        double known_s = s.now_s + 1, raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
        if (raised_s < known_s + 60 || raised_s > known_s + 61)
            fail_msg("%s: raised %g s after it was known", members[i].name, raised_s - known_s);
        scene_end(&s);
    }
}

static void few_unknown_looks_contradict_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++)
        for (size_t lost = 1; lost <= 9; lost += 2) {
            struct scene s;
            scene_begin(&s, NULL);
            scene_leak(&s, 2 * GIB);
            scene_look(&s);
            scene_step(&s, 20);
            s.change = members[i].hide;
            scene_step(&s, lost);
            s.change = NULL;
            double known_s = s.now_s + 1, raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
            bool forgiven = raised_s == 60,
                 anew = raised_s >= known_s + 60 && raised_s <= known_s + 61;
            if (lost <= 3 ? !forgiven : lost >= 7 ? !anew : !forgiven && !anew)
                fail_msg("%s, %zu looks lost: raised at %g", members[i].name, lost, raised_s);
            scene_end(&s);
        }
}

static void raised_stays_while_unknown(void **state)
{
    (void)state;
    for (size_t i = 0; i < MEMBERS; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        scene_step(&s, 60);
        assert_true(scene_raised(&s, VERDICT_IDLE_LEAK));
        s.change = members[i].hide;
        for (int k = 0; k < 20; k++) {
            scene_step(&s, 1);
            const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
            if (!v || v->state != VERDICT_RAISED || v->confirmed || !v->missing[0])
                fail_msg("%s, look %d", members[i].name, k);
        }
        scene_end(&s);
    }
}

/* ---- what contradicts ---- */

static void lists_a_model(struct scene *s)
{
    scene_list(s, "m", "sha256-1");
}
static void has_a_runner(struct scene *s)
{
    scene_add_runner(s, 200, "sha256-1");
}
static void gives_back(struct scene *s)
{
    scene_leak(s, -2 * GIB);
}
static void computes(struct scene *s)
{
    s->cpu_percent = 40;
}
static void receives(struct scene *s)
{
    s->received_per_s = 1e6;
}
static void is_connected(struct scene *s)
{
    s->connections = 1;
    s->connections_always = true;
}

static void first_contradiction_clears(void **state)
{
    static const struct {
        const char *name;
        void (*set)(struct scene *s);
    } cases[] = {{"model", lists_a_model}, {"runner", has_a_runner}, {"bytes", gives_back},
                 {"cpu", computes},        {"received", receives},   {"connection", is_connected}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        scene_step(&s, 65);
        assert_true(scene_raised(&s, VERDICT_IDLE_LEAK));
        cases[i].set(&s);
        scene_step(&s, 1);
        const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
        if (!v || v->state != VERDICT_CLEARED || !v->changed || v->confirmed)
            fail_msg("%s", cases[i].name);
        scene_step(&s, 1);
        v = scene_verdict(&s, VERDICT_IDLE_LEAK);
        if (v && v->state != VERDICT_SUSPECT)
            fail_msg("%s: told twice", cases[i].name);
        scene_end(&s);
    }
}

/* ---- clocks ---- */

static void gap_in_either_clock_restarts_the_hold(void **state)
{
    static const struct {
        double step_s, wall_jump_s; /* of one look, 30 s into the hold */
        bool anew;
    } cases[] = {
        {1, 0, false},   {2, 0, false},    {3, 0, false},    {3.001, 0, true}, {60, 0, true},
        {1, 1.9, false}, {1, 2.1, true},   {1, 3600, true},  {1, -1, false},   {1, -2.9, false},
        {1, -3.1, true}, {1, -3600, true}, {2.5, -2, false}, {20, -20, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        scene_step(&s, 30);
        s.wall_offset_ms += (int64_t)(cases[i].wall_jump_s * 1000);
        scene_pass(&s, cases[i].step_s);
        double after_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
        bool anew = raised_s == after_s + 60, on = raised_s >= 60 && raised_s < 61;
        if (cases[i].anew ? !anew : !on)
            fail_msg("step %g, wall %+g: raised at %g", cases[i].step_s, cases[i].wall_jump_s,
                     raised_s);
        scene_end(&s);
    }
}

static void gap_is_three_intervals(void **state)
{
    struct scene s;
    (void)state;
    for (int anew = 0; anew <= 1; anew++) {
        scene_begin(&s, "supervisor.interval=5s");
        s.interval_s = 5;
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        scene_step(&s, 5);
        scene_pass(&s, anew ? 15.001 : 15);
        double after_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
        assert_true(raised_s == (anew ? after_s + 60 : 60));
        scene_end(&s);
    }
}

static void no_wall_time(struct scene *s)
{
    s->world.time_ms = -1;
}

static void unknown_wall_time_is_no_jump(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 20);
    s.change = no_wall_time;
    scene_step(&s, 2);
    s.change = NULL;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == 60);
    scene_end(&s);
}

/* ---- connections (facts 6 and 7) ---- */

static void connections_are_asked_for_last(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    for (int i = 0; i < 30; i++, scene_step(&s, 1))
        assert_false(scene_assessment(&s)->wants_connections);
    scene_leak(&s, 2 * GIB);
    scene_step(&s, 1);
    for (int i = 0; i < 58; i++, scene_step(&s, 1))
        assert_false(scene_assessment(&s)->wants_connections);
    assert_true(scene_assessment(&s)->wants_connections);
    s.connections_never = true; /* they cannot be read: no verdict, and it is named */
    assert_true(scene_never_raised(&s, VERDICT_IDLE_LEAK, 200));
    const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
    assert_string_equal(v->missing, "connections to Ollama's port");
    assert_true(scene_assessment(&s)->wants_connections);
    s.connections_never = false;
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_IDLE_LEAK));
    scene_end(&s);
}

static void connections_older_than_two_polls_are_unknown(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    s.connections_always = true;
    scene_look(&s);
    scene_step(&s, 55);
    s.connections_always = false;
    s.connections_never = true; /* last read at 55: at 60 that is too old */
    assert_true(scene_never_raised(&s, VERDICT_IDLE_LEAK, 60));
    scene_end(&s);
}

static void standing_verdict_is_confirmed_only_with_fresh_connections(void **state)
{
    struct scene s;
    size_t read = 0;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 60);
    for (int i = 0; i < 60; i++) {
        const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
        bool fresh = fact_known(scene_container(&s)->connections);
        assert_int_equal(v->state, VERDICT_RAISED);
        assert_int_equal(v->confirmed, fresh);
        read += fresh;
        scene_step(&s, 1);
    }
    assert_in_range(read, 5, 10); /* dear: every ten seconds, not every second */
    scene_end(&s);
}

static void idle_pool_of_connections_takes_ten_minutes(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    s.connections = 3;
    scene_look(&s);
    double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 700);
    assert_true(raised_s == 600);
    const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
    assert_true(v->hold_s == 600 && verdict_evidence(v, "connections") == 3);
    scene_end(&s);
}

static void client_that_leaves_shortens_the_hold_again(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    s.connections = 1;
    scene_look(&s);
    assert_true(scene_never_raised(&s, VERDICT_IDLE_LEAK, 100));
    s.connections = 0;
    double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
    assert_true(raised_s > 100 && raised_s <= 100 + 10 + 2); /* looked at every ten seconds */
    assert_true(scene_verdict(&s, VERDICT_IDLE_LEAK)->hold_s == 60);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_unknown_member_alone_blocks),
        cmocka_unit_test(few_unknown_looks_contradict_nothing),
        cmocka_unit_test(raised_stays_while_unknown),
        cmocka_unit_test(first_contradiction_clears),
        cmocka_unit_test(gap_in_either_clock_restarts_the_hold),
        cmocka_unit_test(gap_is_three_intervals),
        cmocka_unit_test(unknown_wall_time_is_no_jump),
        cmocka_unit_test(connections_are_asked_for_last),
        cmocka_unit_test(connections_older_than_two_polls_are_unknown),
        cmocka_unit_test(standing_verdict_is_confirmed_only_with_fresh_connections),
        cmocka_unit_test(idle_pool_of_connections_takes_ten_minutes),
        cmocka_unit_test(client_that_leaves_shortens_the_hold_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
