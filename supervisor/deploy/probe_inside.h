/* The inner half of `supervisor test`: what runs in the container and touches memory. */
#ifndef SUPERVISOR_DEPLOY_PROBE_INSIDE_H
#define SUPERVISOR_DEPLOY_PROBE_INSIDE_H

#include "base/fact.h"

/* Maps wanted bytes, writes to every page of them, step by step, reads all of them back, and says
 * on stdout how far it is: JSON, a line each (probe.c reads them). Before each step the host must
 * have the step and reserve bytes available, else it stops there. procfs "/proc" and cgroupfs
 * "/sys/fs/cgroup" are the container's. Returns the exit status: 0, also where it stopped early. */
int probe_inside(fact wanted, fact reserve, const char *procfs, const char *cgroupfs);

#endif
