/* How a load begins and how it is told that it failed. */
#ifndef SIMOLLAMA_LOAD_H
#define SIMOLLAMA_LOAD_H

#include "sched.h"

/* Makes the model's blob where it is missing and starts a runner's process for it; fills pid, port
 * and log.fd of runner, whose model, context and anon_bytes are set. 0, or -errno. */
int load_start(struct runner *runner);
/* An orphan: a child like a runner, with bytes of anonymous memory, that nobody knows of. 0 or
 * -errno. */
int load_orphan(const struct model *model, uint64_t bytes, pid_t *ret_pid);
/* What a client reads when a runner ended during its load, in the words of the version. */
void load_failure_text(int wait_status, char *message, size_t size);

#endif
