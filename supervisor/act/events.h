/* An event of the healer's, made of a run or of nothing but a container. Private to act. */
#ifndef SUPERVISOR_ACT_EVENTS_H
#define SUPERVISOR_ACT_EVENTS_H

#include "act/run.h"

/* Everything unknown, but whom it is about and what. */
struct heal_event heal_event_of(enum heal_event_kind kind, const char *id, const char *name,
                                const char *verdict, const char *step, const char *text);
/* Of a run; what it points to lives as long as that. */
struct heal_event heal_event_of_run(const struct run *run, enum heal_event_kind kind,
                                    const char *text);

#endif
