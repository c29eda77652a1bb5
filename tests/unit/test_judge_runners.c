/* orphan-runner and stalled-load: which runner, and at which second. */
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

/* A model that is loaded and idle, as the server says. */
static void loaded(struct scene *s)
{
    scene_list(s, "a", A);
    scene_add_runner(s, 200, A);
    scene_look(s);
}

static void orphan_is_raised_at_its_hold(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    loaded(&s);
    scene_step(&s, 30);
    scene_unlist(&s, "a"); /* and its runner stays */
    scene_step(&s, 1);
    double seen_s = s.now_s;
    assert_true(scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 120) == seen_s + 60);
    const struct verdict *v = scene_verdict(&s, VERDICT_ORPHAN_RUNNER);
    assert_int_equal(v->remedy, REMEDY_KILL_RUNNER);
    assert_int_equal(v->pid, 200);
    assert_int_equal(v->started_us, scene_process(&s, 200)->started_us);
    assert_true(v->changed && v->confirmed);
    assert_true(verdict_evidence(v, "runner") == (double)(400 * MIB));
    assert_true(verdict_evidence(v, "runner_file") == (double)(200 * MIB));
    assert_true(verdict_evidence(v, "connections") == 0);
    assert_null(scene_verdict(&s, VERDICT_IDLE_LEAK));
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    v = scene_verdict(&s, VERDICT_ORPHAN_RUNNER);
    assert_true(v && v->state == VERDICT_CLEARED && v->changed && v->pid == 200);
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_ORPHAN_RUNNER));
    scene_end(&s);
}

static void worst_phase_is_two_samples_and_a_poll(void **state)
{
    (void)state;
    for (double phase_s = 0; phase_s < 2; phase_s += 0.25)
        for (int new_one = 0; new_one <= 1; new_one++) {
            struct scene s;
            scene_begin(&s, NULL);
            s.poll_s = 2;
            if (!new_one)
                loaded(&s);
            else
                scene_look(&s);
            scene_step(&s, 20 + (size_t)phase_s);
            double cause_s = 20 + phase_s;
            if (new_one) /* one that nobody ever listed */
                scene_add_runner(&s, 200, A);
            else
                scene_unlist(&s, "a");
            double raised_s = scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 120);
            if (raised_s < cause_s + 60 || raised_s > cause_s + 60 + 2 + 2)
                fail_msg("phase %g, new %d: raised %g s after it", phase_s, new_one,
                         raised_s - cause_s);
            scene_end(&s);
        }
}

/* ---- what is no orphan; each case changes the world before every look ---- */

static void is_listed(struct scene *s)
{
    (void)s; /* as `loaded` has it */
}
static void loads(struct scene *s)
{
    struct process *p = scene_process(s, 200);
    scene_container(s)->ollama.n_models = 0;
    p->rss_anon += (fact)(s->now_s * 300) * MIB;
    p->cpu_us = (fact)(s->now_s * 8e5);
}
static void loads_file(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->rss_file += (fact)(s->now_s * 2) * MIB;
}
static void computes(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->cpu_us = (fact)(s->now_s * 1.2e5);
}
/* 600 ms of work every 40 s: little in all, but it is at work. */
static void computes_now_and_then(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->cpu_us = (fact)(s->now_s / 40) * 600000;
}
static void waits_for_the_disk(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->state = 'D';
}
static void is_a_zombie(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    struct process *p = scene_process(s, 200);
    p->state = 'Z';
    p->rss_anon = p->rss_file = p->swap = FACT_UNKNOWN;
}
static void has_another_parent(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->ppid = 999;
}
static void is_no_runner(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->kind = PROCESS_OTHER;
}
static void is_dying(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->kind = PROCESS_SERVE;
}
static void model_without_blob(struct scene *s)
{
    scene_container(s)->ollama.models[0].blob[0] = 0;
}
static void runner_without_blob(struct scene *s)
{
    scene_process(s, 200)->blob[0] = 0;
}
static void other_model_without_blob(struct scene *s)
{
    struct model *m = &scene_container(s)->ollama.models[0];
    m->blob[0] = 0; /* may be a rename of anything */
    scene_add_runner(s, 201, B);
}
static void answer_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_container(s)->ollama.reachable = false;
}
static void answer_old(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_container(s)->ollama.age_ms = 4001;
}
static void state_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->state = 0;
}
static void parent_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->ppid = FACT_UNKNOWN;
}
static void cpu_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->cpu_us = FACT_UNKNOWN;
}
static void anon_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->rss_anon = FACT_UNKNOWN;
}
static void file_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_process(s, 200)->rss_file = FACT_UNKNOWN;
}
static void server_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_serve(s)->kind = PROCESS_OTHER;
}
static void processes_unknown(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_container(s)->n_processes = 0;
    scene_container(s)->processes_known = false;
}
static void unlisted(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
}
/* Two runners on one blob and one model: nobody can tell which one is listed. */
static void twin(struct scene *s)
{
    scene_add_runner(s, 201, A)->started_us = 1;
}

/* Its list may be the other one's. */
static void another_server(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_add_process(s, 150, PROCESS_SERVE, 10 * MIB);
}

static void list_of_nobody_knows_whom(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_container(s)->ollama.server = FACT_NONE;
}
static void list_of_another_process(struct scene *s)
{
    scene_container(s)->ollama.n_models = 0;
    scene_container(s)->ollama.server = 77;
}

static const struct {
    const char *name;
    void (*change)(struct scene *s);
    bool orphan, unknown;
} cases[] = {
    {"listed", is_listed, false, false},
    {"loads", loads, false, false},
    {"maps its file", loads_file, false, false},
    {"computes", computes, false, false},
    {"computes now and then", computes_now_and_then, false, false},
    {"waits for the disk", waits_for_the_disk, false, false},
    {"zombie", is_a_zombie, false, false},
    {"another parent", has_another_parent, false, false},
    {"no runner", is_no_runner, false, false},
    {"dying", is_dying, false, false},
    {"model without blob", model_without_blob, false, false},
    {"runner without blob", runner_without_blob, false, false},
    {"other model without blob", other_model_without_blob, false, false},
    {"two on one blob", twin, false, false},
    {"answer unknown", answer_unknown, false, true},
    {"answer old", answer_old, false, true},
    {"state unknown", state_unknown, false, true},
    {"parent unknown", parent_unknown, false, true},
    {"cpu unknown", cpu_unknown, false, true},
    {"anon unknown", anon_unknown, false, true},
    {"file unknown", file_unknown, false, true},
    {"server unknown", server_unknown, false, true},
    {"processes unknown", processes_unknown, false, true},
    {"another server", another_server, false, true},
    {"whose list it is, nobody can tell", list_of_nobody_knows_whom, false, true},
    {"another process's list", list_of_another_process, false, true},
    {"unlisted", unlisted, true, false},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static void only_an_orphan_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        s.change = cases[i].change;
        loaded(&s);
        bool never = scene_never_raised(&s, VERDICT_ORPHAN_RUNNER, 400);
        if (never == cases[i].orphan || scene_raised(&s, VERDICT_IDLE_LEAK))
            fail_msg("%s", cases[i].name);
        scene_end(&s);
    }
}

static void standing_orphan_by_what_comes_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct scene s;
        if (cases[i].orphan || cases[i].change == loads_file || cases[i].change == loads ||
            cases[i].change == computes || cases[i].change == computes_now_and_then)
            continue; /* their time begins with the scene */
        scene_begin(&s, NULL);
        s.change = unlisted;
        loaded(&s);
        scene_step(&s, 61);
        assert_true(scene_raised(&s, VERDICT_ORPHAN_RUNNER));
        s.change = cases[i].change;
        for (int k = 0; k < 10; k++) {
            scene_step(&s, 1);
            const struct verdict *v = scene_verdict(&s, VERDICT_ORPHAN_RUNNER);
            bool stays = v && v->state == VERDICT_RAISED && !v->confirmed && v->pid == 200 &&
                         v->remedy == REMEDY_KILL_RUNNER;
            bool cleared = v && v->state == VERDICT_CLEARED && v->changed && v->pid == 200;
            if (cases[i].unknown ? !stays : k == 0 ? !cleared && !stays : v && !stays)
                fail_msg("%s, look %d", cases[i].name, k);
        }
        bool left = scene_raised(&s, VERDICT_ORPHAN_RUNNER);
        bool undecided = cases[i].change == other_model_without_blob; /* two runners, one name */
        if (left != (cases[i].unknown || undecided))
            fail_msg("%s: raised %d", cases[i].name, left);
        scene_end(&s);
    }
}

static void unknown_looks_restart_the_hold_when_many(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++)
        for (size_t lost = 3; cases[i].unknown && lost <= 9; lost += 6) {
            struct scene s;
            scene_begin(&s, NULL);
            s.change = unlisted;
            loaded(&s);
            scene_step(&s, 30);
            s.change = cases[i].change;
            scene_step(&s, lost);
            s.change = unlisted;
            double known_s = s.now_s + 1,
                   raised_s = scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 200);
            bool on = raised_s <= 61, anew = raised_s >= known_s + 60 && raised_s <= known_s + 61;
            bool flat = cases[i].change == cpu_unknown || cases[i].change == anon_unknown ||
                        cases[i].change == file_unknown; /* they stayed what they were before */
            if (lost == 3 ? !on : !anew && !(flat && on))
                fail_msg("%s, %zu lost: raised at %g", cases[i].name, lost, raised_s);
            scene_end(&s);
        }
}

/* Somebody may use the runner itself, past the server. */
static void one_that_is_used_is_no_orphan(void **state)
{
    static const fact not_none[] = {1, FACT_UNKNOWN};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        loaded(&s);
        scene_unlist(&s, "a");
        s.clients = not_none[i];
        assert_true(scene_never_raised(&s, VERDICT_ORPHAN_RUNNER, 400));
        const struct verdict *v = scene_verdict(&s, VERDICT_ORPHAN_RUNNER);
        assert_int_equal(i == 1, v && !strcmp(v->missing, "connections to its runner's port"));
        s.clients = 0; /* he has left */
        assert_true(scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 5) > 0);
        s.clients = 1; /* he is back, which the fresh look sees */
        s.connections_always = true;
        scene_step(&s, 1);
        assert_false(scene_raised(&s, VERDICT_ORPHAN_RUNNER));
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orphan_is_raised_at_its_hold),
        cmocka_unit_test(worst_phase_is_two_samples_and_a_poll),
        cmocka_unit_test(only_an_orphan_is_one),
        cmocka_unit_test(standing_orphan_by_what_comes_next),
        cmocka_unit_test(unknown_looks_restart_the_hold_when_many),
        cmocka_unit_test(one_that_is_used_is_no_orphan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
