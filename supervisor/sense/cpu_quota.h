/* How much CPU time a cgroup may use: cpu.max of version 2; cpu.cfs_quota_us and cpu.cfs_period_us
 * of version 1, in a hierarchy of their own. Read when somebody is about to change it; no look
 * needs it. */
#ifndef SUPERVISOR_SENSE_CPU_QUOTA_H
#define SUPERVISOR_SENSE_CPU_QUOTA_H

#include "base/fact.h"
#include "sense/text.h"
#include <limits.h>

/* Microseconds; quota_us is FACT_NONE where there is none. */
struct cpu_quota {
    fact quota_us, period_us;
};

/* "max 100000\n", "50000 100000\n". Both unknown for anything else. */
struct cpu_quota cpu_quota_parse(struct text text);
/* "-1\n" (none), "50000\n"; unknown for anything else. */
fact cpu_quota_parse_v1(struct text text);

/* Of the cgroup at directory, of that version. 0, or -errno; -EIO: not as the kernel writes it. */
int cpu_quota_read(int version, const char *directory, struct cpu_quota *ret_quota);

/* The directory that has container id's quota, where its memory cgroup is at `memory` below the
 * mounted root: the same on version 2; on version 1 mostly the same path in the cpu hierarchy, but
 * it need not be. 0; -ENOENT: there is none; -ENAMETOOLONG. */
int cpu_quota_find(const char *root, int version, const char *id, const char *memory,
                   char ret_path[static PATH_MAX]);

#endif
