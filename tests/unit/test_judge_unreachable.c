/* unreachable: told after a minute; restarted only where nothing works there either. */
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

static void silent(struct scene *s)
{
    struct ollama *o = &scene_container(s)->ollama;
    o->reachable = false;
    o->n_models = 0;
    snprintf(o->error, sizeof o->error, "no answer within 1 s");
}

static void begin(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    scene_look(s);
    scene_step(s, 10);
    s->change = silent;
    scene_step(s, 1);
}

static const struct verdict *unreachable(const struct scene *s)
{
    return scene_verdict(s, VERDICT_UNREACHABLE);
}

/* The scene's time when there is something to do about it, or -1. */
static double until_acted(struct scene *s, double max_s)
{
    for (double end_s = s->now_s + max_s; s->now_s < end_s;) {
        scene_step(s, 1);
        const struct verdict *v = unreachable(s);
        if (v && v->state == VERDICT_RAISED && v->remedy == REMEDY_RESTART && v->confirmed)
            return s->now_s;
    }
    return -1;
}

static void told_then_restarted(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    double silent_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_UNREACHABLE, 100);
    assert_true(raised_s == silent_s + 60);
    const struct verdict *v = unreachable(&s);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_true(v->changed && !v->confirmed);
    assert_non_null(strstr(v->why, "no answer within 1 s"));
    double acted_s = until_acted(&s, 400);
    assert_true(acted_s >= silent_s + 300 && acted_s <= silent_s + 302);
    v = unreachable(&s);
    assert_true(v->changed); /* that there is a remedy now is told */
    assert_true(verdict_evidence(v, "silent") >= 300);
    assert_true(verdict_evidence(v, "connections") == 0);
    s.change = NULL;
    scene_step(&s, 1);
    assert_int_equal(unreachable(&s)->state, VERDICT_CLEARED);
    scene_end(&s);
}

static void settings(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, "leak.unreachable_hold=5s leak.unreachable_restart=8s");
    double silent_s = s.now_s;
    assert_true(scene_until_raised(&s, VERDICT_UNREACHABLE, 100) == silent_s + 5);
    double acted_s = until_acted(&s, 100);
    assert_true(acted_s >= silent_s + 8 && acted_s <= silent_s + 10);
    scene_end(&s);
}

/* ---- told only ---- */

static void works(struct scene *s)
{
    silent(s);
    scene_container(s)->cgroup.cpu_us = (fact)(s->now_s * 3e5);
}
static void receives(struct scene *s)
{
    silent(s);
    scene_container(s)->received = (fact)(s->now_s * 1e6);
}
static void has_a_client(struct scene *s)
{
    silent(s);
    scene_container(s)->connections = 1;
}
static void connections_unknown(struct scene *s)
{
    silent(s);
    scene_container(s)->connections = FACT_UNKNOWN;
}
static void processes_unknown(struct scene *s)
{
    silent(s);
    scene_container(s)->processes_known = false;
    scene_container(s)->n_processes = 0;
}
static void runner_grows(struct scene *s)
{
    silent(s);
    scene_add_runner(s, 200, A)->started_us = 7;
    scene_process(s, 200)->rss_anon += (fact)(s->now_s * 3) * MIB;
}
static void runner_unknown(struct scene *s)
{
    silent(s);
    scene_add_runner(s, 200, A)->started_us = 7;
    scene_process(s, 200)->rss_anon = FACT_UNKNOWN;
}
static void runner_rests(struct scene *s)
{
    silent(s);
    scene_add_runner(s, 200, A)->started_us = 7;
}
static void cpu_unknown(struct scene *s)
{
    silent(s);
    scene_container(s)->cgroup.cpu_us = FACT_UNKNOWN;
}

static void our_way_may_be_broken(struct scene *s)
{
    silent(s);
    scene_container(s)->ollama.doubted = true;
}

static void runner_reads(struct scene *s)
{
    runner_rests(s);
    scene_process(s, 200)->state = 'D';
}

/* ---- somebody holds it */

static void server_waits_for_a_disk(struct scene *s)
{
    silent(s);
    scene_serve(s)->state = 'D';
}
static void server_is_traced(struct scene *s)
{
    silent(s);
    scene_serve(s)->state = 't';
}
static void another_is_traced(struct scene *s)
{
    silent(s);
    scene_add_process(s, 300, PROCESS_OTHER, 0)->state = 't';
}
static void state_unknown(struct scene *s)
{
    silent(s);
    scene_serve(s)->state = 0;
}
static void frozen(struct scene *s)
{
    silent(s);
    scene_container(s)->cgroup.frozen = 1;
}
static void frozen_unknown(struct scene *s)
{
    silent(s);
    scene_container(s)->cgroup.frozen = FACT_UNKNOWN;
}
static void cannot_be_frozen(struct scene *s)
{
    silent(s);
    scene_container(s)->cgroup.frozen = FACT_NONE;
}

/* A thread of it loads by direct I/O: in state S all the while, and its memory is there already. */
static void reads_by_a_thread(struct scene *s)
{
    runner_rests(s);
    scene_container(s)->cgroup.disk_read = (fact)(s->now_s / 60) * MIB;
}
static void has_read_once(struct scene *s)
{
    runner_rests(s);
    scene_container(s)->cgroup.disk_read = 7 * MIB;
}
static void reads_unknown_with_a_client(struct scene *s)
{
    has_a_client(s);
    scene_container(s)->cgroup.disk_read = FACT_UNKNOWN;
}

/* Somebody waits for it, who gets no answer either: longer, not for ever. */
static void a_client_lengthens_the_hold(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, "leak.unreachable_restart=2m leak.connected_hold=5m");
    scene_container(&s)->cgroup.disk_read = 4096;
    double silent_s = s.now_s;
    s.change = has_a_client;
    double acted_s = until_acted(&s, 900);
    if (acted_s < silent_s + 300 || acted_s > silent_s + 320)
        fail_msg("%g s", acted_s - silent_s);
    scene_end(&s);
}

static void restarted_only_where_nothing_works(void **state)
{
    static const struct {
        const char *name;
        void (*change)(struct scene *s);
        bool restarted;
    } cases[] = {
        {"works", works, false},
        {"receives", receives, false},
        {"runner in state D", runner_reads, false},
        {"server in state D", server_waits_for_a_disk, false},
        {"server in state t", server_is_traced, false},
        {"another process in state t", another_is_traced, false},
        {"state unknown", state_unknown, false},
        {"frozen", frozen, false},
        {"frozen unknown", frozen_unknown, false},
        {"cannot be frozen", cannot_be_frozen, true},
        {"a thread reads", reads_by_a_thread, false},
        {"reads unknown, with a client", reads_unknown_with_a_client, false},
        {"connections unknown", connections_unknown, false},
        {"processes unknown", processes_unknown, false},
        {"our way may be broken", our_way_may_be_broken, false},
        {"runner grows", runner_grows, false},
        {"runner unknown", runner_unknown, false},
        {"cpu unknown", cpu_unknown, false},
        {"runner rests", runner_rests, true},
        {"has read before", has_read_once, true},
        {"nothing", silent, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        begin(&s, NULL);
        s.change = cases[i].change;
        bool restarted = until_acted(&s, 900) >= 0;
        if (restarted != cases[i].restarted || !scene_raised(&s, VERDICT_UNREACHABLE))
            fail_msg("%s", cases[i].name);
        scene_end(&s);
    }
}

static void one_that_never_answered_is_told(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    s.change = silent;
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_UNREACHABLE, 100) == 60);
    assert_true(until_acted(&s, 900) < 0);
    assert_true(scene_raised(&s, VERDICT_UNREACHABLE));
    scene_end(&s);
}

/* Nor one that answered in an earlier life. */
static void another_life_must_answer_first(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    snprintf(scene_container(&s)->started_at, sizeof scene_container(&s)->started_at,
             "2026-11-21T04:00:00Z");
    assert_true(until_acted(&s, 900) < 0);
    scene_end(&s);
}

static void answers_otherwise(struct scene *s)
{
    silent(s);
    scene_container(s)->ollama.foreign = true;
}
static void not_asked(struct scene *s)
{
    ollama_clear(&scene_container(s)->ollama);
}
/* Ten seconds of waiting for one answer are no silence yet. */
static void answer_pending(struct scene *s)
{
    scene_container(s)->ollama.age_ms = 1000 * (double)((int)s->now_s % 10);
}
static void paused(struct scene *s)
{
    silent(s);
    scene_container(s)->status = STATUS_PAUSED;
}

static void what_is_not_unreachable(void **state)
{
    static void (*const changes[])(struct scene *s) = {not_asked, answer_pending, paused,
                                                       answers_otherwise};
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct scene s;
        begin(&s, NULL);
        s.change = changes[i];
        if (!scene_never_raised(&s, VERDICT_UNREACHABLE, 400))
            fail_msg("case %zu", i);
        scene_end(&s);
    }
}

static void one_answer_begins_the_hold_anew(void **state)
{
    struct scene s;
    (void)state;
    begin(&s, NULL);
    scene_step(&s, 250);
    s.change = NULL;
    scene_step(&s, 1);
    s.change = silent;
    double silent_s = s.now_s + 1, acted_s = until_acted(&s, 900);
    assert_true(acted_s >= silent_s + 300 && acted_s <= silent_s + 302);
    scene_end(&s);
}

/* The fresh look before the restart. */
static void fresh_look_may_drop_it(void **state)
{
    static void (*const changes[])(struct scene *s) = {has_a_client, works, processes_unknown,
                                                       our_way_may_be_broken};
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct scene s;
        begin(&s, NULL);
        assert_true(until_acted(&s, 900) > 0);
        s.change = changes[i];
        s.connections_always = true;
        scene_step(&s, changes[i] == works ? 2 : 1);
        const struct verdict *v = unreachable(&s);
        if (!v || v->confirmed || v->remedy != REMEDY_NONE)
            fail_msg("case %zu", i);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_then_restarted),
        cmocka_unit_test(settings),
        cmocka_unit_test(restarted_only_where_nothing_works),
        cmocka_unit_test(a_client_lengthens_the_hold),
        cmocka_unit_test(one_that_never_answered_is_told),
        cmocka_unit_test(another_life_must_answer_first),
        cmocka_unit_test(what_is_not_unreachable),
        cmocka_unit_test(one_answer_begins_the_hold_anew),
        cmocka_unit_test(fresh_look_may_drop_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
