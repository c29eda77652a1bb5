/* What is remembered of containers is read for the judge by a worker: no look waits for the disk.
 */
#ifndef SUPERVISOR_REMEMBERED_H
#define SUPERVISOR_REMEMBERED_H

#include "judge/judge.h"
#include "keep/keep.h"
#include <uv.h>

struct remembered;

int remembered_new(uv_loop_t *loop, const struct config *config, struct keep *keep,
                   struct judge *judge, struct remembered **ret_remembered);
/* A container was found: of all that the next look has, it is read anew. */
void remembered_found(struct remembered *remembered);
/* In every look, after the judge's. wait: it is read here and now (a command, which has nothing
 * else to do). true: all was told; false: nothing may be begun yet that rests on it. */
bool remembered_look(struct remembered *remembered, const struct world *world, bool wait);
/* After the loop was turned to its end. */
void remembered_free(struct remembered *remembered);

#endif
