/* How busy each runner is: its CPU time over the last five seconds (docs/judgement.md, fact 6, of
 * one runner instead of its container); and when it was used last. */
#ifndef SUPERVISOR_JUDGE_RUNNER_USES_H
#define SUPERVISOR_JUDGE_RUNNER_USES_H

#include "judge/tiers.h"

struct runner_uses;

int runner_uses_new(struct runner_uses **ret_uses); /* 0 or -ENOMEM */
void runner_uses_free(struct runner_uses *uses);

/* One look at all containers, in order of time. */
void runner_uses_look(struct runner_uses *uses, const struct world *world);
/* As of the last look: busy when it has used more than busy_cpu_percent of a core in the window;
 * one that is not full yet is busy as soon as it has used what a full one may, else unknown. */
enum rest runner_uses_rest(const struct runner_uses *uses, const struct process *process,
                           double busy_cpu_percent);
/* When it was last seen to work (docs/judgement.md, "Nothing happens in the runner"), monotonic;
 * < 0: it was never seen to. */
double runner_uses_used_s(const struct runner_uses *uses, const struct process *process);
/* Since when it is watched, monotonic; < 0: it is not. */
double runner_uses_watched_s(const struct runner_uses *uses, const struct process *process);

#endif
