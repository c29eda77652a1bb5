/* One optimisation pass over a container: which idle models go, as far as the pressure
 * asks. Pure. */
#ifndef SUPERVISOR_JUDGE_OPTIMIZE_H
#define SUPERVISOR_JUDGE_OPTIMIZE_H

#include "judge/room.h"

struct optimize_plan {
    enum pressure_level level, after; /* now, and when those of `go` have gone */
    size_t go[LOADED_MAX], n_go;      /* indices into room.models, in the order in which they go */
    fact freed;                       /* what they hold */
    bool waits;                       /* it depends on models that may be busy: not known yet */
    enum staying stays[LOADED_MAX];   /* of each model that does not go; STAYS_NOT: the pressure
                                         does not ask for it */
};

/* From medium pressure on large idle models go, from high on small ones too, each only as long as
 * the level is still that high; at critical also protected ones that have been idle for 30 minutes.
 * now: everything that is idle and not protected, at any level. */
void optimize_plan(const struct room *room, bool now, struct optimize_plan *ret_plan);

#endif
