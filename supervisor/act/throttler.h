/* Whoever was throttled gets back what was taken (row C11; docs/judgement.md, acting 11): when the
 * verdict is over, when the container is no longer enforced, when the supervisor ends, and by the
 * next supervisor where one was killed. For the daemon. */
#ifndef SUPERVISOR_ACT_THROTTLER_H
#define SUPERVISOR_ACT_THROTTLER_H

#include "act/healer.h"

struct throttler;

/* Takes loop, config, sense, keep, tell and userdata of options. NULL when memory is spent. */
struct throttler *throttler_new(const struct healer_options *options, struct healer *healer);
/* When the loop has ended: undoes, and waits for it, what a remedy that was cut short by the end
 * had set. Before healer_delete. */
void throttler_free(struct throttler *throttler);

/* After every look. Each undoing is told as step "unthrottle". */
void throttler_look(struct throttler *throttler, const struct world *world,
                    const struct judgement *judgement);

/* The supervisor ends: undoes all. true: something of it is under way; asked until it is not. */
bool throttler_end(struct throttler *throttler);

/* "50 % of a core, memory.high 1.2 GiB" of a container that is throttled, into text; "" else. */
const char *throttler_text(const struct throttler *throttler, const char *id, char *text,
                           size_t size);

#endif
