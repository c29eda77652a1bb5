/* Writing a control file of a cgroup. Blocks while the kernel does what the value asks
 * for: call it on a worker. */
#ifndef SUPERVISOR_ACT_CONTROL_H
#define SUPERVISOR_ACT_CONTROL_H

#include "base/error.h"

/* Writes value to DIRECTORY/NAME ("memory.high", "cpu.max"). Where cgroups of version 2 are at
 * their usual mount (cgroupfs is /sys/fs/cgroup), by libcgroup, which is initialised by the first
 * call and never before; elsewhere, and where libcgroup cannot, by a plain write, whose error is
 * the one that is told. 0 or -errno; the sentence names the file. What was written is for the
 * caller to read back. Any thread. */
int control_write(const char *cgroupfs, const char *directory, const char *name, const char *value,
                  struct error *err);

#endif
