/* What lies below the limit: the weights as far as the GPU does not take them, the KV cache, the
 * buffers, the server; the prompt cache gets what is left. */
#include "judge/deploy_private.h"

#include <string.h>

#define MIB ((fact)1 << 20)

enum {
    FIT_MAX = 4,            /* models that a sentence names */
    CACHE_MOST_MIB = 8192,  /* llama.cpp's own bound (--cache-ram); more is never asked for */
    CACHE_UNKNOWN_PART = 8, /* of the limit, where no model is known: the rest is the model's */
    SLACK_PART = 20         /* of the limit, left to the kernel's own and to what grows */
};
static const fact server_bytes = 256 * MIB; /* an idle server at most (docs/judgement.md) */

/* A part of a size, 0 <= share <= 1. */
static fact part(fact bytes, double share)
{
    return (fact)((double)bytes * share);
}

/* Layers go to the GPU as a whole, with their KV cache: both are shared alike. What a discrete GPU
 * leaves on the host is mapped from its file, page cache that the kernel may drop; without a GPU it
 * is read into anonymous memory. */
static void fill_ledger(const struct deploy *deploy, const struct footprint *f,
                        struct deploy_ledger *ledger)
{
    const struct deploy_plan *plan = deploy->plan;
    fact kv = f->kv_per_token * plan->profile.context * plan->profile.parallel;
    fact whole = f->weights + kv + f->compute;
    double share = 0;
    if (plan->gpu && fact_known(deploy->vram) && whole > 0)
        share = deploy->vram >= whole ? 1 : (double)deploy->vram / (double)whole;
    ledger->weights = f->weights;
    ledger->weights_vram = part(f->weights, share);
    fact rest = f->weights - ledger->weights_vram;
    bool mapped = plan->gpu && deploy->n_gpus > 0 && share > 0;
    ledger->weights_file = mapped ? rest : 0;
    ledger->weights_anon = mapped ? 0 : rest;
    ledger->kv = kv - part(kv, share);
    ledger->compute = f->compute; /* the host's, as the server is: no VRAM carries them */
    ledger->needed = ledger->weights_anon + ledger->kv + ledger->compute + ledger->server;
}

static void find_rest(struct deploy *deploy)
{
    const struct deploy_ledger *ledger = &deploy->plan->ledger;
    fact rest = ledger->weights - ledger->weights_vram;
    if (rest > 0 && ledger->weights_vram > 0)
        deploy_find(deploy->plan, DEPLOY_WARNING, "gpu", rest,
                    "%s of the %s of weights fit into the VRAM that is free: the rest is the CPU's "
                    "and slower; free VRAM, or take a smaller model",
                    SHOWN(ledger->weights_vram), SHOWN(ledger->weights));
}

/* The bound of one runner's prompt cache; there are max_loaded of them. */
static void bound_cache(struct deploy *deploy)
{
    struct deploy_plan *plan = deploy->plan;
    struct deploy_ledger *ledger = &plan->ledger;
    const struct profile *profile = &plan->profile;
    if (profile->server != SERVER_OLLAMA) {
        ledger->prompt_cache = 0;
        return;
    }
    fact left;
    if (fact_known(profile->cache_ram))
        left = profile->cache_ram * profile->max_loaded;
    else if (fact_known(ledger->needed))
        left = ledger->limit - ledger->limit / SLACK_PART - ledger->needed - ledger->weights_file;
    else
        left = ledger->limit / CACHE_UNKNOWN_PART;
    fact mib = left > 0 ? left / profile->max_loaded / MIB : 0;
    if (!fact_known(profile->cache_ram) && mib > CACHE_MOST_MIB)
        mib = CACHE_MOST_MIB;
    plan->cache_ram_mib = mib;
    ledger->prompt_cache = mib * MIB * profile->max_loaded;
    ledger->needed = fact_add(ledger->needed, ledger->prompt_cache);
}

/* By the same ledger as the one that does not. */
static bool fits(const struct footprint *footprint, const void *userdata)
{
    const struct deploy *deploy = userdata;
    const struct deploy_ledger *is = &deploy->plan->ledger;
    struct deploy_ledger ledger = {.server = is->server};
    fill_ledger(deploy, footprint, &ledger);
    return ledger.needed + is->prompt_cache <= is->limit;
}

static void find_too_big(struct deploy *deploy)
{
    const struct deploy_plan *plan = deploy->plan;
    const struct deploy_ledger *ledger = &plan->ledger;
    fact missing = ledger->needed - ledger->limit;
    const char *fit[FIT_MAX];
    fact vram = plan->gpu && fact_known(deploy->vram) ? deploy->vram : 0;
    size_t n = footprints_that_fit(fits, deploy, fit, FIT_MAX);
    struct deploy_text remedy = {.length = 0};
    for (size_t i = 0; i < n; i++)
        deploy_append(&remedy, "%s%s", i == 0 ? "these fit: " : ", ", fit[i]);
    if (n == 0)
        deploy_append(&remedy, "no known model fits");
    if (ledger->prompt_cache >= missing)
        deploy_append(&remedy, "; a cache_ram of less");
    else if (ledger->kv >= missing)
        deploy_append(&remedy, "; a shorter context or less in parallel");
    deploy_find(deploy->plan, deploy->wish->model_wanted ? DEPLOY_REFUSAL : DEPLOY_WARNING, "model",
                missing,
                "%s needs %s%s %s (weights %s, KV cache %s, buffers and server %s%s%s) and the "
                "limit is %s, %s short; %s",
                plan->profile.model, plan->footprint.source == FOOTPRINT_ESTIMATED ? "about " : "",
                SHOWN(ledger->needed), vram > 0 ? "beside the GPU" : "without a GPU",
                SHOWN(ledger->weights_anon), SHOWN(ledger->kv),
                SHOWN(ledger->compute + ledger->server),
                ledger->prompt_cache > 0 ? ", prompt cache " : "",
                ledger->prompt_cache > 0 ? SHOWN(ledger->prompt_cache) : "", SHOWN(ledger->limit),
                SHOWN(missing), remedy.text);
}

static void find_fit(struct deploy *deploy)
{
    const struct deploy_plan *plan = deploy->plan;
    const struct deploy_ledger *ledger = &plan->ledger;
    fact left = ledger->limit - ledger->needed;
    if (left < 0)
        find_too_big(deploy);
    else if (ledger->weights_file > left)
        deploy_find(deploy->plan, DEPLOY_WARNING, "model", ledger->weights_file - left,
                    "%s of the weights of %s are mapped from the disk and %s are left for them "
                    "below the limit: %s are read again and again; take more --memory or a smaller "
                    "model",
                    SHOWN(ledger->weights_file), plan->profile.model, SHOWN(left),
                    SHOWN(ledger->weights_file - left));
    else if (left < ledger->limit / SLACK_PART / 2)
        deploy_find(deploy->plan, DEPLOY_WARNING, "model", FACT_UNKNOWN,
                    "%s leaves %s below the limit: context checkpoints, or the kernel's own, may "
                    "meet it; take more --memory",
                    plan->profile.model, SHOWN(left));
}

void deploy_model(struct deploy *deploy)
{
    struct deploy_plan *plan = deploy->plan;
    const struct profile *profile = &plan->profile;
    plan->ledger = (struct deploy_ledger){.weights = FACT_UNKNOWN,
                                          .weights_vram = FACT_UNKNOWN,
                                          .weights_file = FACT_UNKNOWN,
                                          .weights_anon = FACT_UNKNOWN,
                                          .kv = FACT_UNKNOWN,
                                          .compute = FACT_UNKNOWN,
                                          .server = server_bytes,
                                          .needed = FACT_UNKNOWN,
                                          .limit = profile->memory};
    bool known = plan->footprint.source != FOOTPRINT_UNKNOWN;
    if (known) {
        fill_ledger(deploy, &plan->footprint, &plan->ledger);
        find_rest(deploy);
    }
    bound_cache(deploy);
    if (known)
        find_fit(deploy);
    else if (profile->model[0] != '\0')
        deploy_find(deploy->plan, DEPLOY_WARNING, "model", FACT_UNKNOWN,
                    "the size of %s is not known: whether it fits the limit of %s shows when it is "
                    "loaded",
                    profile->model, SHOWN(profile->memory));
}
