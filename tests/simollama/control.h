/* The control endpoint, on its own port: /sim/state, /sim/set, /sim/leak, /sim/orphan, /sim/ghost,
 * /sim/sink. No fault of the main port touches it. */
#ifndef SIMOLLAMA_CONTROL_H
#define SIMOLLAMA_CONTROL_H

#include <sys/types.h>

/* Listens where SIMOLLAMA_CONTROL says (0.0.0.0:11435). */
void control_start(void);
void control_signal_seen(int signal_number);
/* A child that is no runner of the scheduler's ended. */
void control_child_exited(pid_t pid);

#endif
