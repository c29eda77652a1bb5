/* Growth of what is held: what growth-leak and prompt-cache share. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_GROWTH_H
#define SUPERVISOR_JUDGE_GROWTH_H

#include "judge/look.h"

/* Of what was never seen. */
extern const struct growth growth_none;

/* What is found of the growth of one runner, or of the server (r NULL): as its prompt cache, or as
 * a leak. */
struct finding growth_find(const struct look *look, const struct growth *growth,
                           const struct runner *r, bool cache);
/* Whether it has risen by a MiB within ten seconds, at most ten seconds ago. */
bool growth_goes_on(const struct look *look, const struct growth *growth);
/* For how long it has held no more than before; < 0: it still grows. What stands stays for a hold,
 * so that its words must not say more. */
double growth_over_s(const struct look *look, const struct growth *growth);
/* What bounds the prompt cache of the runner's process (NULL: it is not seen). Bytes; 0: it has no
 * cache, FACT_NONE: nothing bounds it. */
fact growth_bound(const struct look *look, const struct process *p);
/* Seconds at that slope until the kernel kills: until the container's limit, or else the host, and
 * the swap that is left to it are full. < 0: unknown, or without end. */
double growth_left_s(const struct look *look, double per_s);
/* Names the runner and its model; then the numbers too. fits: the bound that would; unknown. */
void growth_name(const struct look *look, const struct runner *r, struct verdict *v);
void growth_show(const struct look *look, const struct growth *growth, const struct runner *r,
                 struct verdict *v, fact fits);

#endif
