/* Verdicts about the host as a whole: they have no container. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_HOST_H
#define SUPERVISOR_JUDGE_HOST_H

#include "judge/history.h"

struct host_history {
    double last_s; /* < 0: no look yet */
    int64_t last_wall_ms;
    struct {
        enum gpu_vendor vendor;
        unsigned index;
        struct matter matter;
    } gpus[GPUS_MAX];
    size_t n_gpus;
    struct matter budget;
};

void host_history_begin(struct host_history *history);
/* After the containers: their assessments are in the judgement. */
void judge_host(struct host_history *history, const struct world *world,
                const struct settings *settings, struct judgement *judgement);

#endif
