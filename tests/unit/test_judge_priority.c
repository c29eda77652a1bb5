/* low-priority: who gives way while the host is short of memory. */
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

static struct pair label = {"supervisor.priority", "low"};

static void in_use(struct scene *s, double percent)
{
    s->world.host.available =
        s->world.host.total - (fact)((double)s->world.host.total * percent / 100);
}

static void begin(struct scene *s, const char *settings, const char *priority)
{
    scene_begin(s, settings);
    struct container *c = scene_container(s);
    label.value = (char *)priority;
    assert_int_equal(pairs_add(&c->labels, &c->n_labels, label.key, label.value), 0);
}

static const struct verdict *verdict(const struct scene *s)
{
    return scene_verdict(s, VERDICT_LOW_PRIORITY);
}

static bool raised(const struct scene *s)
{
    return scene_raised(s, VERDICT_LOW_PRIORITY);
}

static void raised_in_the_third_look_above_critical(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL, "low");
    scene_look(&s);
    assert_null(verdict(&s));
    in_use(&s, 95.5);
    scene_container(&s)->cgroup.high = 2 * GIB;
    scene_step(&s, 2);
    assert_int_equal(verdict(&s)->state, VERDICT_SUSPECT);
    scene_step(&s, 1);
    const struct verdict *v = verdict(&s);
    assert_true(v && v->state == VERDICT_RAISED && v->changed && v->confirmed);
    assert_int_equal(v->remedy, REMEDY_THROTTLE);
    assert_string_equal(remedy_name(v->remedy), "throttle");
    assert_string_equal(verdict_kind_name(v->kind), "low-priority");
    assert_true(verdict_evidence(v, "in_use") > 95.4 && verdict_evidence(v, "in_use") < 95.6);
    assert_true(verdict_evidence(v, "held") == (double)scene_assessment(&s)->held);
    assert_true(verdict_evidence(v, "high") == (double)(2 * GIB));
    assert_true(verdict_evidence(v, "quota") == 50);
    scene_end(&s);
}

static void at_the_level_and_by_others_it_is_not(void **state)
{
    struct scene s;
    static const char *const others[] = {"normal", "high", "LOW", ""};
    (void)state;
    begin(&s, NULL, "low");
    in_use(&s, 95);
    assert_true(scene_never_raised(&s, VERDICT_LOW_PRIORITY, 20));
    scene_end(&s);
    for (size_t i = 0; i < 4; i++) {
        begin(&s, NULL, others[i]);
        in_use(&s, 99);
        assert_true(scene_never_raised(&s, VERDICT_LOW_PRIORITY, 20));
        assert_null(verdict(&s));
        scene_end(&s);
    }
    scene_begin(&s, NULL);
    in_use(&s, 99);
    assert_true(scene_never_raised(&s, VERDICT_LOW_PRIORITY, 20));
    scene_end(&s);
}

static void a_peak_is_no_pressure(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL, "low");
    for (int i = 0; i < 10; i++) {
        in_use(&s, i % 3 ? 99 : 90);
        scene_step(&s, 1);
        assert_false(raised(&s));
    }
    scene_end(&s);
}

/* It ends 5 % below, when that has lasted for 30 s. */
static void it_ends_only_when_the_host_has_been_relieved_for_long(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL, "low");
    in_use(&s, 97);
    assert_true(scene_until_raised(&s, VERDICT_LOW_PRIORITY, 10) >= 0);
    in_use(&s, 90.5);
    scene_step(&s, 120); /* below the level, and not by 5 % */
    assert_true(raised(&s) && !verdict(&s)->confirmed);
    in_use(&s, 80);
    scene_step(&s, 29);
    assert_true(raised(&s));
    in_use(&s, 91); /* it comes back: the 30 s begin anew */
    scene_step(&s, 1);
    in_use(&s, 80);
    scene_step(&s, 30);
    assert_true(raised(&s) && !verdict(&s)->changed);
    scene_step(&s, 1);
    assert_int_equal(verdict(&s)->state, VERDICT_CLEARED);
    scene_step(&s, 1);
    assert_null(verdict(&s));
    scene_end(&s);
}

static void hide_available(struct scene *s)
{
    s->world.host.available = FACT_UNKNOWN;
}

static void hide_total(struct scene *s)
{
    s->world.host.total = FACT_UNKNOWN;
}

static void hide_cgroup(struct scene *s)
{
    scene_container(s)->cgroup.version = 0;
}

static void unknown_neither_raises_nor_ends_it(void **state)
{
    static void (*const hidden[])(struct scene *) = {hide_available, hide_total, hide_cgroup};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct scene s;
        begin(&s, NULL, "low");
        in_use(&s, 99);
        s.change = hidden[i];
        assert_true(scene_never_raised(&s, VERDICT_LOW_PRIORITY, 20));
        assert_null(verdict(&s)); /* nor a suspicion, which would keep an earlier throttle */
        s.change = NULL;
        assert_true(scene_until_raised(&s, VERDICT_LOW_PRIORITY, 10) >= 0);
        s.change = hidden[i];
        in_use(&s, 50);
        scene_step(&s, 60);
        assert_true(raised(&s) && !verdict(&s)->confirmed);
        scene_end(&s);
    }
}

/* After a suspend the 30 s are measured anew. */
static void a_gap_is_no_relief(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL, "low");
    in_use(&s, 99);
    assert_true(scene_until_raised(&s, VERDICT_LOW_PRIORITY, 10) >= 0);
    in_use(&s, 50);
    scene_step(&s, 5);
    scene_pass(&s, 600);
    assert_true(raised(&s));
    scene_step(&s, 29);
    assert_true(raised(&s));
    scene_step(&s, 3);
    assert_null(verdict(&s));
    scene_end(&s);
}

/* What stands in memory.high then is ours. */
static void high_drift_is_silent_meanwhile(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, "memory.high=6g", "low");
    scene_container(&s)->cgroup.high = 6 * GIB;
    in_use(&s, 99);
    assert_true(scene_until_raised(&s, VERDICT_LOW_PRIORITY, 10) >= 0);
    scene_container(&s)->cgroup.high = GIB; /* throttled */
    assert_true(scene_never_raised(&s, VERDICT_HIGH_DRIFT, 60));
    in_use(&s, 50);
    while (raised(&s)) {
        scene_step(&s, 1);
        assert_false(scene_raised(&s, VERDICT_HIGH_DRIFT));
    }
    scene_step(&s, 1); /* it is given back in the meantime */
    assert_false(scene_raised(&s, VERDICT_HIGH_DRIFT));
    scene_step(&s, 1); /* and was not */
    assert_true(scene_raised(&s, VERDICT_HIGH_DRIFT));
    scene_end(&s);
    begin(&s, "memory.high=6g", "low"); /* an earlier supervisor throttled it */
    scene_container(&s)->cgroup.high = GIB;
    in_use(&s, 99);
    assert_true(scene_never_raised(&s, VERDICT_HIGH_DRIFT, 10));
    scene_end(&s);
    begin(&s, "memory.high=6g", "low"); /* who is only observed is not throttled */
    scene_container(&s)->mode = MODE_OBSERVE;
    in_use(&s, 99);
    assert_true(scene_until_raised(&s, VERDICT_LOW_PRIORITY, 10) >= 0);
    assert_true(scene_raised(&s, VERDICT_HIGH_DRIFT));
    scene_end(&s);
}

/* Whoever is throttled may be silent and still because of that: no restart. */
static void silence_of_the_throttled_restarts_nothing(void **state)
{
    (void)state;
    for (int low = 0; low < 2; low++) {
        struct scene s;
        bool restarted = false;
        begin(&s, "leak.unreachable_hold=5s leak.unreachable_restart=20s", low ? "low" : "normal");
        in_use(&s, 99);
        scene_step(&s, 20);
        s.silent = true;
        struct ollama *o = &scene_container(&s)->ollama;
        o->reachable = false;
        for (int i = 0; i < 60; i++) {
            o->age_ms = 100;
            scene_step(&s, 1);
            const struct verdict *v = scene_verdict(&s, VERDICT_UNREACHABLE);
            restarted |= v && v->remedy == REMEDY_RESTART;
        }
        assert_true(scene_raised(&s, VERDICT_UNREACHABLE));
        assert_int_equal(restarted, !low);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raised_in_the_third_look_above_critical),
        cmocka_unit_test(at_the_level_and_by_others_it_is_not),
        cmocka_unit_test(a_peak_is_no_pressure),
        cmocka_unit_test(it_ends_only_when_the_host_has_been_relieved_for_long),
        cmocka_unit_test(unknown_neither_raises_nor_ends_it),
        cmocka_unit_test(a_gap_is_no_relief),
        cmocka_unit_test(high_drift_is_silent_meanwhile),
        cmocka_unit_test(silence_of_the_throttled_restarts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
