/* idle-model: which model, after how long, and what is use of it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "worlds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void goes_when_nobody_used_it_for_so_long(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, SET);
    assert_true(raised(&s, 100) == 31); /* a runner that was not seen before has just been loaded */
    const struct verdict *v = scene_verdict(&s, VERDICT_IDLE_MODEL);
    assert_int_equal(v->remedy, REMEDY_UNLOAD);
    assert_int_equal(v->severity, SEVERITY_INFO);
    assert_string_equal(v->model, "a");
    assert_int_equal(v->pid, 200);
    assert_true(v->changed && v->confirmed);
    assert_true(verdict_evidence(v, "unused") == 30);
    assert_true(verdict_evidence(v, "idle_unload") == 30);
    assert_true(verdict_evidence(v, "runner") == (double)(400 * MIB));
    assert_true(verdict_evidence(v, "connections") == 0);
    scene_unlist(&s, "a");
    scene_remove_process(&s, 200);
    scene_step(&s, 1);
    v = scene_verdict(&s, VERDICT_IDLE_MODEL);
    assert_true(v && v->state == VERDICT_CLEARED && !strcmp(v->model, "a"));
    scene_step(&s, 1);
    assert_null(scene_verdict(&s, VERDICT_IDLE_MODEL));
    scene_end(&s);
}

static void setting_by_table(void **state)
{
    static const struct {
        const char *settings, *key, *value;
        double raised_s; /* -1: not within an hour */
    } cases[] = {
        {NULL, NULL, NULL, -1},
        {"models.idle_unload=5s", NULL, NULL, 6},
        {"models.idle_unload=5s supervisor.poll=4s", NULL, NULL, 9}, /* two polls at least */
        {"models.idle_unload=20m", NULL, NULL, 1201},
        {"supervisor.preset=strict15g", NULL, NULL, 31},
        {"supervisor.preset=homelab", NULL, NULL, 901},
        {"supervisor.preset=router", NULL, NULL, -1},
        {"supervisor.preset=runbook", NULL, NULL, -1},
        {NULL, "supervisor.idle_unload", "40s", 41},
        {NULL, "supervisor.idle_unload", "4s", -1}, /* refused: it would be a pause in a talk */
        {"supervisor.preset=homelab", "supervisor.idle_unload", "", -1},
        {SET, "supervisor.pin", "b, A:latest", -1},
        {SET, "supervisor.pin", "b", 31},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        struct container *c = scene_container(&s);
        if (cases[i].key)
            assert_int_equal(pairs_add(&c->labels, &c->n_labels, cases[i].key, cases[i].value), 0);
        scene_list(&s, "a", A);
        scene_add_runner(&s, 200, A);
        scene_look(&s);
        double raised_s = raised(&s, 3600);
        if (raised_s < cases[i].raised_s || raised_s > cases[i].raised_s)
            fail_msg("case %zu: raised at %g", i, raised_s);
        scene_end(&s);
    }
}

static void tiers_by_table(void **state)
{
    static const struct {
        const char *tier;
        bool stays;
    } cases[] = {{"ultra-fast", true}, {"fast", true}, {"medium", true}, {"evening", false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        char path[] = "/tmp/idle-tier-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        dprintf(fd, "[tier \"%s\"]\nmodels = other, a\n", cases[i].tier);
        close(fd);
        scene_begin(&s, SET);
        struct error err;
        assert_int_equal(config_read_file(s.config, path, &err), 0);
        unlink(path);
        scene_list(&s, "a", A);
        scene_add_runner(&s, 200, A);
        scene_look(&s);
        if ((raised(&s, 100) < 0) != cases[i].stays)
            fail_msg("tier %s", cases[i].tier);
        scene_end(&s);
    }
}

/* ---- what is use, and what is not */

static void computes(struct scene *s)
{
    scene_process(s, 200)->cpu_us += 30000;
}
static void ticks(struct scene *s)
{
    scene_process(s, 200)->cpu_us += 20000;
}
static void takes_memory(struct scene *s)
{
    scene_process(s, 200)->rss_anon += 2 * MIB;
}
static void gives_memory(struct scene *s)
{
    scene_process(s, 200)->rss_anon -= 9 * MIB;
}
static void is_swapped_out(struct scene *s)
{
    scene_process(s, 200)->rss_anon -= 9 * MIB;
    scene_process(s, 200)->swap += 9 * MIB;
}
static void reads_weights(struct scene *s)
{
    scene_process(s, 200)->rss_file += 2 * MIB;
}
static void loses_weights(struct scene *s)
{
    scene_process(s, 200)->rss_file -= 2 * MIB;
}
static void waits_for_the_disk(struct scene *s)
{
    scene_process(s, 200)->state = 'D';
}
static void answered_a_short_one(struct scene *s)
{
    snprintf(s->models[0].expires_at, sizeof s->models[0].expires_at, "2126-11-21T04:00:25Z");
}
static void other_container_work(struct scene *s)
{
    scene_container(s)->cgroup.cpu_us += 900000;
    scene_serve(s)->cpu_us += 900000;
}
static void other_model(struct scene *s)
{
    scene_list(s, "b", B);
    scene_add_runner(s, 201, B)->cpu_us = 5000000;
}
static void is_loaded_anew(struct scene *s)
{
    scene_remove_process(s, 200);
    scene_add_runner(s, 202, A);
}

static void uses_by_table(void **state)
{
    static const struct {
        const char *name;
        void (*happens)(struct scene *s);
        bool use;
    } cases[] = {
        {"computes", computes, true},
        {"two ticks", ticks, false},
        {"takes memory", takes_memory, true},
        {"gives memory", gives_memory, false},
        {"is swapped out", is_swapped_out, false},
        {"reads weights", reads_weights, true},
        {"loses weights", loses_weights, false},
        {"waits for the disk", waits_for_the_disk, true},
        {"answered a short one", answered_a_short_one, true},
        {"other work in the container", other_container_work, false},
        {"another model comes", other_model, false},
        {"is loaded anew", is_loaded_anew, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, SET);
        scene_step(&s, 24);
        cases[i].happens(&s);
        scene_step(&s, 1); /* at 25 s */
        struct process *p = scene_process(&s, 200);
        if (p)
            p->state = 'S';
        bool was_raised = false;
        double at_s = -1;
        while (s.now_s < 100 && !was_raised) {
            scene_step(&s, 1);
            for (size_t v = 0; v < s.judgement.n_verdicts; v++)
                was_raised |= s.judgement.verdicts[v].kind == VERDICT_IDLE_MODEL &&
                              s.judgement.verdicts[v].state == VERDICT_RAISED &&
                              !strcmp(s.judgement.verdicts[v].model, "a");
            at_s = s.now_s;
        }
        double wanted_s = cases[i].use ? 56 : 31; /* the first look without it, and 30 s */
        if (!was_raised || at_s < wanted_s || at_s > wanted_s)
            fail_msg("%s: raised at %g", cases[i].name, at_s);
        scene_end(&s);
    }
}

/* Ten milliseconds in each of many looks within a second are one request. */
static void frequent_looks_do_not_hide_work(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, SET);
    scene_step(&s, 29);
    for (int i = 0; i < 4; i++) {
        scene_process(&s, 200)->cpu_us += 10000;
        scene_pass(&s, 0.1);
    }
    assert_true(scene_never_raised(&s, VERDICT_IDLE_MODEL, 28));
    assert_true(raised(&s, 10) > 0);
    scene_end(&s);
}

/* A model that is used again and again stays for ever, by whatever it is used. */
static void used_model_stays(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, SET);
    for (int i = 0; i < 200; i++) {
        if (i % 2)
            computes(&s);
        else
            snprintf(s.models[0].expires_at, sizeof s.models[0].expires_at, "%d-11-21T04:00:00Z",
                     2127 + i);
        assert_true(scene_never_raised(&s, VERDICT_IDLE_MODEL, 29));
    }
    assert_true(raised(&s, 10) > 0);
    computes(&s); /* and it is used while the verdict stands */
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_IDLE_MODEL)->state, VERDICT_CLEARED);
    assert_true(scene_never_raised(&s, VERDICT_IDLE_MODEL, 29));
    scene_end(&s);
}

/* What we do in a runner ourselves is no use, and what follows is one again. */
static void our_own_probe_is_no_use(void **state)
{
    static const struct {
        const char *blob;
        double raised_s;
    } cases[] = {{A, 31}, {B, 56}, {"", 56}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, SET);
        scene_step(&s, 24);
        judge_tell_probed(s.judge, scene_container(&s)->id, cases[i].blob);
        computes(&s);
        takes_memory(&s);
        answered_a_short_one(&s);
        scene_step(&s, 1);
        judge_tell_probed(s.judge, scene_container(&s)->id, "");
        double raised_s = raised(&s, 100);
        if (raised_s < cases[i].raised_s || raised_s > cases[i].raised_s)
            fail_msg("case %zu: raised at %g", i, raised_s);
        computes(&s);
        scene_step(&s, 1);
        assert_int_equal(scene_verdict(&s, VERDICT_IDLE_MODEL)->state, VERDICT_CLEARED);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_when_nobody_used_it_for_so_long),
        cmocka_unit_test(setting_by_table),
        cmocka_unit_test(tiers_by_table),
        cmocka_unit_test(uses_by_table),
        cmocka_unit_test(frequent_looks_do_not_hide_work),
        cmocka_unit_test(used_model_stays),
        cmocka_unit_test(our_own_probe_is_no_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
