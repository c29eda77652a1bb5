/* The ledger and the predictions against what real servers said and held.
 *
 * The recordings are of three models, tiny, small and medium, of llama's architecture, F16, without
 * a GPU (tests/recordings/memory; `field`: recorded by an hour of 0.24.0 and 0.33.0 in November
 * 2026). What the servers logged of them, MiB: 0.24 medium at 4,096 tokens: weights 1,177, KV 384,
 * buffers 49; 0.33 small at 4,096: weights 196.5, KV 128; 0.33's size in /api/ps is the sum of the
 * buffers in its log. */
#include "judge/admission.h"
#include "ledger_case.h"
#include "recorded_models.h"
#include "sense/world_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void assert_near(double is, double wanted, double percent, const char *what, const char *of)
{
    if (is < wanted * (1 - percent / 100) || is > wanted * (1 + percent / 100))
        fail_msg("%s: %s is %.2f MiB and should be %.2f", of, what, is, wanted);
}

static double mib(fact bytes)
{
    return (double)bytes / (double)MIB;
}

/* Each part of each load that was recorded, as of the moment when it had ended. */
static void test_parts_are_those_of_the_log(void **state)
{
    (void)state;
    for (const struct recorded_load *r = recorded_loads; r->model; r++) {
        struct world world;
        struct container *c = server(&world, (fact)(r->held * (double)MIB));
        struct model *m = &c->ollama.models[0];
        snprintf(m->name, sizeof m->name, "%s:latest", r->model);
        snprintf(c->ollama.version, sizeof c->ollama.version, "%s", r->version);
        snprintf(c->processes[1].comm, sizeof c->processes[1].comm, "%s",
                 strcmp(r->version, "0.24.0") ? "llama-server" : "ollama");
        m->size = (fact)(r->size * (double)MIB);
        m->size_vram = (fact)(r->size_vram * (double)MIB);
        m->context_length = r->context;
        m->shape = recorded_shape(r->model);
        take(c); /* which adds up to the byte */
        assert_false(has(LEDGER_VRAM));
        assert_int_equal(part(LEDGER_WEIGHTS, 0)->source, LEDGER_METADATA);
        assert_near(mib(part(LEDGER_WEIGHTS, 0)->bytes), r->weights, 1, "weights", r->model);
        assert_near(mib(part(LEDGER_KV_CACHE, 0)->bytes), r->kv, 1, "KV cache", r->model);
        if (r->buffers > 0)
            assert_near(mib(part(LEDGER_COMPUTE, 0)->bytes), r->buffers, 10, "buffers", r->model);
        if (has(LEDGER_PROMPT_CACHE)) /* which is empty: what the program itself takes */
            assert_true(part(LEDGER_PROMPT_CACHE, 0)->bytes <= 6 * MIB);
        assert_true(part(LEDGER_UNEXPLAINED, 0)->bytes <= 10 * MIB);
        world_clear(&world);
    }
}

/* Before the first load, by metadata alone. */
static void test_footprints_are_predicted(void **state)
{
    (void)state;
    for (const struct recorded_load *r = recorded_loads; r->model; r++) {
        struct model_shape shape = recorded_shape(r->model);
        struct container c;
        struct admission_server server;
        struct need need;
        struct admission_model model = {.file = shape.weights,
                                        .kv_per_token = shape.kv_per_token,
                                        .graph = shape.graph,
                                        .parameters = FACT_UNKNOWN,
                                        .context = r->context,
                                        .trained = FACT_UNKNOWN,
                                        .learned = FACT_UNKNOWN};
        container_init(&c);
        snprintf(model.name, sizeof model.name, "%s:latest", r->model);
        snprintf(c.ollama.version, sizeof c.ollama.version, "%s", r->version);
        admission_server_of(&c, &server);
        need_of(&model, &server, 20, &need);
        assert_int_equal(need.source, NEED_METADATA);
        assert_near(mib(need.bytes), r->held, 15, r->version, r->model);
        if (r->buffers > 0)
            assert_near(mib(need.compute - server.runner), r->buffers, 10, "buffers", r->model);
        container_clear(&c);
    }
}

/* Each look of the recordings with its model's metadata. */
static size_t check_line(const char *line, size_t n, struct world *world)
{
    if (world_from_json(line, n, world, NULL, 0) != WORLD_LINE_WORLD || world->n_containers == 0)
        return 0;
    struct container *c = &world->containers[0];
    if (c->ollama.n_models != 1)
        return 0;
    struct model *m = &c->ollama.models[0];
    char name[16];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(m->name, ":"), m->name);
    m->shape = recorded_shape(name);
    ledger_of(world, c, NULL, NULL, &ledger);
    assert_int_equal(sum_held(), ledger.held);
    if (!has(LEDGER_KV_CACHE))
        return 0;
    const struct ledger_part *w = part(LEDGER_WEIGHTS, 0);
    double kv = mib(m->shape.kv_per_token * m->context_length), weights = mib(m->shape.weights);
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].pid == w->pid &&
            mib(process_held(&c->processes[i])) < weights + kv) /* it goes, or comes */
            return 0;
    assert_near(mib(w->bytes), weights, 1, "weights", name);
    assert_near(mib(part(LEDGER_KV_CACHE, 0)->bytes), kv, 1, "KV cache", name);
    return 1;
}

static void test_every_look_of_the_recordings(void **state)
{
    (void)state;
    size_t looks = ledger_recorded(check_line);
    assert_true(looks > 500);
    print_message("          %zu looks with a model\n", looks);
}

/* Metadata and an environment that no machine has: what comes of them is unknown, and wraps into
 * nothing. */
static void test_figures_that_no_machine_has(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, 6 * GIB);
    struct model *m = &c->ollama.models[0];
    static const fact huge[] = {(fact)1 << 54, INT64_MAX, (fact)1 << 40};
    pairs_add(&c->env, &c->n_env, "LLAMA_ARG_CACHE_RAM", "1152921504606846976"); /* 2^60 */
    for (size_t i = 0; i < 3; i++) {
        m->shape = (struct model_shape){4 * GIB, huge[i], 320 * MIB};
        take(c);
        assert_false(has(LEDGER_KV_CACHE));
        assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, 5632 * MIB);
        assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bytes, 512 * MIB);
        assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bound, FACT_UNKNOWN);
    }
    for (size_t i = 0; i < 2; i++) {
        m->shape = (struct model_shape){huge[i], 1, huge[i]};
        take(c);
        assert_false(has(LEDGER_KV_CACHE));
    }
    m->shape = (struct model_shape){4 * GIB, 128 << 10, 316 * MIB};
    m->size = INT64_MAX;
    take(c);
    assert_int_equal(part(LEDGER_COMPUTE, 0)->bytes, 320 * MIB);
    world_clear(&world);
}

/* Since 0.30 the size is weights, KV cache and buffers: one of windows is smaller than its context
 * would make it, and a projector is weights. */
static void test_the_size_is_all_of_it(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, 8 * GIB);
    struct model *m = &c->ollama.models[0];
    m->shape = (struct model_shape){5000 * MIB, 256 << 10, 100 * MIB};
    take(c);
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, 5000 * MIB);
    assert_int_equal(part(LEDGER_COMPUTE, 0)->bytes, 104 * MIB);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, (632 - 104) * MIB);
    m->shape.kv_per_token = 8 << 10;
    take(c);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, 32 * MIB);
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, (5632 - 32 - 104) * MIB);
    m->shape.weights = 6000 * MIB; /* more than all of it: it is loaded in another form */
    take(c);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, 0);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_those_of_the_log),
        cmocka_unit_test(test_footprints_are_predicted),
        cmocka_unit_test(test_every_look_of_the_recordings),
        cmocka_unit_test(test_figures_that_no_machine_has),
        cmocka_unit_test(test_the_size_is_all_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
