/* Verdicts about the host as a whole: they have no container. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_HOST_H
#define SUPERVISOR_JUDGE_HOST_H

#include "judge/look.h"

/* The host's pressure, by its MemAvailable alone: docs/judgement.md, "Pressure". */
struct host_pressure {
    bool critical_told;
    struct condition optimize, unload, stop, flush; /* as much is in use as each asks for */
    bool in_pass;
    double pass_begun_s;              /* the last pass over idle models; < 0 never */
    char stopping[CONTAINER_ID_SIZE]; /* the container that is to stop; "" none */
    double stop_chosen_s;
};

struct host_history {
    double last_s; /* < 0: no look yet */
    int64_t last_wall_ms;
    struct {
        enum gpu_vendor vendor;
        unsigned index;
        struct matter own[VERDICT_KINDS];
    } gpus[GPUS_MAX];
    size_t n_gpus;
    struct matter own[VERDICT_KINDS];
    struct host_pressure pressure;
};

void host_history_begin(struct host_history *history);
/* After the containers: their assessments are in the judgement. histories: theirs, in the world's
 * order. */
void judge_host(struct host_history *history, const struct world *world,
                const struct config *config, struct history *const *histories,
                struct judgement *judgement);

void host_pressure_begin(struct host_pressure *pressure);
/* Every hold begins anew. */
void host_pressure_reset(struct host_pressure *pressure);

#endif
