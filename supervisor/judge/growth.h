/* Growth of what is held: what growth-leak and prompt-cache share. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_GROWTH_H
#define SUPERVISOR_JUDGE_GROWTH_H

#include "judge/look.h"

/* What is found of the growth of one runner, or of the server (r NULL): as its prompt cache, or as
 * a leak. */
struct finding growth_find(const struct look *look, const struct growth *growth,
                           const struct runner *r, bool cache);
/* What bounds the prompt cache of the runner's process (NULL: it is not seen). Bytes; 0: it has no
 * cache, FACT_NONE: nothing bounds it. */
fact growth_bound(const struct look *look, const struct process *p);
/* What the container may hold in all: its limit; without one what the host still has. */
fact growth_room(const struct look *look);
/* Names the runner and its model; then the numbers too. fits: the bound that would; unknown. */
void growth_name(const struct look *look, const struct runner *r, struct verdict *v);
void growth_show(const struct look *look, const struct growth *growth, const struct runner *r,
                 struct verdict *v, fact fits);

#endif
