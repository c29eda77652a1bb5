/* idle-leak and held-elsewhere: what they need, and at which second they are raised. */
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

/* ---- when ---- */

static void leak_is_raised_at_its_hold(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    scene_step(&s, 20);
    scene_leak(&s, 2 * GIB);
    scene_step(&s, 1); /* seen first */
    double seen_s = s.now_s;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == seen_s + 60);
    const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
    assert_true(v->changed && v->confirmed);
    assert_int_equal(v->remedy, REMEDY_RESTART);
    assert_int_equal(v->mode, MODE_ENFORCE);
    assert_string_equal(v->missing, "");
    assert_true(v->since_s == s.world.monotonic_s - 60 && v->hold_s == 60);
    assert_string_equal(v->started_at, scene_container(&s)->started_at);
    assert_true(verdict_evidence(v, "serve") == (double)(2 * GIB + 10 * MIB));
    assert_true(verdict_evidence(v, "baseline") == (double)(128 * MIB));
    assert_true(verdict_evidence(v, "threshold") == (double)GIB);
    assert_true(verdict_evidence(v, "models") == 0 && verdict_evidence(v, "runners") == 0);
    assert_true(verdict_evidence(v, "connections") == 0);
    scene_step(&s, 1);
    v = scene_verdict(&s, VERDICT_IDLE_LEAK);
    assert_true(v->state == VERDICT_RAISED && !v->changed);
    scene_end(&s);
}

/* A model is unloaded, and what it used stays in the server. Questions every two seconds, samples
 * every second, at any phase: at most two samples and a poll after the hold. */
static void worst_phase_is_two_samples_and_a_poll(void **state)
{
    (void)state;
    for (double phase_s = 0; phase_s < 2; phase_s += 0.25) {
        struct scene s;
        scene_begin(&s, NULL);
        s.poll_s = 2;
        scene_list(&s, "m", "sha256-1");
        scene_add_runner(&s, 200, "sha256-1");
        scene_look(&s);
        scene_step(&s, 20);
        double cause_s = s.now_s + phase_s;
        scene_step(&s, (size_t)phase_s);
        scene_unlist(&s, "m");
        scene_remove_process(&s, 200);
        scene_leak(&s, 2 * GIB);
        double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
        assert_true(raised_s >= cause_s + 60 && raised_s <= cause_s + 60 + 2 + 2);
        scene_end(&s);
    }
}

/* The five seconds that tell busy from idle are part of the hold, not added to it. */
static void window_counts_inside_the_hold(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    s.cpu_percent = 50;
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 100);
    assert_false(scene_raised(&s, VERDICT_IDLE_LEAK));
    double busy_until_s = s.now_s;
    s.cpu_percent = 0.2;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == busy_until_s + 60);
    scene_end(&s);
}

static void server_found_leaked_is_found(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 25 * GIB);
    scene_container(&s)->cgroup.limit = FACT_NONE;
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == 60);
    assert_int_equal(scene_assessment(&s)->baseline, 128 * MIB);
    scene_end(&s);
}

static void sampling_may_be_slow_or_fast(void **state)
{
    static const double intervals_s[] = {0.05, 0.25, 0.5, 2, 5, 10};
    (void)state;
    for (size_t i = 0; i < sizeof intervals_s / sizeof intervals_s[0]; i++) {
        struct scene s;
        char settings[64];
        snprintf(settings, sizeof settings, "supervisor.interval=%gs", intervals_s[i]);
        scene_begin(&s, settings);
        s.interval_s = intervals_s[i];
        s.cpu_percent = 3; /* idle under emulation */
        scene_leak(&s, 2 * GIB);
        scene_look(&s);
        double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 120);
        assert_true(raised_s >= 60 - 1e-9 && raised_s <= 60 + 2 * intervals_s[i] + 1e-9);
        scene_end(&s);
    }
}

/* ---- how much ---- */

static void threshold_is_exact(void **state)
{
    static const struct {
        fact limit, held;
        const char *settings;
        bool leak;
    } cases[] = {
        /* the assumed baseline is 128 MiB; 1 GiB, or 10 % of the limit where that is more */
        {8 * GIB, 128 * MIB + GIB, NULL, true},
        {8 * GIB, 128 * MIB + GIB - 1, NULL, false},
        {20 * GIB, 128 * MIB + 2 * GIB, NULL, true},
        {20 * GIB, 128 * MIB + 2 * GIB - 1, NULL, false},
        {FACT_NONE, 128 * MIB + GIB, NULL, true},
        {FACT_NONE, 128 * MIB + GIB - 1, NULL, false},
        {1 * GIB, 300 * MIB, "leak.threshold=32M", true}, /* 102 MiB are 10 % */
        {1 * GIB, 200 * MIB, "leak.threshold=32M", false},
        {1 * GIB, 200 * MIB, "leak.threshold=32M leak.threshold_percent=0", true},
        {8 * GIB, GIB + 50 * MIB, "leak.baseline=50M", true},
        {8 * GIB, GIB + 600 * MIB, "leak.baseline=600M", true}, /* a person's word has no cap */
        {8 * GIB, GIB + 599 * MIB, "leak.baseline=600M", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        scene_container(&s)->cgroup.limit = cases[i].limit;
        scene_leak(&s, cases[i].held - 10 * MIB);
        scene_look(&s);
        scene_step(&s, 70);
        if (scene_raised(&s, VERDICT_IDLE_LEAK) != cases[i].leak)
            fail_msg("case %zu", i);
        scene_end(&s);
    }
}

static void swapped_out_leak_is_a_leak(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_look(&s);
    scene_step(&s, 10);
    scene_leak(&s, 2 * GIB);
    scene_step(&s, 1);
    double seen_s = s.now_s;
    scene_step(&s, 20); /* then most of it goes to swap: that contradicts nothing */
    scene_leak(&s, -1900 * MIB);
    scene_serve(&s)->swap = scene_container(&s)->cgroup.swap = 1900 * MIB;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == seen_s + 60);
    const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_LEAK);
    assert_true(verdict_evidence(v, "swap") == (double)(1900 * MIB));
    assert_true(verdict_evidence(v, "held") == (double)(2 * GIB + 10 * MIB));
    scene_end(&s);
}

/* ---- what is no leak ---- */

static void page_cache(struct scene *s)
{
    struct cgroup_memory *m = &scene_container(s)->cgroup;
    m->file = 6 * GIB;
    m->inactive_file = 3 * GIB;
    m->usage = 6 * GIB + 10 * MIB;
    scene_serve(s)->rss_file = 2 * GIB;
}

static void tmpfs(struct scene *s)
{
    scene_container(s)->cgroup.shmem = 3 * GIB;
}

static void foreign_process(struct scene *s)
{
    scene_add_process(s, 300, PROCESS_OTHER, 3 * GIB);
    snprintf(scene_process(s, 300)->comm, sizeof scene_process(s, 300)->comm, "python3");
}

/* A dying runner of 0.24 loses its argv and looks like the server (fact 5). */
static void dying_runner(struct scene *s)
{
    scene_add_process(s, 301, PROCESS_SERVE, 3 * GIB);
}

static void model_in_use(struct scene *s)
{
    scene_list(s, "m", "sha256-1");
    scene_add_runner(s, 200, "sha256-1");
    scene_leak(s, 3 * GIB);
}

static void runner_alone(struct scene *s)
{
    scene_add_runner(s, 200, "sha256-1");
    scene_leak(s, 3 * GIB);
}

static void ghost_listed(struct scene *s)
{
    scene_list(s, "m", "sha256-1"); /* its runner was killed */
    scene_leak(s, 3 * GIB);
}

static void computing(struct scene *s)
{
    s->cpu_percent = 5.1;
    scene_leak(s, 3 * GIB);
}

static void receiving(struct scene *s)
{
    s->received_per_s = 66000;
    scene_leak(s, 3 * GIB);
}

static void not_running(struct scene *s)
{
    scene_container(s)->status = STATUS_PAUSED;
    scene_leak(s, 3 * GIB);
}

static void what_is_no_leak_is_none(void **state)
{
    static const struct {
        const char *name;
        void (*set)(struct scene *s);
        bool elsewhere;
    } cases[] = {
        {"page cache", page_cache, false},     {"tmpfs", tmpfs, true},
        {"foreign", foreign_process, true},    {"dying runner", dying_runner, false},
        {"model in use", model_in_use, false}, {"loading", runner_alone, false},
        {"ghost listed", ghost_listed, false}, {"computing", computing, false},
        {"receiving", receiving, false},       {"not running", not_running, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        cases[i].set(&s);
        scene_look(&s);
        bool never = scene_never_raised(&s, VERDICT_IDLE_LEAK, 300);
        bool elsewhere = scene_raised(&s, VERDICT_HELD_ELSEWHERE);
        if (!never || elsewhere != cases[i].elsewhere)
            fail_msg("%s", cases[i].name);
        scene_end(&s);
    }
}

/* Just not busy: 5 % of a core, 64 KiB/s. */
static void edge_of_busy(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    s.cpu_percent = 5;
    s.received_per_s = 65536;
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == 60);
    scene_end(&s);
    scene_begin(&s, "leak.busy_received=0"); /* off: bytes neither say busy nor need be known */
    s.received_per_s = 1e9;
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == 60);
    scene_end(&s);
    scene_begin(&s, NULL); /* the network is another's, and so may the bytes be */
    scene_container(&s)->received = FACT_NONE;
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == 60);
    scene_end(&s);
}

static void burst_restarts_the_hold(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_leak(&s, 2 * GIB);
    scene_look(&s);
    scene_step(&s, 50);
    s.cpu_percent = 30; /* one second: 300 ms in five seconds are more than 5 % */
    scene_step(&s, 1);
    double burst_s = s.now_s;
    assert_string_equal(activity_name(scene_assessment(&s)->activity), "busy");
    s.cpu_percent = 0.2;
    assert_true(scene_until_raised(&s, VERDICT_IDLE_LEAK, 120) == burst_s + 60);
    scene_end(&s);
}

static void held_elsewhere_names_its_owner(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    foreign_process(&s);
    tmpfs(&s);
    scene_container(&s)->cgroup.shmem = 100 * MIB;
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_HELD_ELSEWHERE, 120) == 60);
    const struct verdict *v = scene_verdict(&s, VERDICT_HELD_ELSEWHERE);
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_int_equal(v->pid, 300);
    assert_non_null(strstr(v->why, "python3"));
    assert_true(verdict_evidence(v, "foreign") == (double)(3 * GIB));
    assert_true(verdict_evidence(v, "shmem") == (double)(100 * MIB));
    scene_process(&s, 300)->rss_anon = FACT_UNKNOWN; /* could not be read: contradicts nothing */
    scene_step(&s, 1);
    assert_true(scene_raised(&s, VERDICT_HELD_ELSEWHERE));
    scene_process(&s, 300)->rss_anon = 0;
    scene_step(&s, 1);
    v = scene_verdict(&s, VERDICT_HELD_ELSEWHERE);
    assert_true(v && v->state == VERDICT_CLEARED && v->changed);
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_HELD_ELSEWHERE));
    scene_end(&s);
}

/* A model that is listed for ever and that nobody serves holds nothing. */
static void ghost_does_not_block(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    scene_list(&s, "ghost", "sha256-gggg");
    scene_leak(&s, 2 * GIB);
    double raised_s = scene_until_raised(&s, VERDICT_IDLE_LEAK, 700);
    assert_true(raised_s >= 600); /* as with a client: it may be a load that begins */
    assert_true(scene_raised(&s, VERDICT_GHOST_MODEL));
    scene_end(&s);
    scene_begin(&s, NULL);
    scene_list(&s, "cloud", ""); /* nobody knows who serves it */
    scene_leak(&s, 2 * GIB);
    assert_true(scene_never_raised(&s, VERDICT_IDLE_LEAK, 700));
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ghost_does_not_block),
        cmocka_unit_test(leak_is_raised_at_its_hold),
        cmocka_unit_test(worst_phase_is_two_samples_and_a_poll),
        cmocka_unit_test(window_counts_inside_the_hold),
        cmocka_unit_test(server_found_leaked_is_found),
        cmocka_unit_test(sampling_may_be_slow_or_fast),
        cmocka_unit_test(threshold_is_exact),
        cmocka_unit_test(swapped_out_leak_is_a_leak),
        cmocka_unit_test(what_is_no_leak_is_none),
        cmocka_unit_test(edge_of_busy),
        cmocka_unit_test(burst_restarts_the_hold),
        cmocka_unit_test(held_elsewhere_names_its_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
