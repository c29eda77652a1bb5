/* What a model will take: measured, by its metadata, the table, its name; and what the container's
 * environment says about it. */
#include "judge/admission.h"
#include "room_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct admission_server server = {.context = 4096, .parallel = 1, .kv_scale = 1};

/* A model that was measured before: exactly `bytes`, without margin in these tests. */
static struct admission_model measured(const char *name, fact bytes)
{
    struct admission_model model = {.file = FACT_UNKNOWN,
                                    .kv_per_token = FACT_UNKNOWN,
                                    .graph = FACT_UNKNOWN,
                                    .parameters = FACT_UNKNOWN,
                                    .context = FACT_UNKNOWN,
                                    .trained = FACT_UNKNOWN,
                                    .learned = bytes};
    snprintf(model.name, sizeof model.name, "%s", name);
    return model;
}

static void needs(void **state)
{
    (void)state;
    struct need need;
    struct admission_model m = measured("x", 10 * GIB);
    need_of(&m, &server, 20, &need);
    assert_int_equal(need.source, NEED_LEARNED);
    assert_int_equal(need.wanted, 12 * GIB);

    m.learned = FACT_UNKNOWN; /* its metadata: weights, KV cache of the context, buffers */
    m.file = 800 * MIB;
    m.kv_per_token = 32 << 10;
    need_of(&m, &server, 0, &need);
    assert_int_equal(need.source, NEED_METADATA);
    assert_int_equal(need.kv, 128 * MIB);
    assert_int_equal(need.compute, 100 * MIB);
    assert_int_equal(need.wanted, 1028 * MIB);
    struct admission_server four = {
        .context = 16384, .parallel = 2, .kv_scale = 0.5, .vram = 700 * MIB};
    need_of(&m, &four, 0, &need);
    assert_int_equal(need.kv, 512 * MIB);
    assert_int_equal(need.vram, 700 * MIB);
    assert_int_equal(need.wanted, (800 + 512 + 100 - 700) * MIB);
    m.trained =
        2048; /* never more than it was trained for, and its own num_ctx before the server's */
    need_of(&m, &server, 0, &need);
    assert_int_equal(need.kv, 64 * MIB);
    m.context = 1024;
    need_of(&m, &server, 0, &need);
    assert_int_equal(need.kv, 32 * MIB);

    m = measured("x", 2000 * MIB); /* what was measured is believed, also against its metadata */
    m.file = 800 * MIB;
    m.kv_per_token = 32 << 10;
    need_of(&m, &server, 20, &need);
    assert_int_equal(need.source, NEED_LEARNED);
    assert_int_equal(need.wanted, 2400 * MIB);

    m.learned = FACT_UNKNOWN; /* its own graph, with the mask of its context */
    m.graph = 50 * MIB;
    need_of(&m, &server, 0, &need);
    assert_int_equal(need.compute, 54 * MIB);
    static const fact huge[] = {(fact)1 << 54, INT64_MAX};
    for (size_t i = 0; i < N(huge); i++) { /* never a figure that wrapped */
        m.kv_per_token = huge[i];
        need_of(&m, &server, 20, &need);
        assert_int_equal(need.source, NEED_UNKNOWN);
        assert_true(need.kv == FACT_UNKNOWN && need.bytes == FACT_UNKNOWN);
        assert_int_equal(need.wanted, FACT_UNKNOWN);
    }
    m.kv_per_token = (fact)1 << 49; /* 2^61 at 4,096 tokens: no overflow yet */
    need_of(&m, &server, 20, &need);
    assert_true(need.wanted > (fact)1 << 61);
    m.kv_per_token = 32 << 10;
    m = measured("llama3.1:8b", FACT_UNKNOWN); /* the table, then the name, then nothing */
    need_of(&m, &server, 20, &need);
    assert_int_equal(need.source, NEED_TABLE);
    assert_int_equal(need.weights, 4900000000);
    assert_int_equal(need.kv, 512 * MIB);
    m = measured("llama9:12b", FACT_UNKNOWN);
    need_of(&m, &server, 20, &need);
    assert_int_equal(need.source, NEED_NAME);
    m = measured("who", FACT_UNKNOWN);
    need_of(&m, &server, 20, &need);
    assert_int_equal(need.source, NEED_UNKNOWN);
    assert_int_equal(need.wanted, FACT_UNKNOWN);
    m.cloud = true;
    need_of(&m, &server, 20, &need);
    assert_int_equal(need.source, NEED_NONE);
    assert_int_equal(need.wanted, 0);
}

static void server_of(void **state)
{
    (void)state;
    struct container c;
    struct admission_server s;
    container_init(&c);
    admission_server_of(&c, &s);
    assert_true(s.context == 4096 && s.parallel == 1 && s.kv_scale > 0.99 && s.vram == 0);
    pairs_add(&c.env, &c.n_env, "OLLAMA_CONTEXT_LENGTH", "8192");
    pairs_add(&c.env, &c.n_env, "OLLAMA_NUM_PARALLEL", "x");
    pairs_add(&c.env, &c.n_env, "OLLAMA_KV_CACHE_TYPE", "q8_0");
    admission_server_of(&c, &s);
    assert_true(s.context == 8192 && s.parallel == 1 && s.kv_scale > 0.53 && s.kv_scale < 0.54);
    container_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs),
        cmocka_unit_test(server_of),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
