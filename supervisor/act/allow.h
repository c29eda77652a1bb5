/* May a restart be begun now: the budget, and the back-off. Pure. */
#ifndef SUPERVISOR_ACT_ALLOW_H
#define SUPERVISOR_ACT_ALLOW_H

#include "base/config.h"
#include "keep/keep.h"

enum allowed { ALLOW_GO, ALLOW_WAIT /* the back-off */, ALLOW_HOLD /* the budget is spent */ };

struct allow {
    enum allowed answer;
    double wait_s; /* of the back-off, or until the hour frees a slot; 0 with ALLOW_GO */
    fact attempt;  /* its number in the back-off: 1, 2, … */
};

/* Back-off: remedy.backoff doubling to remedy.backoff_cap with 10 % of jitter, anew after
 * remedy.healthy (Kubernetes' numbers for a crash loop: kubernetes.io, "Pod lifecycle"). The budget
 * is remedy.budget_per_hour. A wait is never longer than the cap and its jitter, a hold never
 * longer than the hour, whatever the clocks did: ages are never negative. */
struct allow allow_restart(const struct restart_history *history, const struct settings *settings);

#endif
