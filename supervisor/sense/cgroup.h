/* The memory figures of one container's cgroup, version 1 or 2, through kept descriptors (pread; 6
 * us a file). Found by id (docs/judgement.md, fact 8): under the mounted cgroup root the
 * directory that carries the 64-hex id, confirmed by the main process in its cgroup.procs (or in a
 * child's). Roots are parameters: "/sys/fs/cgroup", "/host/sys/fs/cgroup", a fixture tree. */
#ifndef SUPERVISOR_SENSE_CGROUP_H
#define SUPERVISOR_SENSE_CGROUP_H

#include "base/error.h"
#include "sense/world.h"

struct cgroup; /* one container's directory with its open files */

/* Opens the cgroup of container `id` (64 hex). pid > 0 must be listed there (else -ESRCH); pid <= 0
 * skips the check. Looks under ROOT/memory (v1), ROOT (v2), ROOT/unified (hybrid: v1 memory, PSI
 * from unified); docker/<id>, system.slice/docker-<id>.scope, then a bounded walk (depth 6, 20,000
 * directories; only where it is not in the usual places) for CgroupParent, crun's /container and
 * docker-in-docker. cpu from cpuacct (v1) or cpu.stat (v2). Keeps up to 13 descriptors open.
 * -ENOENT: no such directory; -EACCES: may not be read; -EMFILE. err says which path and what to
 * do. */
int cgroup_open(const char *root, const char *id, int64_t pid, struct cgroup **ret_cgroup,
                struct error *err);
void cgroup_close(struct cgroup *cgroup); /* NULL is fine */

/* Reads everything into *ret_memory (fully initialised by this call). 0, or -ENODEV/-ENOENT when
 * the cgroup is gone (a container's end: open it anew). One file that cannot be read leaves its
 * facts unknown. Costs <= 25 us on the bench. */
int cgroup_read(struct cgroup *cgroup, struct cgroup_memory *ret_memory);

/* The directory's path, for messages and for writing memory.high / memory.reclaim (v2) below it.
 * Valid until close. */
const char *cgroup_path(const struct cgroup *cgroup);
/* true if memory.high (v2) can be written here (access(2) only). */
bool cgroup_writable(const struct cgroup *cgroup);

/* All pids in the cgroup and its children (cgroup.procs), each once, ascending; 0 stands for
 * processes that the reader's pid namespace does not show. Returns how many, or -errno: -E2BIG
 * where there are more than max (a list that lacks some would say that they ended). */
int cgroup_pids(struct cgroup *cgroup, int64_t *pids, size_t max);

#endif
