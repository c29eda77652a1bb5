/* The ledger: on real servers' recordings its parts add up to what is held, in every look; and
 * case by case, what goes where. What rules a verdict out. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "judge/ledger.h"
#include "sense/world_json.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((fact)1 << 20)
#define GIB ((fact)1 << 30)

static struct ledger ledger;

static fact signed_bytes(const struct ledger_part *p)
{
    return p->negative ? -p->bytes : p->bytes;
}

static fact sum_held(void)
{
    fact sum = 0;
    for (size_t i = 0; i < ledger.n_parts; i++)
        sum += ledger_is_held(ledger.parts[i].kind) ? signed_bytes(&ledger.parts[i]) : 0;
    return sum;
}

/* The part of that kind, the n-th; fails where there is none. */
static const struct ledger_part *part(enum ledger_kind kind, size_t n)
{
    for (size_t i = 0; i < ledger.n_parts; i++)
        if (ledger.parts[i].kind == kind && n-- == 0)
            return &ledger.parts[i];
    fail_msg("there is no %s", ledger_kind_name(kind));
    return NULL;
}

static bool has(enum ledger_kind kind)
{
    for (size_t i = 0; i < ledger.n_parts; i++)
        if (ledger.parts[i].kind == kind)
            return true;
    return false;
}

static size_t check_line(const char *line, size_t n, struct world *world)
{
    size_t models = 0;
    if (world_from_json(line, n, world, NULL, 0) != WORLD_LINE_WORLD)
        return 0;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        ledger_of(c, &world->host, NULL, NULL, &ledger);
        if (!fact_known(ledger.held)) {
            assert_false(has(LEDGER_RESIDUAL));
            continue;
        }
        assert_int_equal(sum_held(), ledger.held);
        for (size_t p = 0; p < ledger.n_parts; p++)
            assert_true(ledger.parts[p].bytes >= 0 &&
                        (!ledger.parts[p].negative || ledger.parts[p].kind == LEDGER_RESIDUAL));
        models += has(LEDGER_WEIGHTS);
    }
    return models;
}

static void test_recordings_add_up(void **state)
{
    (void)state;
    glob_t found;
    size_t models = 0;
    struct world world;
    world_init(&world);
    assert_int_equal(glob("tests/recordings/memory/*.jsonl", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;
        FILE *file = fopen(found.gl_pathv[i], "re");
        assert_non_null(file);
        while ((n = getline(&line, &size, file)) > 0)
            models += check_line(line, (size_t)(n - (line[n - 1] == '\n')), &world);
        free(line);
        fclose(file);
    }
    globfree(&found);
    world_clear(&world);
    assert_true(models > 500);
    print_message("          %zu looks with a model\n", models);
}

/* A server of 20 MiB with one llama-server of `runner` bytes for one model of 4.3 GiB. */
static struct container *server(struct world *world, fact runner)
{
    world_init(world);
    world->host.swap_total = 0;
    struct container *c = world_add_container(world);
    c->status = STATUS_RUNNING;
    c->processes_known = true;
    c->cgroup = (struct cgroup_memory){.version = 2,
                                       .anon = 20 * MIB + runner,
                                       .file = 5 * GIB,
                                       .shmem = 0,
                                       .kernel = 30 * MIB,
                                       .swap = 0,
                                       .swapcached = 0,
                                       .limit = 28 * GIB};
    struct process *p = container_add_process(c);
    *p = (struct process){
        .pid = 1, .kind = PROCESS_SERVE, .state = 'S', .rss_anon = 20 * MIB, .swap = 0};
    p = container_add_process(c);
    *p = (struct process){.pid = 2,
                          .kind = PROCESS_RUNNER,
                          .state = 'S',
                          .rss_anon = runner,
                          .rss_file = 20 * MIB,
                          .swap = 0,
                          .comm = "llama-server",
                          .blob = "sha256-1"};
    c->ollama.asked = c->ollama.reachable = true;
    struct model *m = ollama_add_model(&c->ollama);
    snprintf(m->name, sizeof m->name, "llama3.1:8b");
    snprintf(m->blob, sizeof m->blob, "sha256-1");
    m->size = 5632 * MIB;
    m->size_vram = 0;
    m->context_length = 4096;
    m->parameters = FACT_UNKNOWN;
    return c;
}

static void take(struct container *c)
{
    struct host host;
    host_init(&host);
    ledger_of(c, &host, NULL, NULL, &ledger);
    assert_int_equal(sum_held(), ledger.held);
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
    assert_int_equal(part(LEDGER_UNEXPLAINED, 0)->bytes, 8 * GIB - 5632 * MIB);
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
    take(c);
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
    struct host host;
    host_init(&host);
    ledger_of(c, &host, NULL, NULL, &ledger);
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
    ledger_of(c, &world.host, learned, &known, &ledger);
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
