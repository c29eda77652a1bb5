/* The clean-up at the start: models that were left loaded and idle in enforce containers
 * are unloaded once, where models.startup_unload says so. Never fatal; what starts later is left
 * alone. */
#ifndef SUPERVISOR_ACT_STARTUP_H
#define SUPERVISOR_ACT_STARTUP_H

#include "act/healer.h"

struct startup;

/* NULL when memory is spent. */
struct startup *startup_new(struct healer *healer);
void startup_free(struct startup *startup);

/* After every look's healer_consider. The first settled one says which models were there; each is
 * unloaded when it is known to be idle, and told (as dropped) when it is not. */
void startup_look(struct startup *startup);

#endif
