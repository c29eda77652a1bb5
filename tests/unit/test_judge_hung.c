/* hung-runner: a request is under way, its client waits, and nothing happens in the runner. */
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
#include <time.h>

#define A "sha256-aaaa"
#define B "sha256-bbbb"

static void expires_in(struct scene *s, size_t model, double seconds)
{
    time_t at = (time_t)((double)s->world.time_ms / 1000 + seconds);
    strftime(s->models[model].expires_at, sizeof s->models[model].expires_at, "%Y-%m-%dT%H:%M:%SZ",
             gmtime(&at));
}

static void works(struct scene *s, size_t seconds)
{
    for (size_t i = 0; i < seconds; i++) {
        scene_process(s, 200)->cpu_us += 300000;
        scene_step(s, 1);
    }
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

static void later_request(void **state)
{
    (void)state;
    for (int stopped = 0; stopped < 2; stopped++) {
        struct scene s;
        begin(&s);
        works(&s, 2);
        scene_process(&s, 200)->state = stopped ? 'T' : 'S';
        assert_false(told(&s, stopped ? 28 : 178));
        assert_true(told(&s, 6));
        s.connections_always = true;
        scene_step(&s, 1);
        const struct verdict *v = scene_verdict(&s, VERDICT_HUNG_RUNNER);
        assert_int_equal(v->remedy, REMEDY_KILL_RUNNER);
        assert_int_equal(v->pid, 200);
        assert_true(v->confirmed && !strcmp(v->model, "a"));
        works(&s, 1);
        assert_false(scene_raised(&s, VERDICT_HUNG_RUNNER));
        scene_end(&s);
    }
}

/* One that has worked for more than a minute since the last one ended, and never rested. */
static void long_request(void **state)
{
    (void)state;
    for (int minutes = 0; minutes < 2; minutes++) {
        struct scene s;
        scene_begin(&s, NULL);
        scene_list(&s, "a", A);
        scene_add_runner(&s, 200, A);
        s.connections = 1;
        scene_look(&s);
        expires_in(&s, 0, 300);
        works(&s, minutes ? 70 : 30);
        assert_int_equal(told(&s, 200), minutes);
        scene_end(&s);
    }
}

/* The first one after a load: expires_at is new in each list. */
static void first_request(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        struct scene s;
        scene_begin(&s, NULL);
        s.poll_s = 2;
        scene_list(&s, "a", A);
        scene_add_runner(&s, 200, A);
        s.connections = 1;
        scene_look(&s);
        bool was_told = false;
        for (int i = 0; i < 200; i++) {
            if (!ends || i < 20)
                expires_in(&s, 0, 301); /* as of the next second's list */
            scene_step(&s, 1);
            was_told |= scene_raised(&s, VERDICT_HUNG_RUNNER);
        }
        assert_int_equal(was_told, !ends);
        scene_end(&s);
    }
}

/* A client in step with the lists looks like a first request: later, or in a runner that was found
 * (or whose start is of another clock). */
static void a_client_in_step(void **state)
{
    (void)state;
    for (int how = 0; how < 5; how++) {
        struct scene s;
        scene_begin(&s, NULL);
        s.poll_s = 2;
        scene_list(&s, "a", A);
        struct process *runner = scene_add_runner(&s, 200, A);
        runner->started_us -= how == 0 ? 6000000 : how == 1 ? 3000000 : how == 4 ? -6000000 : 0;
        s.connections = 1;
        scene_look(&s);
        bool was_told = false;
        for (int i = 0; i < 400; i++) { /* a list at each odd one */
            bool still = how == 2 && (i == 100 || i == 101), uneven = how == 3 && i / 10 == 10;
            double seconds = uneven ? 200 + i : how == 2 && i > 101 ? 299 : 301;
            if (!still)
                expires_in(&s, 0, seconds); /* as of the next second's list */
            scene_step(&s, 1);
            was_told |= scene_raised(&s, VERDICT_HUNG_RUNNER);
        }
        if (was_told != (how == 1))
            fail_msg("case %d", how);
        scene_end(&s);
    }
}

static void ends(struct scene *s)
{
    expires_in(s, 0, 300);
}
static void leaves(struct scene *s)
{
    s->connections = 0;
}
static void reads_slowly(struct scene *s)
{
    scene_container(s)->unread = 100000;
}
static void is_debugged(struct scene *s)
{
    scene_process(s, 200)->state = 't';
}
static void waits_for_a_disk(struct scene *s)
{
    scene_process(s, 200)->state = 'D';
}
static void reads_from_disk(struct scene *s)
{
    scene_container(s)->cgroup.disk_read += 4096;
}
static void ticks_too_often(struct scene *s)
{
    scene_process(s, 200)->cpu_us += 1000; /* six ticks a minute */
}
static void hides_what_it_reads(struct scene *s)
{
    scene_container(s)->cgroup.disk_read = FACT_UNKNOWN;
}
static void is_frozen(struct scene *s)
{
    scene_container(s)->cgroup.frozen = 1;
}
static void hides_whether_it_is_frozen(struct scene *s)
{
    scene_container(s)->cgroup.frozen = FACT_UNKNOWN;
}
static void is_another_ones(struct scene *s)
{
    scene_process(s, 200)->ppid = 1;
}

/* What must stay quiet, each beside a client and after work. */
static void quiet(void **state)
{
    static void (*const cases[])(struct scene *s) = {
        ends,
        leaves,
        reads_slowly,
        is_debugged,
        waits_for_a_disk,
        reads_from_disk,
        ticks_too_often,
        hides_what_it_reads,
        is_frozen,
        hides_whether_it_is_frozen,
        is_another_ones,
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        begin(&s);
        works(&s, 2);
        for (int k = 0; k < 400; k++) {
            if (cases[i] != ends || k == 2)
                cases[i](&s);
            scene_step(&s, 1);
            if (scene_raised(&s, VERDICT_HUNG_RUNNER))
                fail_msg("case %zu, after %d s", i, k);
        }
        scene_end(&s);
    }
}

static void is_stopped(struct scene *s)
{
    scene_process(s, 200)->state = 'T';
}
static void is_paused(struct scene *s)
{
    scene_container(s)->status = STATUS_PAUSED;
}

/* What somebody held is not hung when he lets it go: all begins anew then. */
static void let_go(void **state)
{
    static const struct {
        void (*holds)(struct scene *s);
        size_t seconds;
    } cases[] = {{is_debugged, 300},         {is_frozen, 300}, {is_paused, 300},
                 {hides_what_it_reads, 300}, {is_stopped, 25}, {waits_for_a_disk, 300}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene s;
        begin(&s);
        works(&s, 2);
        cases[i].holds(&s);
        assert_false(told(&s, (double)cases[i].seconds));
        scene_process(&s, 200)->state = 'S';
        scene_container(&s)->status = STATUS_RUNNING;
        scene_container(&s)->cgroup.disk_read = scene_container(&s)->cgroup.frozen = 0;
        if (told(&s, 178))
            fail_msg("case %zu", i);
        assert_true(told(&s, 8));
        scene_end(&s);
    }
}

/* What was read while that could not be seen is seen afterwards. */
static void reads_in_between(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    works(&s, 2);
    assert_false(told(&s, 170));
    scene_container(&s)->cgroup.disk_read = FACT_UNKNOWN;
    scene_step(&s, 2);
    scene_container(&s)->cgroup.disk_read = 4096;
    assert_false(told(&s, 178));
    assert_true(told(&s, 8));
    scene_end(&s);
}

/* What is seen to happen ends it, whatever else is not known. */
static void works_again(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    works(&s, 2);
    is_stopped(&s);
    assert_true(told(&s, 40));
    scene_process(&s, 200)->state = 'S';
    hides_what_it_reads(&s);
    works(&s, 1);
    assert_false(scene_raised(&s, VERDICT_HUNG_RUNNER));
    scene_end(&s);
}

/* An idle pool beside an idle model, and two models of which one works. */
static void a_connection_proves_nothing(void **state)
{
    struct scene s;
    (void)state;
    begin(&s);
    scene_list(&s, "b", B);
    scene_add_runner(&s, 201, B);
    for (int i = 0; i < 600; i++) {
        scene_process(&s, 201)->cpu_us += 300000;
        scene_step(&s, 1);
        assert_false(scene_raised(&s, VERDICT_HUNG_RUNNER));
    }
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_request),
        cmocka_unit_test(long_request),
        cmocka_unit_test(first_request),
        cmocka_unit_test(a_client_in_step),
        cmocka_unit_test(quiet),
        cmocka_unit_test(let_go),
        cmocka_unit_test(reads_in_between),
        cmocka_unit_test(works_again),
        cmocka_unit_test(a_connection_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
