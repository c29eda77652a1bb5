/* The optimisation pass, and which loaded models may go at all: tables. */
#include "judge/optimize.h"
#include "room_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void stays(void **state)
{
    (void)state;
    static const struct {
        bool pinned, unmatched;
        enum rest rest;
        enum tier_rank tier;
        double idle_s;
        enum pressure_level level;
        bool lifted;
        enum staying stays;
    } cases[] = {
        {false, false, REST_IDLE, TIER_NONE, -1, LEVEL_LOW, false, STAYS_NOT},
        {false, false, REST_IDLE, TIER_OTHER, -1, LEVEL_LOW, false, STAYS_NOT},
        {true, false, REST_IDLE, TIER_NONE, 9999, LEVEL_CRITICAL, true, STAYS_PINNED},
        {false, false, REST_BUSY, TIER_NONE, 9999, LEVEL_CRITICAL, true, STAYS_BUSY},
        {false, false, REST_UNKNOWN, TIER_NONE, 9999, LEVEL_LOW, false, STAYS_UNKNOWN},
        {false, true, REST_IDLE, TIER_NONE, 9999, LEVEL_LOW, false, STAYS_UNMATCHED},
        {false, false, REST_IDLE, TIER_FAST, 9999, LEVEL_HIGH, false, STAYS_PROTECTED},
        {false, false, REST_IDLE, TIER_FAST, 1799, LEVEL_CRITICAL, false, STAYS_PROTECTED},
        {false, false, REST_IDLE, TIER_FAST, -1, LEVEL_CRITICAL, false, STAYS_PROTECTED},
        {false, false, REST_IDLE, TIER_FAST, 1800, LEVEL_CRITICAL, false, STAYS_NOT},
        {false, false, REST_IDLE, TIER_ULTRA_FAST, 0, LEVEL_LOW, true, STAYS_NOT},
        {false, false, REST_UNKNOWN, TIER_FAST, 0, LEVEL_LOW, false, STAYS_PROTECTED},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct loaded_model m = {.held = cases[i].unmatched ? FACT_UNKNOWN : GIB,
                                 .size = GIB,
                                 .tier = cases[i].tier,
                                 .pinned = cases[i].pinned,
                                 .rest = cases[i].rest,
                                 .idle_s = cases[i].idle_s};
        char text[128];
        enum staying s = model_stays(&m, cases[i].level, cases[i].lifted);
        if (s != cases[i].stays)
            fail_msg("case %zu: %s", i, staying_text(&m, s, text, sizeof text));
        assert_true(strlen(staying_text(&m, s, text, sizeof text)) > 5);
    }
}

static void classes(void **state)
{
    (void)state;
    struct loaded_model m = {.size = 5 * GIB, .held = GIB, .tier = TIER_NONE};
    assert_int_equal(model_class(&m, 5 * GIB), GOING_LARGE);
    m.size--;
    assert_int_equal(model_class(&m, 5 * GIB), GOING_SMALL);
    m.size = FACT_UNKNOWN; /* then by what it holds; unknown: as if it were large */
    assert_int_equal(model_class(&m, 5 * GIB), GOING_SMALL);
    m.held = FACT_UNKNOWN;
    assert_int_equal(model_class(&m, 5 * GIB), GOING_LARGE);
    m.tier = TIER_ULTRA_FAST;
    assert_int_equal(model_class(&m, 5 * GIB), GOING_ULTRA_FAST);
}

/* large 6, small 2, fast 2 GiB and 1 GiB of others, in a limit that makes the level. */
static void passes(void **state)
{
    (void)state;
    static const struct {
        fact limit;
        bool now;
        enum pressure_level level, after;
        const char *go;
    } cases[] = {
        {20 * GIB, false, LEVEL_LOW, LEVEL_LOW, ""},
        {20 * GIB, true, LEVEL_LOW, LEVEL_LOW, "large small"},
        {16 * GIB, false, LEVEL_MEDIUM, LEVEL_LOW, "large"},
        {13 * GIB, false, LEVEL_HIGH, LEVEL_LOW, "large"},
        {6 * GIB, false, LEVEL_CRITICAL, LEVEL_LOW, "large small"},
        {4 * GIB, false, LEVEL_CRITICAL, LEVEL_MEDIUM, "large small"},
        {7 * GIB, false, LEVEL_CRITICAL, LEVEL_MEDIUM, "large"}, /* 5 of 7: a small one stays */
        {3 * GIB, false, LEVEL_CRITICAL, LEVEL_LOW, "large small fast"},
        {3 * GIB, true, LEVEL_CRITICAL, LEVEL_LOW, "large small fast"},
        {FACT_NONE, false, LEVEL_LOW, LEVEL_LOW, ""},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct room room = room_case();
        room.host_total = room.host_available = 256 * GIB;
        room.limit = cases[i].limit;
        room_add(&room, "large", 6 * GIB, 9);
        room_add(&room, "small", 2 * GIB, 1);
        room_add(&room, "fast", 2 * GIB, 1)->tier = TIER_FAST;
        struct optimize_plan plan;
        optimize_plan(&room, cases[i].now, &plan);
        char go[64] = "";
        for (size_t k = 0; k < plan.n_go; k++)
            snprintf(go + strlen(go), sizeof go - strlen(go), "%s%s", k ? " " : "",
                     room.models[plan.go[k]].name);
        if (plan.level != cases[i].level || plan.after != cases[i].after ||
            strcmp(go, cases[i].go) != 0)
            fail_msg("case %zu: %s -> %s, goes: %s", i, pressure_name(plan.level),
                     pressure_name(plan.after), go);
        assert_false(plan.waits);
    }
}

static void others(void **state)
{
    (void)state;
    struct optimize_plan plan;
    struct room room = room_case();
    room.limit = 10 * GIB;
    room_add(&room, "pinned", 6 * GIB, 1)->pinned = true;
    room_add(&room, "may be busy", 2 * GIB, 1)->rest = REST_UNKNOWN;
    room.settings.models_small_model = GIB;
    optimize_plan(&room, false,
                  &plan); /* high: the second one may go, when it is known to be idle */
    assert_true(plan.n_go == 0 && plan.waits);
    assert_int_equal(plan.stays[0], STAYS_PINNED);
    assert_int_equal(plan.stays[1], STAYS_UNKNOWN);
    /* the host's and the budget's pressure count as well */
    room = room_case();
    room_add(&room, "large", 6 * GIB, 1);
    room.host_available = 10 * GIB;
    optimize_plan(&room, false, &plan);
    assert_int_equal(plan.level, LEVEL_HIGH);
    assert_int_equal(plan.n_go, 1);
    room.host_available = 60 * GIB;
    room.budget = 8 * GIB;
    optimize_plan(&room, false, &plan);
    assert_int_equal(plan.level, LEVEL_MEDIUM);
    assert_true(plan.n_go == 1 && plan.freed == 6 * GIB);
    room.budget = FACT_NONE;
    room.own_budget = 8 * GIB;
    optimize_plan(&room, false, &plan);
    assert_int_equal(plan.n_go, 1);
}

/* How busy a runner is: its last five seconds. */
static void uses(void **state)
{
    (void)state;
    struct runner_uses *u;
    assert_int_equal(runner_uses_new(&u), 0);
    struct world world;
    world_init(&world);
    struct container *c = world_add_container(&world);
    c->processes_known = true;
    struct process *p = container_add_process(c);
    p->kind = PROCESS_RUNNER;
    p->state = 'S';
    p->pid = 7;
    p->started_us = 1;
    p->cpu_us = 0;
    assert_int_equal(runner_uses_rest(u, p, 5), REST_UNKNOWN);
    for (int i = 0; i <= 4; i++) { /* 0.2 % of a core */
        world.monotonic_s = i;
        p->cpu_us = i * 2000;
        runner_uses_look(u, &world);
        assert_int_equal(runner_uses_rest(u, p, 5), REST_UNKNOWN);
    }
    assert_true(runner_uses_used_s(u, p) < 0);
    world.monotonic_s = 5;
    runner_uses_look(u, &world);
    assert_int_equal(runner_uses_rest(u, p, 5), REST_IDLE);
    world.monotonic_s = 6;
    p->cpu_us += 400000; /* more in one second than 5 % of five */
    runner_uses_look(u, &world);
    assert_int_equal(runner_uses_rest(u, p, 5), REST_BUSY);
    assert_true(runner_uses_used_s(u, p) > 5.9);
    for (int i = 7; i < 13; i++) {
        world.monotonic_s = i;
        runner_uses_look(u, &world);
    }
    assert_int_equal(runner_uses_rest(u, p, 5), REST_IDLE);
    p->started_us = 2; /* another one */
    assert_int_equal(runner_uses_rest(u, p, 5), REST_UNKNOWN);
    world.monotonic_s = 13;
    p->cpu_us = 400000;
    runner_uses_look(u, &world);
    world.monotonic_s = 13.5;
    p->cpu_us = 700000; /* busy before the window is full */
    runner_uses_look(u, &world);
    assert_int_equal(runner_uses_rest(u, p, 5), REST_BUSY);
    world_clear(&world);
    runner_uses_free(u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stays),  cmocka_unit_test(classes), cmocka_unit_test(passes),
        cmocka_unit_test(others), cmocka_unit_test(uses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
