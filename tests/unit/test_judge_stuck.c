/* stuck-stopping: a model whose time is over stays in a runner that does nothing. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "base/clock.h"
#include "worlds.h"
#include <stdio.h>
#include <string.h>

#define A "sha256-aaaa"
#define B "sha256-bbbb"

/* The model's time is over in so many seconds (of the wall clock as it is now). */
static void expire(struct scene *s, double in_s)
{
    clock_format(s->world.time_ms + (int64_t)(in_s * 1000), s->models[0].expires_at,
                 sizeof s->models[0].expires_at);
}

/* Loaded and idle, with 20 s left of its time; ten seconds of that are over. */
static void begin(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    scene_list(s, "a", A);
    scene_add_runner(s, 200, A);
    scene_look(s);
    expire(s, 20);
    scene_step(s, 10);
}

static void stuck_is_raised_at_its_hold(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    double raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 200);
    assert_true(raised_s >= 20 + 60 && raised_s <= 20 + 60 + 2);
    const struct verdict *v = scene_verdict(&s, VERDICT_STUCK_STOPPING);
    assert_int_equal(v->remedy, REMEDY_KILL_RUNNER);
    assert_int_equal(v->pid, 200);
    assert_int_equal(v->started_us, scene_process(&s, 200)->started_us);
    assert_true(v->confirmed && v->changed);
    assert_true(verdict_evidence(v, "runner") == (double)(400 * MIB));
    assert_true(verdict_evidence(v, "expired") >= 60);
    assert_true(verdict_evidence(v, "connections") == 0);
    scene_remove_process(&s, 200); /* killed; it stays listed, as a ghost */
    scene_step(&s, 1);
    v = scene_verdict(&s, VERDICT_STUCK_STOPPING);
    assert_true(v && v->state == VERDICT_CLEARED && v->pid == 200);
    scene_end(&s);
}

/* An unload was asked for: its time is over at once. */
static void unload_that_does_not_end(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    expire(&s, 300);
    scene_step(&s, 10);
    expire(&s, -0.1);
    double asked_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 200);
    assert_true(raised_s >= asked_s + 60 && raised_s <= asked_s + 62);
    scene_end(&s);
}

/* It waited for an answer: what stands still after it has left is not yet known to be stuck. */
static void client_that_left_restarts_the_hold(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    s.connections = 1;
    assert_true(scene_never_raised(&s, VERDICT_STUCK_STOPPING, 120));
    double seen_s = s.now_s;
    s.connections = 0;
    double raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 200);
    assert_true(raised_s >= seen_s + 60 && raised_s <= seen_s + 60 + 14);
    scene_end(&s);
}

static void hold_is_a_setting(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, "leak.stuck_hold=5s");
    double raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 200);
    assert_true(raised_s >= 25 && raised_s <= 27);
    scene_end(&s);
}

/* It came and was told to go between two questions: its time was over when it was seen first. */
static void unload_right_after_the_load(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    scene_step(&s, 10);
    scene_list(&s, "a", A);
    scene_add_runner(&s, 200, A);
    expire(&s, -0.1);
    double asked_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 500);
    assert_true(raised_s >= asked_s + 60 && raised_s <= asked_s + 63);
    scene_end(&s);
}

/* ---- what is none ---- */

static void works(struct scene *s)
{
    scene_process(s, 200)->cpu_us = (fact)(s->now_s * 9e5);
}
static void grows(struct scene *s)
{
    scene_process(s, 200)->rss_anon += (fact)s->now_s * 2 * MIB;
}
static void waits_for_the_disk(struct scene *s)
{
    scene_process(s, 200)->state = 'D';
}
static void has_a_client(struct scene *s)
{
    scene_container(s)->connections = 1;
}
static void connections_unknown(struct scene *s)
{
    scene_container(s)->connections = FACT_UNKNOWN;
}
static void is_not_over(struct scene *s)
{
    snprintf(scene_container(s)->ollama.models[0].expires_at, 48,
             "2318-01-01T00:00:00.1+02:00"); /* keep_alive -1 */
}
static void expiry_unknown(struct scene *s)
{
    scene_container(s)->ollama.models[0].expires_at[0] = 0;
}
static void expiry_malformed(struct scene *s)
{
    snprintf(scene_container(s)->ollama.models[0].expires_at, 48, "Stopping...");
}
static void time_unknown(struct scene *s)
{
    s->world.time_ms = -1;
}
static void list_old(struct scene *s)
{
    scene_container(s)->ollama.age_ms = 4001;
}
static void cpu_unknown(struct scene *s)
{
    scene_process(s, 200)->cpu_us = FACT_UNKNOWN;
}
static void another_blob(struct scene *s)
{
    snprintf(scene_process(s, 200)->blob, sizeof scene_process(s, 200)->blob, B);
}
static void twin(struct scene *s)
{
    scene_add_runner(s, 201, A)->started_us = 1;
}
static void processes_unknown(struct scene *s)
{
    scene_container(s)->processes_known = false;
    scene_container(s)->n_processes = 0;
}
static void foreign_parent(struct scene *s)
{
    scene_process(s, 200)->ppid = 999;
}
/* East of Greenwich: 20 s left, and not two hours over. */
static void offset(struct scene *s)
{
    char text[48];
    clock_format(s->world.time_ms + 20000 + 7200000, text, sizeof text);
    snprintf(scene_container(s)->ollama.models[0].expires_at, 48, "%.19s.5+02:00", text);
}

static void only_what_is_stuck_is_killed(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct scene *s);
        bool stuck;
    } cases[] = {
        {"works", works, false},
        {"grows", grows, false},
        {"disk", waits_for_the_disk, false},
        {"client", has_a_client, false},
        {"connections unknown", connections_unknown, false},
        {"not over", is_not_over, false},
        {"expiry unknown", expiry_unknown, false},
        {"expiry malformed", expiry_malformed, false},
        {"time unknown", time_unknown, false},
        {"list old", list_old, false},
        {"cpu unknown", cpu_unknown, false},
        {"another blob", another_blob, false},
        {"twin", twin, false},
        {"processes unknown", processes_unknown, false},
        {"foreign parent", foreign_parent, false},
        {"offset", offset, false},
        {"stuck", NULL, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s, NULL);
        s.change = cases[i].change;
        if (scene_never_raised(&s, VERDICT_STUCK_STOPPING, 500) == cases[i].stuck)
            fail_msg("%s", cases[i].name);
        scene_end(&s);
    }
}

static void client_clears_it(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    assert_true(scene_until_raised(&s, VERDICT_STUCK_STOPPING, 200) > 0);
    s.connections = 1;
    s.connections_always = true;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_STUCK_STOPPING)->state, VERDICT_CLEARED);
    scene_end(&s);
}

/* ---- clocks ---- */

/* Ollama's timer knows nothing of a clock that is set, and stands still while the machine sleeps:
 * a model whose time seems to be over has that much left. */
static void clock_set_forward(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    expire(&s, 300);
    scene_step(&s, 10);
    s.wall_offset_ms += 3600000;
    assert_true(scene_never_raised(&s, VERDICT_STUCK_STOPPING, 285));
    double raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 200); /* it really stays */
    assert_true(raised_s > 0);
    scene_end(&s);
}

static void machine_slept(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    expire(&s, 300);
    scene_step(&s, 10);
    scene_pass(&s, 7200);
    assert_true(scene_never_raised(&s, VERDICT_STUCK_STOPPING, 285));
    scene_end(&s);
}

/* Of what was before it was seen first nobody knows: longer than the five minutes that a model
 * stays. */
static void found_with_its_time_over(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_list(&s, "a", A);
    snprintf(s.models[0].expires_at, sizeof s.models[0].expires_at, "2020-01-01T00:00:00Z");
    scene_add_runner(&s, 200, A);
    scene_look(&s);
    double raised_s = scene_until_raised(&s, VERDICT_STUCK_STOPPING, 1000);
    assert_true(raised_s >= 360 && raised_s <= 363);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stuck_is_raised_at_its_hold),
        cmocka_unit_test(unload_that_does_not_end),
        cmocka_unit_test(unload_right_after_the_load),
        cmocka_unit_test(client_that_left_restarts_the_hold),
        cmocka_unit_test(hold_is_a_setting),
        cmocka_unit_test(only_what_is_stuck_is_killed),
        cmocka_unit_test(client_clears_it),
        cmocka_unit_test(clock_set_forward),
        cmocka_unit_test(machine_slept),
        cmocka_unit_test(found_with_its_time_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
