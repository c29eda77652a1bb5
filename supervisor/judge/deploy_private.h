/* What the parts of the plan share. Inside of deploy only. */
#ifndef SUPERVISOR_JUDGE_DEPLOY_PRIVATE_H
#define SUPERVISOR_JUDGE_DEPLOY_PRIVATE_H

#include "base/size.h"
#include "judge/deploy.h"

struct deploy {
    const struct deploy_wish *wish;
    const struct deploy_facts *facts;
    struct deploy_plan *plan;
    fact freed;    /* bytes that those who are stopped for it give back */
    size_t n_gpus; /* that it gets and that were seen */
    fact vram;     /* free in them, without what llama.cpp leaves free; unknown: not told */
};

/* A sentence that is put together; what has no room is cut. */
struct deploy_text {
    char text[DEPLOY_TEXT_SIZE];
    size_t length;
};
void deploy_append(struct deploy_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* deploy_others.c: exclusive ones, and who is stopped for them. Fills freed. */
void deploy_others(struct deploy *deploy);
void deploy_name_evicted(struct deploy *deploy);
/* deploy_host.c: the host's memory; what an exclusive one leaves of it; the disk (after the model).
 */
void deploy_memory(struct deploy *deploy);
void deploy_margin(struct deploy *deploy, const struct settings *settings);
void deploy_disk(struct deploy *deploy);
/* deploy_gpu.c: which GPUs it gets. Fills n_gpus and vram. */
void deploy_gpu(struct deploy *deploy);
/* deploy_model.c: what lies below the limit; the bound of the prompt cache. */
void deploy_model(struct deploy *deploy);

#endif
