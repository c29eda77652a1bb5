/* What real servers were seen to do (tests/recordings/memory): nothing in it has a remedy, under
 * any policy; and one change of each that makes it a leak, or an orphan, is found. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/judge.h"
#include "sense/world_json.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLDS_MAX = 1000 };

struct recording {
    char path[256];
    struct world worlds[WORLDS_MAX];
    size_t n;
};
static struct recording recordings[24];
static size_t n_recordings;

static void read_recording(const char *path, struct recording *r)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    snprintf(r->path, sizeof r->path, "%s", path);
    while ((n = getline(&line, &size, file)) > 0) {
        n -= line[n - 1] == '\n';
        assert_true(r->n < WORLDS_MAX);
        world_init(&r->worlds[r->n]);
        enum world_line kind = world_from_json(line, (size_t)n, &r->worlds[r->n], NULL, 0);
        assert_int_not_equal(kind, WORLD_LINE_FOREIGN);
        r->n += kind == WORLD_LINE_WORLD;
    }
    free(line);
    fclose(file);
    assert_true(r->n >= 20);
}

static int read_all(void **state)
{
    glob_t found;
    (void)state;
    assert_int_equal(glob("tests/recordings/memory/*.jsonl", 0, NULL, &found), 0);
    assert_in_range(found.gl_pathc, 17, sizeof recordings / sizeof recordings[0]);
    for (size_t i = 0; i < found.gl_pathc; i++)
        read_recording(found.gl_pathv[i], &recordings[n_recordings++]);
    globfree(&found);
    return 0;
}

static int free_all(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_recordings; i++)
        for (size_t k = 0; k < recordings[i].n; k++)
            world_clear(&recordings[i].worlds[k]);
    return 0;
}

/* A judge with a policy of its own: "section.key=value …". */
struct court {
    struct config *config;
    struct judge *judge;
    struct judgement judgement;
};

static void court_open(struct court *court, const char *settings)
{
    struct error err = {0};
    char list[512];
    *court = (struct court){0};
    snprintf(list, sizeof list, "%s", settings);
    assert_int_equal(config_new(&court->config, &err), 0);
    for (char *at = list, *one; (one = strsep(&at, " ")) != NULL;)
        if (*one && config_set(court->config, one, ORIGIN_COMMAND_LINE, &err) < 0)
            fail_msg("%s: %s", one, err.message);
    assert_int_equal(judge_new(court->config, &court->judge), 0);
}

static void court_close(struct court *court)
{
    judge_free(court->judge);
    config_free(court->config);
    judgement_clear(&court->judgement);
}

/* The verdict of this kind that is raised now, or any with a remedy for VERDICT_KINDS; NULL. */
static const struct verdict *raised(const struct court *court, enum verdict_kind kind)
{
    for (size_t i = 0; i < court->judgement.n_verdicts; i++) {
        const struct verdict *v = &court->judgement.verdicts[i];
        if (v->state == VERDICT_RAISED &&
            (kind == VERDICT_KINDS ? v->remedy != REMEDY_NONE : v->kind == kind))
            return v;
    }
    return NULL;
}

/* Recorded before received bytes were: without the rule for them nothing would ever be known of
 * them, so every policy but the first has it switched off, and bites. */
#define BITING "leak.busy_received=0 leak.threshold=32M leak.threshold_percent=0 "

static const char *const policies[] = {
    "",
    "leak.busy_received=0",
    BITING "leak.hold=1s leak.orphan_hold=1s leak.stalled_hold=1s leak.connected_hold=1s",
    BITING "leak.hold=1s leak.orphan_hold=1s leak.grace=0",
    BITING
    "leak.hold=1s leak.orphan_hold=1s leak.grace=0 leak.baseline=1M supervisor.interval=250ms",
    BITING "leak.hold=0.1s leak.orphan_hold=1s leak.grace=0 supervisor.poll=500ms",
    BITING "leak.hold=1s leak.orphan_hold=1s leak.grace=0 leak.busy_cpu=20",
    BITING "leak.hold=5s leak.orphan_hold=5s supervisor.interval=5s",
    BITING "leak.growth_hold=5s leak.growth=1M leak.stuck_hold=0.1s leak.unreachable_hold=0.1s "
           "leak.unreachable_restart=0.1s leak.grace=0 pressure.level_medium=1 "
           "pressure.level_high=2 pressure.level_critical=3 memory.max_model_memory=1M",
};

static void nothing_real_has_a_remedy(void **state)
{
    (void)state;
    for (size_t p = 0; p < sizeof policies / sizeof policies[0]; p++)
        for (size_t i = 0; i < n_recordings; i++) {
            const struct recording *r = &recordings[i];
            struct court court;
            court_open(&court, policies[p]);
            for (size_t k = 0; k < r->n; k++) {
                assert_int_equal(judge_look(court.judge, &r->worlds[k], &court.judgement), 0);
                const struct verdict *v = raised(&court, VERDICT_KINDS);
                if (v)
                    fail_msg("%s, policy \"%s\", world %zu: %s", r->path, policies[p], k,
                             verdict_kind_name(v->kind));
            }
            court_close(&court);
        }
}

/* What is true in them, and only there: the kernel killed in the two `too-big`, and distinct
 * prompts fill the cache of 0.33. */
static void what_is_true_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_recordings; i++) {
        const struct recording *r = &recordings[i];
        struct court court;
        bool killed = false, cached = false, leaks = false;
        court_open(&court, "leak.growth_hold=20s leak.growth=16M");
        for (size_t k = 0; k < r->n; k++) {
            assert_int_equal(judge_look(court.judge, &r->worlds[k], &court.judgement), 0);
            const struct verdict *oom = raised(&court, VERDICT_OOM_KILL);
            if (oom && (!fact_known(oom->pid) || !strstr(oom->why, "its own limit") ||
                        verdict_evidence(oom, "runner") < (double)(600 << 20)))
                fail_msg("%s: %s", r->path, oom->why);
            killed |= oom != NULL;
            cached |= raised(&court, VERDICT_PROMPT_CACHE) != NULL;
            leaks |= raised(&court, VERDICT_GROWTH_LEAK) || raised(&court, VERDICT_UNREACHABLE) ||
                     raised(&court, VERDICT_STUCK_STOPPING);
        }
        court_close(&court);
        if (killed != (strstr(r->path, "too-big") != NULL) || leaks ||
            cached != (strstr(r->path, "0.33-distinct-prompts") != NULL))
            fail_msg("%s: killed %d, prompt cache %d, leaks %d", r->path, killed, cached, leaks);
    }
}

static bool has_runner(const struct world *world)
{
    const struct container *c = &world->containers[0];
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_RUNNER)
            return true;
    return false;
}

static struct process *serve_of(struct container *c)
{
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_SERVE && c->processes[i].pid == c->pid)
            return &c->processes[i];
    fail_msg("no server in the recording");
    return NULL;
}

static void leak_2_gib(struct container *c)
{
    serve_of(c)->rss_anon += (fact)2 << 30;
    c->cgroup.anon += (fact)2 << 30;
}

/* The recording up to `end`, then that world again and again, half a second apart: how long after
 * `from` (an index) the verdict is raised; -1: not in 100 s. */
static double raised_after(struct court *court, const struct recording *r, size_t from, size_t end,
                           void (*change)(struct container *c), enum verdict_kind kind)
{
    for (size_t k = 0; k < end + 200; k++) {
        const struct world *recorded = &r->worlds[k < end ? k : end];
        struct world world = *recorded;
        struct container c;
        assert_int_equal(container_copy(&c, &recorded->containers[0]), 0);
        world.containers = &c;
        if (k > end) {
            world.monotonic_s += (double)(k - end) * 0.5;
            world.time_ms += (int64_t)(k - end) * 500;
            c.cgroup.cpu_us += (fact)(k - end) * 1000;
            c.connections = 0;
        }
        if (k >= from)
            change(&c);
        int result = judge_look(court->judge, &world, &court->judgement);
        container_clear(&c);
        assert_int_equal(result, 0);
        const struct verdict *other = raised(court, VERDICT_KINDS);
        if (other && other->kind != kind)
            fail_msg("%s: %s", r->path, verdict_kind_name(other->kind));
        if (raised(court, kind))
            return world.monotonic_s - r->worlds[from].monotonic_s;
    }
    return -1;
}

/* After its last runner the server keeps 2 GiB: found at the hold, two samples and a poll. */
static void leak_in_a_recording_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_recordings; i++) {
        const struct recording *r = &recordings[i];
        size_t from = r->n;
        while (from > 0 && !has_runner(&r->worlds[from - 1]))
            from--;
        if (from == 0 || from >= r->n || r->worlds[r->n - 1].containers[0].ollama.n_models)
            fail_msg("%s does not end with an unload", r->path);
        struct court court;
        court_open(&court, "leak.busy_received=0 leak.grace=0"); /* some had just started */
        double after_s = raised_after(&court, r, from, r->n - 1, leak_2_gib, VERDICT_IDLE_LEAK);
        court_close(&court);
        if (after_s < 60 || after_s > 60 + 2 + 2)
            fail_msg("%s: found %g s after it", r->path, after_s);
    }
}

static void forget_models(struct container *c)
{
    c->ollama.n_models = 0;
    for (size_t i = 0; i < c->n_processes; i++)
        c->processes[i].clients = 0; /* which was not read then */
}

/* The last runner stays, and the server no longer names it. */
static void orphan_in_a_recording_is_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_recordings; i++) {
        const struct recording *r = &recordings[i];
        size_t end = r->n;
        while (end > 0 && !(has_runner(&r->worlds[end - 1]) &&
                            r->worlds[end - 1].containers[0].ollama.n_models))
            end--;
        if (end == 0)
            continue; /* too-big: the kernel killed it before it was ever listed */
        struct court court;
        court_open(&court, "leak.busy_received=0");
        double after_s =
            raised_after(&court, r, end - 1, end - 1, forget_models, VERDICT_ORPHAN_RUNNER);
        court_close(&court);
        if (after_s < 60 || after_s > 60 + 2 + 2)
            fail_msg("%s: found %g s after it", r->path, after_s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_real_has_a_remedy),
        cmocka_unit_test(what_is_true_is_told),
        cmocka_unit_test(leak_in_a_recording_is_found),
        cmocka_unit_test(orphan_in_a_recording_is_found),
    };
    return cmocka_run_group_tests(tests, read_all, free_all);
}
