/* Whoever was throttled gets back what was taken (docs/judgement.md, acting 11): when the
 * verdict is over, when the container is no longer enforced, when the supervisor ends, and by the
 * next supervisor where one was killed. For the daemon. */
#ifndef SUPERVISOR_ACT_THROTTLER_H
#define SUPERVISOR_ACT_THROTTLER_H

#include "act/healer.h"

/* Begins to read what earlier supervisors left, unless it was tried a moment ago. */
void throttler_read(struct healer *healer);
/* When the loop has ended: undoes, and waits for it, what a remedy that was cut short by the end
 * had set. Before healer_delete. */
void throttler_rest(struct healer *healer);

/* After every look's healer_consider. Each undoing is told as step "unthrottle". */
void throttler_look(struct healer *healer);

/* The supervisor ends: undoes all. true: something of it is under way; asked until it is not. */
bool throttler_end(struct healer *healer);

/* "50 % of a core, memory.high 1.2 GiB" of a container that is throttled, into text; "" else. */
const char *throttler_text(const struct healer *healer, const char *id, char *text, size_t size);

#endif
