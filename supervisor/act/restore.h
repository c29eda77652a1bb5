/* After a heal that ended runners (a restart, a kill), what is wanted at hand in that container is
 * loaded again, as far as it fits (row C14). For the daemon; nothing is unloaded for it. */
#ifndef SUPERVISOR_ACT_RESTORE_H
#define SUPERVISOR_ACT_RESTORE_H

#include "act/healer.h"

struct restore;

/* Takes healer, sense, config, state, tell and userdata of options. NULL when memory is spent. */
struct restore *restore_new(const struct healer_options *options, struct healer *healer);
void restore_free(struct restore *restore); /* when the flow has ended */

/* After every look, and for every event of the healer. Each load is told as step "load": done, not
 * done, or dropped where there is no room for it. */
void restore_look(struct restore *restore, const struct world *world,
                  const struct judgement *judgement);
void restore_heal(struct restore *restore, const struct heal_event *event);

#endif
