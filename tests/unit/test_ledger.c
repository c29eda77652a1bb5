/* The ledger: on real servers' recordings its parts add up to what is held, in every look; and
 * case by case, what goes where. What rules a verdict out. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "ledger_case.h"
#include "sense/world_json.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t check_line(const char *line, size_t n, struct world *world)
{
    size_t models = 0;
    if (world_from_json(line, n, world, NULL, 0) != WORLD_LINE_WORLD)
        return 0;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        ledger_of(world, c, NULL, NULL, &ledger);
        if (!fact_known(ledger.held)) {
            assert_false(has(LEDGER_RESIDUAL));
            continue;
        }
        assert_int_equal(sum_held(), ledger.held);
        for (size_t p = 0; p < ledger.n_parts; p++)
            assert_true(ledger.parts[p].bytes >= 0 &&
                        (!ledger.parts[p].negative || ledger.parts[p].kind == LEDGER_RESIDUAL ||
                         ledger.parts[p].kind == LEDGER_UNTOUCHED));
        models += has(LEDGER_WEIGHTS);
    }
    return models;
}

static void test_recordings_add_up(void **state)
{
    (void)state;
    size_t models = ledger_recorded(check_line);
    assert_true(models > 500);
    print_message("          %zu looks with a model\n", models);
}

static void test_prompt_cache_is_what_is_above(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, 6 * GIB);
    assert_int_equal(pairs_add(&c->env, &c->n_env, "LLAMA_ARG_CACHE_RAM", "256"), 0);
    take(c);
    /* 32 layers, 8 heads of 128, K and V, 2 bytes: 128 KiB a token. */
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, 512 * MIB);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->source, LEDGER_TABLE);
    assert_int_equal(part(LEDGER_COMPUTE, 0)->bytes, 320 * MIB);
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, (5632 - 512 - 320) * MIB);
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->source, LEDGER_API);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bytes, 256 * MIB);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bound, 256 * MIB);
    assert_int_equal(part(LEDGER_UNEXPLAINED, 0)->bytes, 256 * MIB);
    assert_int_equal(part(LEDGER_SERVER, 0)->bytes, 20 * MIB);
    assert_int_equal(part(LEDGER_RESIDUAL, 0)->bytes, 0);
    assert_int_equal(part(LEDGER_PAGE_CACHE, 0)->bytes, 5 * GIB);
    world_clear(&world);
}

static void test_environment_and_age_of_the_server(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, 8 * GIB);
    pairs_add(&c->env, &c->n_env, "OLLAMA_NUM_PARALLEL", "4");
    pairs_add(&c->env, &c->n_env, "OLLAMA_KV_CACHE_TYPE", "q8_0");
    take(c);
    assert_in_range(part(LEDGER_KV_CACHE, 0)->bytes, 1087 * MIB, 1088 * MIB);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bound, 8192 * MIB);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bytes, 8 * GIB - 5632 * MIB);
    assert_int_equal(part(LEDGER_UNEXPLAINED, 0)->bytes, 0);
    pairs_add(&c->env, &c->n_env, "LLAMA_ARG_CACHE_RAM", "-1");
    take(c);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bound, FACT_NONE);
    /* Before 0.30 there is no such cache. */
    snprintf(c->processes[1].comm, sizeof c->processes[1].comm, "ollama");
    take(c);
    assert_false(has(LEDGER_PROMPT_CACHE));
    assert_in_range(part(LEDGER_UNEXPLAINED, 0)->bytes, 8 * GIB - (5632 + 1088) * MIB,
                    8 * GIB - (5632 + 1087) * MIB); /* its size has no KV cache in it */
    world_clear(&world);
}

static void test_weights_elsewhere(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, GIB);
    c->processes[1].rss_file = 4700 * MIB; /* mapped */
    take(c);
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, 100 * MIB);
    assert_int_equal(part(LEDGER_WEIGHTS_FILE, 0)->bytes, 4700 * MIB);
    c->processes[1].rss_file = 20 * MIB;
    c->ollama.models[0].size_vram = c->ollama.models[0].size; /* all of it on a GPU */
    take(c);                                                  /* of which none was seen */
    assert_false(has(LEDGER_VRAM));
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, 512 * MIB);
    ledger_gpus = 1;
    take(c);
    ledger_gpus = 0;
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, 0);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, 0);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bytes, GIB);
    assert_int_equal(part(LEDGER_VRAM, 0)->bytes, 5632 * MIB);
    world_clear(&world);
}

static void test_a_runner_that_holds_less(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, 300 * MIB);
    take(c);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->bytes, 300 * MIB);
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, 0);
    assert_int_equal(part(LEDGER_PROMPT_CACHE, 0)->bytes, 0);
    world_clear(&world);
}

static void test_what_nobody_knows(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, 6 * GIB);
    struct model *m = &c->ollama.models[0];
    snprintf(m->name, sizeof m->name, "own-thing");
    take(c);
    assert_false(has(LEDGER_KV_CACHE));
    assert_int_equal(part(LEDGER_WEIGHTS, 0)->bytes, 5632 * MIB);
    assert_string_equal(part(LEDGER_WEIGHTS, 0)->note, "with its KV cache and buffers");
    m->parameters = INT64_C(8030000000); /* the server says how large it is */
    take(c);
    assert_int_equal(part(LEDGER_KV_CACHE, 0)->source, LEDGER_ESTIMATE);
    assert_true(part(LEDGER_KV_CACHE, 0)->bytes > 0);
    m->blob[0] = '\0'; /* the only model is the only runner's */
    take(c);
    assert_false(has(LEDGER_RUNNER));
    snprintf(ollama_add_model(&c->ollama)->name, sizeof m->name, "other");
    take(c); /* of two nobody can tell */
    assert_int_equal(part(LEDGER_RUNNER, 0)->bytes, 6 * GIB);
    assert_int_equal(part(LEDGER_RUNNER, 0)->pid, 2);
    c->processes[1].rss_anon = FACT_UNKNOWN; /* then it is in the residual */
    take(c);
    assert_int_equal(part(LEDGER_RESIDUAL, 0)->bytes, 6 * GIB);
    c->processes_known = false;
    take(c);
    assert_int_equal(part(LEDGER_PROCESSES, 0)->bytes, 6 * GIB + 20 * MIB);
    c->cgroup.anon = FACT_UNKNOWN;
    ledger_of(&(struct world){.host = {.swap_total = 0}}, c, NULL, NULL, &ledger);
    assert_int_equal(ledger.held, FACT_UNKNOWN);
    assert_false(has(LEDGER_RESIDUAL));
    world_clear(&world);
}

static void test_residual_may_be_negative(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, GIB);
    c->cgroup.anon = GIB; /* the counters of two moments */
    c->cgroup.shmem = 10 * MIB;
    take(c);
    assert_true(part(LEDGER_RESIDUAL, 0)->negative);
    assert_int_equal(part(LEDGER_RESIDUAL, 0)->bytes, 20 * MIB);
    assert_int_equal(part(LEDGER_SHMEM, 0)->bytes, 10 * MIB);
    world_clear(&world);
}

static void test_many_runners_still_add_up(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, GIB);
    for (int i = 0; i < 60; i++) {
        char blob[32];
        snprintf(blob, sizeof blob, "sha256-x%d", i);
        struct process *p = container_add_process(c);
        *p = (struct process){.pid = 10 + i,
                              .kind = PROCESS_RUNNER,
                              .state = 'S',
                              .rss_anon = 100 * MIB,
                              .rss_file = 200 * MIB,
                              .swap = 0,
                              .comm = "llama-server"};
        snprintf(p->blob, sizeof p->blob, "%s", blob);
        struct model *m = ollama_add_model(&c->ollama);
        *m = (struct model){.name = "qwen3:0.6b",
                            .size = 90 * MIB,
                            .size_vram = 10 * MIB,
                            .context_length = 2048,
                            .parameters = FACT_UNKNOWN};
        snprintf(m->blob, sizeof m->blob, "%s", blob);
    }
    c->cgroup.anon += 60 * 100 * MIB;
    take(c);
    assert_true(ledger.n_parts <= LEDGER_PARTS_MAX);
    assert_true(part(LEDGER_OTHER, 0)->bytes >= 28 * 100 * MIB);
    assert_int_equal(part(LEDGER_RESIDUAL, 0)->bytes, 0);
    world_clear(&world);
}

static int learned(void *userdata, const struct container *c, const struct model *m,
                   struct ledger_learned *ret_learned)
{
    (void)c;
    assert_string_equal(m->name, "llama3.1:8b");
    *ret_learned = *(const struct ledger_learned *)userdata;
    return 0;
}

static void test_learned_is_shown(void **state)
{
    (void)state;
    struct world world;
    struct container *c = server(&world, GIB);
    struct ledger_learned known = {7 * GIB, 3};
    ledger_of(&world, c, learned, &known, &ledger);
    assert_int_equal(part(LEDGER_LEARNED, 0)->bytes, 7 * GIB);
    assert_int_equal(part(LEDGER_LEARNED, 0)->seen, 3);
    assert_int_equal(sum_held(), ledger.held);
    world_clear(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recordings_add_up),
        cmocka_unit_test(test_prompt_cache_is_what_is_above),
        cmocka_unit_test(test_environment_and_age_of_the_server),
        cmocka_unit_test(test_weights_elsewhere),
        cmocka_unit_test(test_a_runner_that_holds_less),
        cmocka_unit_test(test_what_nobody_knows),
        cmocka_unit_test(test_residual_may_be_negative),
        cmocka_unit_test(test_many_runners_still_add_up),
        cmocka_unit_test(test_learned_is_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
