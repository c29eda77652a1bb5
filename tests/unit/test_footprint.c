/* What a model takes before anybody has measured it: the table, and the estimate by its name. */
#include "judge/footprint.h"
#include "judge/footprint_table.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a)   (sizeof(a) / sizeof((a)[0]))
#define GIB(n) ((fact)(n) << 30)

/* Every row is found by its own name, and the family's name means one of them. */
static void table(void **state)
{
    (void)state;
    for (size_t i = 0; i < known_models_n; i++) {
        const struct known_model *row = &known_models[i];
        struct footprint f = footprint_of(row->name);
        assert_int_equal(f.source, FOOTPRINT_KNOWN);
        assert_int_equal(f.weights, (fact)(row->gigabytes * 1e9));
        assert_int_equal(f.download, f.weights);
        assert_int_equal(f.kv_per_token, 4LL * row->layers * row->kv_heads * row->head);
        assert_true(fabs(f.parameters - row->parameters * 1e9) < 1);
        /* between 2 bits and 18 a weight: neither size nor parameters are mistyped */
        double bits = row->gigabytes * 8 / row->parameters;
        assert_true(bits > 4 && bits < 18);
        size_t base = strcspn(row->name, ":"), latest = 0;
        for (size_t j = 0; j < known_models_n; j++)
            latest +=
                strncmp(known_models[j].name, row->name, base + 1) == 0 && known_models[j].latest;
        assert_true(latest <= 1);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(known_models[j].name, row->name);
    }
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *model;
        enum footprint_source source;
        double gigabytes; /* of weights */
        fact kv;
    } cases[] = {
        {"deepseek-coder:33b", FOOTPRINT_KNOWN, 19, 253952},
        {"codellama:34b", FOOTPRINT_KNOWN, 19, 196608},
        {"llama3.1:70b", FOOTPRINT_KNOWN, 42.5, 327680},
        {"Llama3.1:70B", FOOTPRINT_KNOWN, 42.5, 327680},
        {"registry.ollama.ai/library/llama3.1:70b", FOOTPRINT_KNOWN, 42.5, 327680},
        {"library/llama3.1:70b", FOOTPRINT_KNOWN, 42.5, 327680},
        {"llama3.1", FOOTPRINT_KNOWN, 4.9, 131072},
        {"llama3.1:latest", FOOTPRINT_KNOWN, 4.9, 131072},
        {"llama3.2", FOOTPRINT_KNOWN, 2.0, 114688},
        {"llama3.2:1b", FOOTPRINT_KNOWN, 1.3, 32768},
        {"qwen2.5:3b", FOOTPRINT_KNOWN, 1.9, 36864},
        {"mixtral:8x7b", FOOTPRINT_KNOWN, 26, 131072},
        {"nomic-embed-text", FOOTPRINT_KNOWN, 0.274, 0},
        /* the same quantisation by name is the same file */
        {"llama3.1:70b-instruct-q4_K_M", FOOTPRINT_KNOWN, 42.5, 327680},
        {"llama3.1:8b-instruct-fp16", FOOTPRINT_ESTIMATED, 4.9 * 16 / 4.89, 131072},
        {"llama3.1:8b-instruct-q8_0", FOOTPRINT_ESTIMATED, 4.9 * 8.5 / 4.89, 131072},
        /* somebody's own of that name need not be the library's */
        {"someone/llama3.1:8b", FOOTPRINT_ESTIMATED, 4.9, 131072},
        {"phi3:medium", FOOTPRINT_ESTIMATED, 2.2, 393216},
        /* by the name alone */
        {"llama9:100b", FOOTPRINT_ESTIMATED, 100 * 4.89 / 8, 327680},
        {"mistral:3b", FOOTPRINT_ESTIMATED, 3 * 4.89 / 8, 131072},
        {"hf.co/them/Big-Llama-2-7B-GGUF:Q8_0", FOOTPRINT_ESTIMATED, 7 * 8.5 / 8, 147456},
        {"dolphin-mixtral:8x22b", FOOTPRINT_ESTIMATED, 8 * 22 * 0.84 * 4.89 / 8, 516096},
        {"wizardcoder:33b-v1.1-q5_K_S", FOOTPRINT_ESTIMATED, 33 * 5.57 / 8, 262144},
        {"granite:350m", FOOTPRINT_ESTIMATED, 0.35 * 4.89 / 8, 65536},
        {"new-model-3.8b", FOOTPRINT_ESTIMATED, 3.8 * 4.89 / 8, 131072},
        /* runs elsewhere */
        {"gpt-oss:120b-cloud", FOOTPRINT_KNOWN, 0, 0},
        {"qwen3-coder:cloud", FOOTPRINT_KNOWN, 0, 0},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct footprint f = footprint_of(cases[i].model);
        if (f.source != cases[i].source ||
            fabs((double)f.weights / 1e9 - cases[i].gigabytes) > 0.001 ||
            f.kv_per_token != cases[i].kv)
            fail_msg("%s: source %d, %.3f GB, %lld a token", cases[i].model, (int)f.source,
                     (double)f.weights / 1e9, (long long)f.kv_per_token);
    }
}

static void unknown(void **state)
{
    (void)state;
    static const char *const models[] = {
        "",     "my-model", "my-model:latest", "x/",       "tool:v2", "gemma3n:e4b", "a:b",
        "b",    "7",        "x:7bb",           "x:99999b", "x:.b",    "x:8xb",       "x:x7b",
        "x:0b", "a:3b4",    "model:q4_0",      "30x",
    };
    for (size_t i = 0; i < N(models); i++) {
        struct footprint f = footprint_of(models[i]);
        if (f.source != FOOTPRINT_UNKNOWN)
            fail_msg("\"%s\" has %.1f GB", models[i], (double)f.weights / 1e9);
        assert_true(f.weights == FACT_UNKNOWN && f.download == FACT_UNKNOWN &&
                    f.kv_per_token == FACT_UNKNOWN && f.compute == FACT_UNKNOWN);
    }
    char longest[400];
    memset(longest, 'a', sizeof(longest));
    memcpy(longest + sizeof(longest) - 5, ":33b", 5);
    assert_int_equal(footprint_of(longest).source, FOOTPRINT_UNKNOWN);
}

struct room {
    fact bytes, context;
};

static bool fits(const struct footprint *f, const void *userdata)
{
    const struct room *room = userdata;
    return f->weights + f->kv_per_token * room->context + f->compute <= room->bytes;
}

static void that_fit(void **state)
{
    (void)state;
    const char *models[40];
    size_t n = footprints_that_fit(fits, &(struct room){GIB(8), 4096}, models, 5);
    assert_int_equal(n, 5);
    fact before = GIB(8);
    for (size_t i = 0; i < n; i++) {
        struct footprint f = footprint_of(models[i]);
        assert_true(f.weights + f.kv_per_token * 4096 + f.compute <= GIB(8));
        assert_true(f.weights <= before);
        before = f.weights;
    }
    /* no larger one that fits was left out */
    for (size_t i = 0; i < known_models_n; i++) {
        struct footprint f = footprint_of(known_models[i].name);
        bool listed = false;
        for (size_t j = 0; j < n; j++)
            listed = listed || models[j] == known_models[i].name;
        if (!listed && known_models[i].layers > 0)
            assert_true(f.weights <= before ||
                        f.weights + f.kv_per_token * 4096 + f.compute > GIB(8));
    }
    assert_int_equal(footprints_that_fit(fits, &(struct room){GIB(1000), 4096}, models, 40), 32);
    assert_string_equal(models[0], "llama3.1:405b");
    assert_int_equal(footprints_that_fit(fits, &(struct room){100 << 20, 4096}, models, 5), 0);
    assert_int_equal(footprints_that_fit(fits, &(struct room){GIB(8), 4096}, models, 0), 0);
    assert_int_equal(footprints_that_fit(fits, &(struct room){FACT_UNKNOWN, 4096}, models, 5), 0);
    /* more context, smaller models */
    footprints_that_fit(fits, &(struct room){GIB(8), 131072}, models, 1);
    assert_true(footprint_of(models[0]).weights < GIB(4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(table), cmocka_unit_test(names),
                                       cmocka_unit_test(unknown), cmocka_unit_test(that_fit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
