/* idle-model: what is unknown, clients, and what begins anew. */
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

#define A   "sha256-aaaa"
#define B   "sha256-bbbb"
#define SET "models.idle_unload=30s"

/* Model "a" is listed in the first look, with the expires_at that its load gave it. */
static void loaded(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    scene_list(s, "a", A);
    snprintf(s->models[0].expires_at, sizeof s->models[0].expires_at, "2126-11-21T04:00:00Z");
    scene_add_runner(s, 200, A);
    scene_look(s);
}

static double raised(struct scene *s, double max_s)
{
    return scene_until_raised(s, VERDICT_IDLE_MODEL, max_s);
}

static void computes(struct scene *s)
{
    scene_process(s, 200)->cpu_us += 30000;
}

/* ---- unknown */

static void processes_unknown(struct scene *s)
{
    scene_container(s)->processes_known = false;
    scene_container(s)->n_processes = 0;
}
static void cpu_unknown(struct scene *s)
{
    scene_process(s, 200)->cpu_us = FACT_UNKNOWN;
}
static void memory_unknown(struct scene *s)
{
    scene_process(s, 200)->rss_anon = FACT_UNKNOWN;
}
static void state_unknown(struct scene *s)
{
    scene_process(s, 200)->state = 0;
}
static void list_unknown(struct scene *s)
{
    scene_container(s)->ollama.reachable = false;
}
static void blob_unknown(struct scene *s)
{
    scene_container(s)->ollama.models[0].blob[0] = 0;
}
static void twin(struct scene *s)
{
    scene_add_runner(s, 201, A)->started_us = 1;
}
static void runner_gone(struct scene *s)
{
    scene_remove_process(s, 200);
}

static void unknown_blocks(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct scene *s);
    } cases[] = {
        {"processes", processes_unknown},
        {"cpu", cpu_unknown},
        {"memory", memory_unknown},
        {"state", state_unknown},
        {"list", list_unknown},
        {"blob", blob_unknown},
        {"two runners", twin},
        {"ghost", runner_gone},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, SET);
        s.change = cases[i].change;
        if (!scene_never_raised(&s, VERDICT_IDLE_MODEL, 100))
            fail_msg("%s", cases[i].name);
        s.change = NULL; /* known for all that time: it counts from now on */
        double from_s = s.now_s;
        if (raised(&s, 100) < from_s + 30)
            fail_msg("%s: at once", cases[i].name);
        scene_end(&s);
    }
}

static void unread_connections_block(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, SET);
    s.connections_never = true;
    assert_true(scene_never_raised(&s, VERDICT_IDLE_MODEL, 600));
    s.connections_never = false;
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_IDLE_MODEL));
    scene_end(&s);
}

/* What is raised stays while it is unknown, and is not acted on. */
static void raised_one_is_not_confirmed_by_unknown(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, SET);
    assert_true(raised(&s, 100) > 0);
    s.change = cpu_unknown;
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_IDLE_MODEL));
    assert_false(scene_verdict(&s, VERDICT_IDLE_MODEL)->confirmed);
    scene_end(&s);
}

/* ---- clients */

static void client_that_asks_for_nothing(void **state)
{
    static const struct {
        const char *settings;
        double raised_s;
    } cases[] = {{SET, 601},
                 {"models.idle_unload=20m", 1201},
                 {"models.idle_unload=30s leak.connected_hold=60s", 61},
                 {"models.idle_unload=30s leak.connected_hold=10s", 31}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, cases[i].settings);
        s.connections = 1;
        double raised_s = raised(&s, 2000);
        if (raised_s < cases[i].raised_s || raised_s > cases[i].raised_s)
            fail_msg("case %zu: raised at %g", i, raised_s);
        assert_non_null(strstr(scene_verdict(&s, VERDICT_IDLE_MODEL)->why, "client"));
        scene_end(&s);
    }
}

static void client_that_leaves(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, SET);
    s.connections = 1;
    assert_true(scene_never_raised(&s, VERDICT_IDLE_MODEL, 200));
    s.connections =
        0; /* seen within ten seconds: a client that stays is not looked at more often */
    double from_s = s.now_s, raised_s = raised(&s, 100);
    assert_true(raised_s > from_s && raised_s <= from_s + 12);
    scene_end(&s);
}

/* The fresh look before the unload finds a client, or a request that has just begun. */
static void fresh_look_does_not_confirm(void **state)
{
    (void)state;
    for (int what = 0; what < 2; what++) {
        struct scene s;
        loaded(&s, SET);
        assert_true(raised(&s, 100) > 0);
        s.connections = what == 0;
        s.connections_always = true;
        if (what == 1)
            computes(&s);
        scene_pass(&s, 0.1);
        const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_MODEL);
        assert_true(v && v->state == VERDICT_CLEARED && !v->confirmed);
        scene_end(&s);
    }
}

/* Connections cost milliseconds: not before everything else holds. */
static void connections_are_read_late(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, "models.idle_unload=15m");
    for (int i = 0; i < 890; i++) {
        scene_step(&s, 1);
        assert_false(scene_assessment(&s)->wants_connections);
    }
    assert_true(raised(&s, 20) == 901);
    unsigned wanted = 0;
    for (int i = 0; i < 100; i++) {
        scene_step(&s, 1);
        wanted += scene_assessment(&s)->wants_connections;
    }
    assert_in_range(wanted, 8, 11);
    scene_end(&s);
}

/* ---- what begins anew */

static void sleeps(struct scene *s)
{
    scene_pass(s, 60);
}
static void wall_clock_is_set(struct scene *s)
{
    s->wall_offset_ms += 3600 * 1000;
    scene_pass(s, 1);
}
static void restarts(struct scene *s)
{
    snprintf(scene_container(s)->started_at, sizeof scene_container(s)->started_at,
             "2026-11-21T05:00:00Z");
    scene_pass(s, 1);
}
static void its_unload(struct scene *s)
{
    judge_restart_holds(s->judge, scene_container(s)->id, "a:latest");
    scene_pass(s, 1);
}
static void another_unload(struct scene *s)
{
    judge_restart_holds(s->judge, scene_container(s)->id, "b");
    scene_pass(s, 1);
}

static void anew_by_table(void **state)
{
    static const struct {
        const char *name;
        void (*happens)(struct scene *s);
        bool anew;
    } cases[] = {{"a gap", sleeps, true},
                 {"the wall clock", wall_clock_is_set, true},
                 {"another life", restarts, true},
                 {"its own unload", its_unload, true},
                 {"another model's unload", another_unload, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, SET);
        scene_step(&s, 24);
        cases[i].happens(&s);
        double from_s = s.now_s, raised_s = raised(&s, 100);
        bool anew = raised_s >= from_s + 30 && raised_s <= from_s + 31;
        if (anew != cases[i].anew || (!anew && raised_s > from_s + 6))
            fail_msg("%s: raised at %g", cases[i].name, raised_s - from_s);
        scene_end(&s);
    }
}

static void setting_that_goes_clears(void **state)
{
    struct scene s;
    struct error err;
    (void)state;
    loaded(&s, SET);
    assert_true(raised(&s, 100) > 0);
    assert_int_equal(config_set(s.config, "models.pin=a", ORIGIN_COMMAND_LINE, &err), 0);
    judge_settings_changed(s.judge);
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_IDLE_MODEL)->state, VERDICT_CLEARED);
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_IDLE_MODEL));
    scene_end(&s);
}

/* It began to work after a rest, and its request has not ended: who waits for it is asked. */
static void a_waiting_request_is_a_use(void **state)
{
    static const struct {
        bool connected, ended, told;
    } cases[] = {{true, false, false}, {false, false, true}, {true, true, true}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        loaded(&s, SET " leak.connected_hold=60s");
        scene_step(&s, 10);
        s.connections = cases[i].connected;
        computes(&s);
        scene_step(&s, 1);
        if (cases[i].ended)
            snprintf(s.models[0].expires_at, sizeof s.models[0].expires_at, "2126-11-21T04:00:20Z");
        if ((raised(&s, 300) >= 0) != cases[i].told)
            fail_msg("case %zu", i);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_waiting_request_is_a_use),
        cmocka_unit_test(unknown_blocks),
        cmocka_unit_test(unread_connections_block),
        cmocka_unit_test(raised_one_is_not_confirmed_by_unknown),
        cmocka_unit_test(client_that_asks_for_nothing),
        cmocka_unit_test(client_that_leaves),
        cmocka_unit_test(fresh_look_does_not_confirm),
        cmocka_unit_test(connections_are_read_late),
        cmocka_unit_test(anew_by_table),
        cmocka_unit_test(setting_that_goes_clears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
