/* After a heal that ended runners (a restart, a kill), what is wanted at hand in that container is
 * loaded again, as far as it fits. For the daemon; nothing is unloaded for it. */
#ifndef SUPERVISOR_ACT_RESTORE_H
#define SUPERVISOR_ACT_RESTORE_H

#include "act/healer.h"

struct restore;

/* NULL when memory is spent. */
struct restore *restore_new(struct healer *healer);
void restore_free(struct restore *restore); /* when the flow has ended */

/* After every look's healer_consider, and for every event of the healer. Each load is told as step
 * "load": done, not done, or dropped where there is no room for it. */
void restore_look(struct restore *restore);
void restore_heal(struct restore *restore, const struct heal_event *event);

#endif
