/* Which GPUs it gets, and how much of their memory is free. */
#include "judge/deploy_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What llama.cpp leaves free in each GPU when it spreads a model by itself (--fit-target). */
static const fact vram_margin = (fact)1 << 30;

static const char *const toolkit =
    "install the NVIDIA Container Toolkit and restart the engine (AMD: /dev/kfd and /dev/dri must "
    "be there)";

/* The GPUs that the engine hands out are of one vendor: the first one's. */
static bool is_handed_out(const struct gpu_list *gpus, size_t i)
{
    return gpus->gpus[i].vendor == gpus->gpus[0].vendor;
}

static bool is_named(const struct gpu *gpu, const char *id, size_t length)
{
    char index[16];
    snprintf(index, sizeof(index), "%u", gpu->index);
    return (strlen(index) == length && strncmp(index, id, length) == 0) ||
           (strlen(gpu->uuid) == length && strncmp(gpu->uuid, id, length) == 0);
}

static void take(struct deploy *deploy, const struct gpu *gpu)
{
    fact free = FACT_UNKNOWN;
    if (fact_known(gpu->vram_total) && fact_known(gpu->vram_used)) {
        free = gpu->vram_total - gpu->vram_used - vram_margin;
        free = free > 0 ? free : 0;
    }
    deploy->vram = deploy->n_gpus == 0 ? free : fact_add(deploy->vram, free);
    deploy->plan->gpus[gpu - deploy->facts->gpus.gpus] = true;
    deploy->n_gpus++;
}

static void take_all(struct deploy *deploy)
{
    const struct gpu_list *gpus = &deploy->facts->gpus;
    deploy->plan->gpu = true;
    for (size_t i = 0; i < gpus->n; i++)
        if (is_handed_out(gpus, i))
            take(deploy, &gpus->gpus[i]);
}

/* Why none is seen, as the end of a sentence. */
static const char *unseen(const struct gpu_list *gpus)
{
    return gpus->missing[0] != '\0' ? gpus->missing
           : gpus->integrated       ? "only one without memory of its own"
                                    : "no driver of NVIDIA's or AMD's is loaded";
}

static void choose_auto(struct deploy *deploy)
{
    const struct gpu_list *gpus = &deploy->facts->gpus;
    if (deploy->facts->gpu_runtime && gpus->n > 0)
        take_all(deploy);
    else if (gpus->n > 0)
        deploy_find(deploy->plan, DEPLOY_NOTE, "gpu", FACT_UNKNOWN,
                    "%.64s is there and the engine cannot hand it out, so the CPU does it all: %s",
                    gpus->gpus[0].name[0] != '\0' ? gpus->gpus[0].name : "a GPU", toolkit);
    else if (deploy->facts->gpu_runtime)
        deploy_find(deploy->plan, DEPLOY_NOTE, "gpu", FACT_UNKNOWN,
                    "no GPU is seen from here (%s), so none is asked for; --gpu all asks for them "
                    "unseen",
                    unseen(gpus));
    else
        deploy_find(deploy->plan, DEPLOY_NOTE, "gpu", FACT_UNKNOWN,
                    "no GPU (%s): the CPU does it all", unseen(gpus));
}

static void choose_ids(struct deploy *deploy)
{
    const struct gpu_list *gpus = &deploy->facts->gpus;
    struct deploy_text there = {.length = 0};
    for (size_t i = 0; i < gpus->n; i++)
        if (is_handed_out(gpus, i))
            deploy_append(&there, "%s%u (%.40s)", i > 0 ? ", " : "", gpus->gpus[i].index,
                          gpus->gpus[i].name);
    deploy->plan->gpu = true;
    bool taken[GPUS_MAX] = {false};
    for (const char *id = deploy->plan->profile.gpu; *id != '\0';) {
        size_t length = strcspn(id, ","), found = gpus->n;
        for (size_t i = 0; i < gpus->n && found == gpus->n; i++)
            if (is_handed_out(gpus, i) && is_named(&gpus->gpus[i], id, length))
                found = i;
        if (found < gpus->n) {
            if (gpus->gpus[found].vendor == GPU_AMD && !fact_known(gpus->gpus[found].render))
                deploy_find(deploy->plan, DEPLOY_REFUSAL, "gpu", FACT_UNKNOWN,
                            "the render node of GPU %.*s is not seen, so that it cannot be handed "
                            "out alone; --gpu all hands out all of them",
                            (int)length, id);
            if (!taken[found])
                take(deploy, &gpus->gpus[found]);
            taken[found] = true;
        } else if (strncmp(id, "MIG-", 4) == 0 || (gpus->n == 0 && gpus->missing[0] != '\0')) {
            deploy_find(deploy->plan, DEPLOY_WARNING, "gpu", FACT_UNKNOWN,
                        "GPU %.*s cannot be seen from here%s%s: its memory is not counted",
                        (int)length, id, gpus->missing[0] != '\0' ? ", " : "", gpus->missing);
        } else {
            deploy_find(deploy->plan, DEPLOY_REFUSAL, "gpu", FACT_UNKNOWN,
                        "there is no GPU %.*s: %s%s", (int)length, id,
                        there.length > 0 ? "there are " : unseen(gpus), there.text);
        }
        id += length + (id[length] == ',');
    }
}

void deploy_gpu(struct deploy *deploy)
{
    const char *wanted = deploy->plan->profile.gpu;
    const struct gpu_list *gpus = &deploy->facts->gpus;
    if (strcmp(wanted, "none") == 0)
        return;
    if (strcmp(wanted, "auto") == 0) {
        choose_auto(deploy);
    } else if (!deploy->facts->gpu_runtime) {
        deploy_find(deploy->plan, DEPLOY_REFUSAL, "gpu", FACT_UNKNOWN,
                    "the engine cannot hand out GPUs: %s; or go without by --gpu none%s", toolkit,
                    deploy->plan->profile.server == SERVER_LOCALAI
                        ? " --image localai/localai:latest"
                        : "");
        return;
    } else if (strcmp(wanted, "all") == 0) {
        take_all(deploy);
        if (gpus->n == 0)
            deploy_find(deploy->plan, DEPLOY_WARNING, "gpu", FACT_UNKNOWN,
                        "no GPU is seen from here (%s): the start fails where there is none, and "
                        "no VRAM is counted",
                        unseen(gpus));
    } else {
        choose_ids(deploy);
    }
    if (deploy->n_gpus > 0 && !fact_known(deploy->vram))
        deploy_find(deploy->plan, DEPLOY_WARNING, "gpu", FACT_UNKNOWN,
                    "how much VRAM is free could not be read: none is counted");
}
