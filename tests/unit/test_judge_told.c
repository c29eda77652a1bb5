/* over-budget, swap-in-use, broken-healthcheck and thermal: what is only told. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/verdict_json.h"
#include "worlds.h"
#include <stdio.h>
#include <string.h>

#define A "sha256-aaaa"
#define B "sha256-bbbb"

static void loaded(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    scene_list(s, "a", A);
    scene_add_runner(s, 200, A); /* 400 MiB */
    scene_look(s);
}

/* ---- over-budget ---- */

static void budget_by_table(void **state)
{
    static const struct {
        const char *name, *settings;
        fact anon;
        bool over;
    } cases[] = {
        {"none", NULL, 6 * GIB, false},
        {"below", "memory.max_model_memory=1g", 900 * MIB, false},
        {"at it", "memory.max_model_memory=1g", 1 * GIB, false},
        {"above", "memory.max_model_memory=1g", 1025 * MIB, true},
        {"unknown", "memory.max_model_memory=1g", FACT_UNKNOWN, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, cases[i].settings);
        scene_process(&s, 200)->rss_anon = cases[i].anon;
        scene_step(&s, 1);
        double at_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_OVER_BUDGET, 60);
        if ((raised_s >= 0) != cases[i].over || (raised_s >= 0 && raised_s != at_s + 10))
            fail_msg("%s: raised at %g", cases[i].name, raised_s);
        assert_false(scene_acts(&s));
        scene_end(&s);
    }
}

/* One model goes while the next one comes. */
static void change_of_models_is_not_over(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, "memory.max_model_memory=600m");
    for (int i = 0; i < 20; i++) {
        scene_add_runner(&s, 201, B);
        scene_step(&s, 5);
        scene_remove_process(&s, 201);
        scene_step(&s, 5);
        assert_null(scene_verdict(&s, VERDICT_OVER_BUDGET));
    }
    scene_end(&s);
}

/* Neither alone is over it; both together are: of the host. */
static void budget_of_all_together(void **state)
{
    struct scene s;
    (void)state;
    loaded(&s, "memory.max_model_memory=600m");
    struct container *second = world_add_container(&s.world);
    assert_non_null(second);
    assert_int_equal(container_copy(second, scene_container(&s)), 0);
    memset(second->id, 'b', sizeof second->id - 1);
    snprintf(second->name, sizeof second->name, "second");
    scene_step(&s, 1);
    assert_true(scene_until_raised(&s, VERDICT_OVER_BUDGET, 60) > 0);
    const struct verdict *v = scene_verdict(&s, VERDICT_OVER_BUDGET);
    assert_string_equal(v->id, "");
    assert_string_equal(v->name, "");
    assert_true(verdict_evidence(v, "models_held") == (double)(800 * MIB));
    json_t *json = verdict_to_json(v, NULL);
    assert_null(json_object_get(json, "container"));
    assert_string_equal(json_string_value(json_object_get(json, "severity")), "warning");
    json_decref(json);
    s.world.containers[1].n_processes = 1; /* its runner ended */
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_OVER_BUDGET)->state, VERDICT_CLEARED);
    scene_end(&s);
}

/* ---- swap-in-use ---- */

static void swap_by_table(void **state)
{
    static const struct {
        const char *name;
        int version;
        fact swap, swapcached, process_swap, host_used, host_total;
        bool loaded, told;
        enum severity severity;
    } cases[] = {
        {"none", 2, 0, 0, 0, 0, 4 * GIB, true, false, 0},
        {"own", 2, 300 * MIB, 0, 0, 300 * MIB, 4 * GIB, true, true, SEVERITY_WARNING},
        {"own, little", 2, 4096, 0, 0, 0, 4 * GIB, true, false, 0},
        {"own, read back", 2, 300 * MIB, 300 * MIB, 0, 20 * MIB, 4 * GIB, true, false, 0},
        {"host's", 2, 0, 0, 0, 65 * MIB, 4 * GIB, true, true, SEVERITY_INFO},
        {"host's, little", 2, 0, 0, 0, 64 * MIB, 4 * GIB, true, false, 0},
        {"nothing loaded", 2, 300 * MIB, 0, 0, 300 * MIB, 4 * GIB, false, false, 0},
        {"no swap", 2, 0, 0, 0, 0, 0, true, false, 0},
        {"v1", 1, 300 * MIB, FACT_UNKNOWN, 0, 0, 4 * GIB, true, true, SEVERITY_WARNING},
        {"not counted", 1, FACT_NONE, FACT_UNKNOWN, 2 * MIB, 0, 4 * GIB, true, true,
         SEVERITY_WARNING},
        {"unknown", 2, FACT_UNKNOWN, 0, FACT_UNKNOWN, FACT_UNKNOWN, 4 * GIB, true, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        loaded(&s, NULL);
        struct cgroup_memory *m = &scene_container(&s)->cgroup;
        m->version = cases[i].version;
        m->swap = cases[i].swap;
        m->swapcached = cases[i].swapcached;
        scene_process(&s, 200)->swap = cases[i].process_swap;
        s.world.host.swap_used = cases[i].host_used;
        s.world.host.swap_total = cases[i].host_total;
        if (!cases[i].loaded)
            scene_remove_process(&s, 200);
        scene_step(&s, 1);
        double at_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_SWAP_IN_USE, 100);
        const struct verdict *v = scene_verdict(&s, VERDICT_SWAP_IN_USE);
        if ((raised_s >= 0) != cases[i].told || (v && v->severity != cases[i].severity) ||
            (raised_s >= 0 && raised_s != at_s + 60))
            fail_msg("%s: raised at %g", cases[i].name, raised_s);
        scene_end(&s);
    }
}

/* An orphan has a verdict of its own; nobody waits for what it holds. */
static void swap_of_an_orphan_is_nothing(void **state)
{
    (void)state;
    struct scene s;
    loaded(&s, NULL);
    struct container *c = scene_container(&s);
    c->cgroup.version = 2;
    c->cgroup.swap = 300 * MIB;
    c->cgroup.swapcached = 0;
    s.world.host.swap_used = 300 * MIB;
    s.world.host.swap_total = 4 * GIB;
    size_t listed = s.n_models;
    s.n_models = 0;
    scene_step(&s, 1);
    assert_true(scene_until_raised(&s, VERDICT_SWAP_IN_USE, 100) < 0);
    s.n_models = listed; /* a load that took long */
    double at_s = s.now_s + 1;
    scene_step(&s, 1);
    assert_true(scene_until_raised(&s, VERDICT_SWAP_IN_USE, 100) == at_s + 60);
    scene_end(&s);
}

/* ---- broken-healthcheck ---- */

static void healthcheck_by_table(void **state)
{
    static const struct {
        enum container_health health;
        bool probed;
        int code;
        const char *output;
        bool broken;
    } cases[] = {
        {HEALTH_UNHEALTHY, true, -1,
         "OCI runtime exec failed: exec failed: unable to start container process: exec: \"curl\": "
         "executable file not found in $PATH: unknown",
         true},
        {HEALTH_UNHEALTHY, true, 127, "/bin/sh: 1: curl: not found", true},
        {HEALTH_UNHEALTHY, true, 126, "/bin/sh: 1: /check: Permission denied", true},
        {HEALTH_UNHEALTHY, true, 1, "/bin/sh: 1: curl: not found", true},
        {HEALTH_UNHEALTHY, true, 1, "Error: model \"x\" not found", false},
        {HEALTH_UNHEALTHY, true, 1, "Error: could not connect to ollama server", false},
        {HEALTH_UNHEALTHY, true, -1, "Health check exceeded timeout (10s)", false},
        {HEALTH_UNHEALTHY, true, 127, "", false},
        {HEALTH_UNHEALTHY, false, 0, "", false},
        {HEALTH_HEALTHY, true, -1, "exec: \"curl\": executable file not found in $PATH", false},
        {HEALTH_STARTING, true, -1, "exec: \"curl\": executable file not found in $PATH", false},
        {HEALTH_NONE, false, 0, "", false},
        {HEALTH_UNKNOWN, true, -1, "exec: \"curl\": executable file not found in $PATH", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, NULL);
        struct container *c = scene_container(&s);
        c->health = cases[i].health;
        c->health_probed = cases[i].probed;
        c->health_exit = cases[i].code;
        snprintf(c->health_output, sizeof c->health_output, "%s", cases[i].output);
        scene_look(&s);
        scene_step(&s, 10);
        if (scene_raised(&s, VERDICT_BROKEN_HEALTHCHECK) != cases[i].broken)
            fail_msg("case %zu", i);
        assert_false(scene_acts(&s));
        scene_end(&s);
    }
}

/* ---- many at one time ---- */

static size_t count(const struct scene *s, enum verdict_kind kind, enum verdict_state state)
{
    size_t n = 0;
    for (size_t i = 0; i < s->judgement.n_verdicts; i++)
        n += s->judgement.verdicts[i].kind == kind && s->judgement.verdicts[i].state == state;
    return n;
}

/* One of 250 containers lists models that it does not have: that takes the room of no other kind,
 * and what was told of them ends, all in the look that ends it. */
static void many_models_hide_nothing(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    for (int i = 0; i < SCENE_MODELS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        scene_list(&s, name, A);
    }
    scene_look(&s);
    scene_step(&s, 15);
    assert_int_equal(count(&s, VERDICT_GHOST_MODEL, VERDICT_RAISED), SCENE_MODELS_MAX);
    for (int i = 1; i < 250; i++) {
        struct container *other = world_add_container(&s.world);
        assert_non_null(other);
        snprintf(other->id, sizeof other->id, "%064d", i);
        other->status = STATUS_EXITED;
    }
    struct container *c = scene_container(&s);
    c->health = HEALTH_UNHEALTHY;
    c->health_probed = true;
    c->health_exit = 127;
    snprintf(c->health_output, sizeof c->health_output, "/bin/sh: 1: curl: not found");
    scene_step(&s, 15);
    size_t told = count(&s, VERDICT_GHOST_MODEL, VERDICT_RAISED);
    assert_true(told > 0 && told < 8);
    assert_true(scene_raised(&s, VERDICT_BROKEN_HEALTHCHECK));
    s.n_models = 0;
    scene_step(&s, 1);
    assert_int_equal(count(&s, VERDICT_GHOST_MODEL, VERDICT_CLEARED), SCENE_MODELS_MAX);
    scene_end(&s);
}

/* ---- thermal ---- */

static struct gpu *add_gpu(struct scene *s, unsigned index, fact celsius)
{
    struct gpu *gpu = world_add_gpu(&s->world);
    assert_non_null(gpu);
    gpu->index = index;
    gpu->temperature_c = celsius;
    s->world.gpus_known = true;
    return gpu;
}

static void hot_gpu_is_told_of_the_host(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    add_gpu(&s, 0, 55);
    add_gpu(&s, 1, 71);
    snprintf(s.world.gpus[1].name, sizeof s.world.gpus[1].name, "NVIDIA L4");
    scene_look(&s);
    assert_true(scene_until_raised(&s, VERDICT_THERMAL, 60) == 30);
    const struct verdict *v = scene_verdict(&s, VERDICT_THERMAL);
    assert_string_equal(v->id, "");
    assert_int_equal(v->remedy, REMEDY_NONE);
    assert_true(verdict_evidence(v, "gpu") == 1);
    assert_true(verdict_evidence(v, "celsius") == 71);
    assert_non_null(strstr(v->why, "GPU 1, NVIDIA L4"));
    s.world.gpus[1].temperature_c = FACT_UNKNOWN; /* stays, for a while */
    scene_step(&s, 2);
    assert_true(scene_raised(&s, VERDICT_THERMAL));
    s.world.gpus[1].temperature_c = 70;
    scene_step(&s, 1);
    assert_int_equal(scene_verdict(&s, VERDICT_THERMAL)->state, VERDICT_CLEARED);
    scene_end(&s);
}

static void heat_by_table(void **state)
{
    static const struct {
        const char *settings;
        fact celsius;
        bool hot;
    } cases[] = {
        {NULL, 70, false},
        {NULL, 71, true},
        {NULL, FACT_UNKNOWN, false},
        {"gpu.temperature_alert=85", 84, false},
        {"gpu.temperature_alert=85", 86, true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct scene s;
        scene_begin(&s, cases[i].settings);
        add_gpu(&s, 0, cases[i].celsius);
        scene_look(&s);
        assert_int_not_equal(scene_never_raised(&s, VERDICT_THERMAL, 60), cases[i].hot);
        scene_end(&s);
    }
}

static void heat_holds_without_a_break(void **state)
{
    struct scene s;
    (void)state;
    scene_begin(&s, NULL);
    add_gpu(&s, 0, 75);
    for (int i = 0; i < 10; i++) {
        s.world.gpus[0].temperature_c = 75;
        assert_true(scene_never_raised(&s, VERDICT_THERMAL, 25));
        s.world.gpus[0].temperature_c = 69;
        scene_step(&s, 1);
    }
    s.world.gpus[0].temperature_c = 75;
    scene_step(&s, 20);
    scene_pass(&s, 40); /* a gap */
    assert_true(scene_never_raised(&s, VERDICT_THERMAL, 25));
    assert_true(scene_until_raised(&s, VERDICT_THERMAL, 10) > 0);
    s.world.n_containers = 0; /* it is the host's: no container is needed */
    s.now_s += 1;
    s.world.monotonic_s += 1;
    s.world.time_ms += 1000;
    assert_int_equal(judge_look(s.judge, &s.world, &s.judgement), 0);
    assert_true(scene_raised(&s, VERDICT_THERMAL));
    s.world.n_containers = 1;
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(budget_by_table),
        cmocka_unit_test(change_of_models_is_not_over),
        cmocka_unit_test(budget_of_all_together),
        cmocka_unit_test(swap_by_table),
        cmocka_unit_test(swap_of_an_orphan_is_nothing),
        cmocka_unit_test(healthcheck_by_table),
        cmocka_unit_test(many_models_hide_nothing),
        cmocka_unit_test(hot_gpu_is_told_of_the_host),
        cmocka_unit_test(heat_by_table),
        cmocka_unit_test(heat_holds_without_a_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
