/* The plan of a deployment: what lies below the limit, the GPU's share, the environment. */
#include "deploy_case.h"

static void check_ledger(const struct deploy_case *c)
{
    const struct deploy_ledger *l = &c->plan.ledger;
    assert_int_equal(l->limit, c->wish.profile.memory);
    assert_int_equal(l->weights, l->weights_vram + l->weights_file + l->weights_anon);
    assert_int_equal(l->needed, l->weights_anon + l->kv + l->compute + l->server + l->prompt_cache);
    assert_int_equal(l->server, MIB(256));
    assert_true(l->weights_vram >= 0 && l->weights_file >= 0 && l->weights_anon >= 0 && l->kv >= 0);
    assert_int_equal(l->prompt_cache, MIB(c->plan.cache_ram_mib) * c->plan.profile.max_loaded);
    if (c->wish.profile.cache_ram < 0 && l->prompt_cache > 0)
        assert_true(l->needed + l->weights_file <= l->limit - l->limit / 20);
}

static void on_cpu(void **state)
{
    (void)state;
    struct deploy_case c = case_of("33b", GIB(32));
    case_plan(&c);
    check_ledger(&c);
    assert_false(c.plan.refused || c.plan.gpu);
    assert_int_equal(c.plan.ledger.weights_anon, 19000000000);
    assert_int_equal(c.plan.ledger.kv, 253952LL * 4096);
    /* what the limit leaves: 28 GiB less 5 %, 19 GB, 992 MiB of KV cache, 640 and 256 MiB */
    fact left = GIB(28) - GIB(28) / 20 - 19000000000 - MIB(992) - MIB(896);
    assert_int_equal(c.plan.cache_ram_mib, left / MIB(1));
    assert_null(case_find(&c, DEPLOY_WARNING, "model"));
    c.wish.profile.memory = GIB(31);
    c.wish.profile.reserve = 0;
    case_plan(&c);
    check_ledger(&c);
    assert_int_equal(c.plan.cache_ram_mib, 8192); /* never more than llama.cpp's own */
    c.wish.profile.max_loaded = 2;                /* each runner has its own */
    case_plan(&c);
    check_ledger(&c);
    assert_true(c.plan.cache_ram_mib < 8192 && c.plan.cache_ram_mib > 4096);
}

/* 42 GB never fit 30 GB on a CPU. */
static void too_big(void **state)
{
    (void)state;
    struct deploy_case c = case_of("70b", GIB(32));
    case_plan(&c);
    check_ledger(&c);
    assert_false(c.plan.refused); /* nobody asked for the model */
    const struct deploy_finding *f = case_find(&c, DEPLOY_WARNING, "model");
    assert_string_equal(f->text,
                        "llama3.1:70b needs 41.7 GiB without a GPU (weights 39.6 GiB, KV cache 1.2 "
                        "GiB, buffers and server 896.0 MiB) and the limit is 30.0 GiB, 11.7 GiB "
                        "short; these fit: mixtral:8x7b, deepseek-r1:32b, qwen2.5:32b, "
                        "qwen2.5-coder:32b");
    assert_int_equal(f->missing, c.plan.ledger.needed - GIB(30));
    assert_int_equal(c.plan.cache_ram_mib, 0);
    c.wish.model_wanted = true;
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_non_null(case_find(&c, DEPLOY_REFUSAL, "model"));

    static const struct {
        const char *profile, *model;
        fact context, parallel, cache_ram;
        const char *says;
    } cases[] = {
        {"standard", "llama9:12b", 4096, 1, FACT_UNKNOWN, "about 8."},
        {"standard", "llama3.1:8b", 131072, 1, FACT_UNKNOWN, "; a shorter context or less in"},
        {"standard", "llama3.1:8b", 4096, 32, FACT_UNKNOWN, "; a shorter context or less in"},
        {"standard", "llama3.1:8b", 4096, 1, GIB(4), "; a cache_ram of less"},
        {"standard", "llama3.1:405b", 4096, 1, FACT_UNKNOWN, "these fit: mistral-nemo:12b, "},
        {"standard", "llama3.2:3b", 1 << 24, 1, FACT_UNKNOWN, "no known model fits"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        c = case_of(cases[i].profile, GIB(32));
        case_model(&c, cases[i].model);
        c.wish.model_wanted = true;
        c.wish.profile.context = cases[i].context;
        c.wish.profile.parallel = cases[i].parallel;
        c.wish.profile.cache_ram = cases[i].cache_ram;
        case_plan(&c);
        check_ledger(&c);
        f = case_find(&c, DEPLOY_REFUSAL, "model");
        if (!f || !strstr(f->text, cases[i].says))
            fail_msg("%s: %s", cases[i].model, f ? f->text : "not refused");
    }
}

/* What a GPU carries are weights and KV cache: buffers and the server are the host's. */
static void those_that_fit_beside_a_gpu(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    case_gpu(&c, "GPU-1", GIB(24), 0);
    case_model(&c, "devstral:24b");
    c.wish.model_wanted = true;
    c.wish.profile.memory = MIB(700);
    case_plan(&c);
    check_ledger(&c);
    assert_int_equal(c.plan.ledger.weights_vram, c.plan.ledger.weights);
    const struct deploy_finding *f = case_find(&c, DEPLOY_REFUSAL, "model");
    assert_non_null(f);
    assert_int_equal(f->missing, MIB(896 - 700));
    assert_null(strstr(strstr(f->text, "these fit: "), "devstral:24b"));
    c.wish.profile.memory = MIB(500);
    case_plan(&c);
    f = case_find(&c, DEPLOY_REFUSAL, "model");
    assert_non_null(strstr(f->text, "no known model fits"));
}

static void unknown_model(void **state)
{
    (void)state;
    struct deploy_case c = case_of("standard", GIB(32));
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_int_equal(c.plan.cache_ram_mib, 1024); /* an eighth of the limit */
    assert_int_equal(c.plan.ledger.weights, FACT_UNKNOWN);
    assert_int_equal(c.plan.ledger.needed, FACT_UNKNOWN);
    assert_null(case_find(&c, DEPLOY_WARNING, "model"));
    case_model(&c, "mine");
    c.wish.model_wanted = true;
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_non_null(case_find(&c, DEPLOY_WARNING, "model"));
    c.wish.profile.cache_ram = MIB(100) + 5;
    case_plan(&c);
    assert_int_equal(c.plan.cache_ram_mib, 100);
    case_model(&c, "gpt-oss:120b-cloud"); /* takes nothing here */
    c.wish.profile.cache_ram = FACT_UNKNOWN;
    case_plan(&c);
    assert_false(c.plan.refused);
    assert_null(case_find(&c, DEPLOY_WARNING, "model"));
    case_model(&c, "llama3.1:8b");
    c.wish.profile.memory = MIB(5850); /* fits, and hardly */
    case_plan(&c);
    check_ledger(&c);
    assert_false(c.plan.refused);
    assert_non_null(strstr(case_find(&c, DEPLOY_WARNING, "model")->text, "below the limit"));
}

static void on_gpu(void **state)
{
    (void)state;
    struct deploy_case c = case_of("33b", GIB(32));
    case_gpu(&c, "GPU-1", GIB(24), GIB(1)); /* 22 usable: all of it */
    case_plan(&c);
    check_ledger(&c);
    assert_true(c.plan.gpu);
    assert_int_equal(c.plan.ledger.weights_vram, 19000000000);
    assert_int_equal(c.plan.ledger.kv, 0);
    assert_int_equal(c.plan.cache_ram_mib, 8192);
    assert_int_equal(c.plan.n_findings, 0);

    c = case_of("70b", GIB(32));
    case_gpu(&c, "GPU-1", GIB(16), MIB(300));
    c.wish.model_wanted = true;
    case_plan(&c);
    check_ledger(&c);
    assert_false(c.plan.refused); /* the rest is mapped from its file */
    const struct deploy_ledger *l = &c.plan.ledger;
    assert_true(l->weights_vram > GIB(13) && l->weights_vram < GIB(15) && l->weights_anon == 0);
    assert_true(l->kv > 0 && l->kv < 327680LL * 4096);
    assert_int_equal(case_find(&c, DEPLOY_WARNING, "gpu")->missing, l->weights_file);
    assert_null(case_find(&c, DEPLOY_WARNING, "model"));
    c.wish.profile.memory = GIB(20); /* now its file's pages are dropped and read again */
    case_plan(&c);
    check_ledger(&c);
    assert_false(c.plan.refused);
    assert_non_null(strstr(case_find(&c, DEPLOY_WARNING, "model")->text, "again and again"));
    assert_int_equal(c.plan.cache_ram_mib, 0);

    /* two share it; one that is full gives nothing */
    c = case_of("70b", GIB(32));
    case_gpu(&c, "GPU-1", GIB(24), 0);
    case_gpu(&c, "GPU-2", GIB(24), 0);
    case_plan(&c);
    check_ledger(&c);
    assert_int_equal(c.plan.ledger.weights_anon + c.plan.ledger.weights_file, 0);
    c.facts.gpus.gpus[0].vram_used = c.facts.gpus.gpus[1].vram_used = GIB(24);
    case_plan(&c);
    check_ledger(&c);
    assert_int_equal(c.plan.ledger.weights_vram, 0);
    assert_int_equal(c.plan.ledger.weights_anon, 42500000000);
    c.facts.gpus.gpus[1].vram_used = FACT_UNKNOWN;
    case_plan(&c);
    check_ledger(&c);
    assert_non_null(strstr(case_find(&c, DEPLOY_WARNING, "gpu")->text, "could not be read"));
}

static void choice(void **state)
{
    (void)state;
    static const struct {
        const char *wanted;
        size_t gpus;
        bool runtime;
        const char *missing;
        bool gets, refused;
        int told; /* severity of what is told about it; -1 nothing */
        const char *says;
    } cases[] = {
        {"auto", 0, false, "", false, false, DEPLOY_NOTE, "no GPU (no driver"},
        {"auto", 0, false, "the driver is too old", false, false, DEPLOY_NOTE, "too old"},
        {"auto", 0, true, "", false, false, DEPLOY_NOTE, "--gpu all"},
        {"auto", 1, false, "", false, false, DEPLOY_NOTE, "NVIDIA Container Toolkit"},
        {"auto", 1, true, "", true, false, -1, NULL},
        {"none", 1, true, "", false, false, -1, NULL},
        {"none", 0, false, "", false, false, -1, NULL},
        {"all", 2, true, "", true, false, -1, NULL},
        {"all", 2, false, "", false, true, DEPLOY_REFUSAL, "--gpu none"},
        {"all", 0, false, "", false, true, DEPLOY_REFUSAL, "cannot hand out GPUs"},
        {"all", 0, true, "", true, false, DEPLOY_WARNING, "no GPU is seen from here"},
        {"1", 2, true, "", true, false, -1, NULL},
        {"0,1", 2, true, "", true, false, -1, NULL},
        {"GPU-1", 2, true, "", true, false, -1, NULL},
        {"GPU-", 2, true, "", true, true, DEPLOY_REFUSAL, "there is no GPU GPU-:"},
        {"2", 2, true, "", true, true, DEPLOY_REFUSAL,
         "there is no GPU 2: there are 0 (A GPU), 1 (A GPU)"},
        {"0,7", 2, true, "", true, true, DEPLOY_REFUSAL, "there is no GPU 7:"},
        {"0", 0, true, "", true, true, DEPLOY_REFUSAL, "there is no GPU 0: no driver"},
        {"0", 0, true, "why", true, false, DEPLOY_WARNING, "cannot be seen from here, why"},
        {"0", 2, false, "", false, true, DEPLOY_REFUSAL, "cannot hand out GPUs"},
        {"MIG-1", 2, true, "", true, false, DEPLOY_WARNING, "MIG-1 cannot be seen"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        struct deploy_case c = case_of("standard", GIB(32));
        for (size_t g = 0; g < cases[i].gpus; g++)
            case_gpu(&c, g == 0 ? "GPU-0" : "GPU-1", GIB(16), 0);
        c.facts.gpu_runtime = cases[i].runtime;
        snprintf(c.facts.gpus.missing, sizeof(c.facts.gpus.missing), "%s", cases[i].missing);
        snprintf(c.wish.profile.gpu, sizeof(c.wish.profile.gpu), "%s", cases[i].wanted);
        case_plan(&c);
        const struct deploy_finding *f = c.plan.n_findings > 0 ? &c.plan.findings[0] : NULL;
        if (c.plan.gpu != cases[i].gets || c.plan.refused != cases[i].refused ||
            (f ? (int)f->severity : -1) != cases[i].told || (f && !strstr(f->text, cases[i].says)))
            fail_msg("case %zu: %s", i, f ? f->text : "nothing told");
    }
    /* of two vendors those of the first count; a GPU named twice counts once */
    struct deploy_case c = case_of("70b", GIB(32));
    case_gpu(&c, "GPU-0", GIB(16), 0);
    case_gpu(&c, "", GIB(100), 0);
    c.facts.gpus.gpus[1].vendor = GPU_AMD;
    case_plan(&c);
    fact vram = c.plan.ledger.weights_vram;
    assert_true(vram > 0 && vram < GIB(16));
    snprintf(c.wish.profile.gpu, sizeof(c.wish.profile.gpu), "0,GPU-0,0");
    case_plan(&c);
    assert_int_equal(c.plan.ledger.weights_vram, vram);
}

static void environment(void **state)
{
    (void)state;
    char env[DEPLOY_ENV_MAX][DEPLOY_ENV_SIZE];
    struct deploy_case c = case_of("standard", GIB(32));
    c.wish.profile.context = 8192;
    c.wish.profile.parallel = 2;
    case_plan(&c);
    static const char *const ollama[] = {"OLLAMA_CONTEXT_LENGTH=8192", "OLLAMA_NUM_PARALLEL=2",
                                         "OLLAMA_MAX_LOADED_MODELS=1", "OLLAMA_KEEP_ALIVE=5m",
                                         "LLAMA_ARG_CACHE_RAM=1024",   "OLLAMA_NOPRUNE=1"};
    assert_int_equal(deploy_environment(&c.plan, env, DEPLOY_ENV_MAX), N(ollama));
    for (size_t i = 0; i < N(ollama); i++)
        assert_string_equal(env[i], ollama[i]);
    assert_int_equal(deploy_environment(&c.plan, env, 2), 2);
    assert_int_equal(deploy_environment(&c.plan, env, 0), 0);

    c = case_of("localai", GIB(32));
    case_plan(&c);
    assert_int_equal(c.plan.cache_ram_mib, 0);
    static const char *const localai[] = {
        "LOCALAI_CONTEXT_SIZE=4096", "LOCALAI_SINGLE_ACTIVE_BACKEND=true",
        "LOCALAI_WATCHDOG_IDLE=true", "LOCALAI_WATCHDOG_IDLE_TIMEOUT=5m"};
    assert_int_equal(deploy_environment(&c.plan, env, DEPLOY_ENV_MAX), N(localai));
    for (size_t i = 0; i < N(localai); i++)
        assert_string_equal(env[i], localai[i]);
    snprintf(c.plan.profile.keep_alive, sizeof(c.plan.profile.keep_alive), "300");
    c.plan.profile.max_loaded = 3;
    assert_int_equal(deploy_environment(&c.plan, env, DEPLOY_ENV_MAX), N(localai));
    assert_string_equal(env[1], "LOCALAI_MAX_ACTIVE_BACKENDS=3");
    assert_string_equal(env[3], "LOCALAI_WATCHDOG_IDLE_TIMEOUT=300s");
    snprintf(c.plan.profile.keep_alive, sizeof(c.plan.profile.keep_alive), "-1");
    assert_int_equal(deploy_environment(&c.plan, env, DEPLOY_ENV_MAX), 2);
    /* without a GPU its image is the wrong one */
    c.facts.gpu_runtime = false;
    case_plan(&c);
    assert_true(c.plan.refused);
    assert_non_null(strstr(case_find(&c, DEPLOY_REFUSAL, "gpu")->text,
                           "--gpu none --image localai/localai:latest"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(on_cpu),
                                       cmocka_unit_test(too_big),
                                       cmocka_unit_test(those_that_fit_beside_a_gpu),
                                       cmocka_unit_test(unknown_model),
                                       cmocka_unit_test(on_gpu),
                                       cmocka_unit_test(choice),
                                       cmocka_unit_test(environment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
