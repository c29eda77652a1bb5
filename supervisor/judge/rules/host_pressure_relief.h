/* Which loaded models of a container may go for the host's pressure, and when (docs/judgement.md,
 * "Pressure"). Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_RELIEF_H
#define SUPERVISOR_JUDGE_RELIEF_H

#include "judge/look.h"

/* From pressure.action_unload on, one after the other. */
enum relief_stage {
    RELIEF_IDLE,
    RELIEF_TIER, /* idle, of a protected tier */
    RELIEF_PINNED,
    RELIEF_BUSY, /* or nobody can tell */
    RELIEF_BUSY_PINNED,
    RELIEF_NONE /* nothing would come back, or it was asked for lately and did not go */
};

struct relief_model {
    const struct model *model; /* the world's */
    struct loaded_model loaded;
    enum going_class class;
    fact pid, started_us; /* of its runner; unknown */
    bool goes;            /* from pressure.action_optimize on */
    bool waits; /* whether it is idle is known soon: its runner has not been seen for long */
    enum relief_stage stage;
};

struct relief_models {
    struct relief_model list[LOADED_MAX]; /* in the order in which they would go */
    size_t n;
};

/* look: at the container, after its rules. None where the list of models, or the processes, are
 * not known now. level: the host's. */
void relief_models(const struct look *look, const struct config *config, enum pressure_level level,
                   struct relief_models *ret_models);

/* A model that was told to go and did not, and a container that did not stop, are left alone for so
 * long. */
static const double relief_skip_s = 60;

/* What its stop would give back to the host: what it holds, less what is swapped out; bytes or
 * unknown. */
fact relief_of(const struct container *container, const struct assessment *assessment);
/* The host was given to it: that it is nearly full is what was asked for. */
bool relief_exclusive(const struct container *container);
/* Why it must not be stopped; NULL: it may be. */
const char *relief_unstoppable(const struct container *container);

#endif
