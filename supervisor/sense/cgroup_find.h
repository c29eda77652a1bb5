/* Where a container's cgroup lies, and who is in a cgroup. */
#ifndef SUPERVISOR_SENSE_CGROUP_FIND_H
#define SUPERVISOR_SENSE_CGROUP_FIND_H

#include "base/error.h"
#include "base/fact.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum {
    CGROUP_DEPTH_MAX = 16, /* directories below the hierarchy's root: an engine of a user, in a
                              service, in a container */
    CGROUP_DIRECTORIES_MAX = 20000, /* that one search visits */
    CGROUP_IDS_MAX = 4096,
};

struct cgroup_place {
    int version;              /* of the memory controller: 1 or 2 */
    char hierarchy[PATH_MAX]; /* its root: ROOT/memory, ROOT or ROOT/unified */
    char relative[PATH_MAX];  /* the container's directory below it, without a leading slash */
};

/* Finds the directory of container `id` (64 hex) under the mounted ROOT and confirms it by pid > 0
 * in its cgroup.procs or a child's. 0; -EINVAL: not an id; -ENOENT; -EACCES; -ESRCH: found, but the
 * process is not there. err says which path and what to do. */
int cgroup_find(const char *root, const char *id, int64_t pid, struct cgroup_place *ret_place,
                struct error *err);

/* The containers (64 hex) that have a cgroup under ROOT now, in order; all zero: none. What cannot
 * be read is left out. For one search instead of thousands. */
struct cgroup_ids {
    char (*list)[65];
    size_t n, room;
};
void cgroup_ids_read(const char *root, struct cgroup_ids *ids);
bool cgroup_ids_have(const struct cgroup_ids *ids, const char *id);
void cgroup_ids_clear(struct cgroup_ids *ids);

/* Hands every pid of the cgroup open at `directory` and of its children to take(), some perhaps
 * twice. 0; -E2BIG: more than CGROUP_DIRECTORIES_MAX children; -ENOENT, -ENODEV: it is gone;
 * another -errno; whatever negative value take() returns ends it. */
typedef int cgroup_take_pid(int64_t pid, void *userdata);
int cgroup_each_pid(int directory, cgroup_take_pid *take, void *userdata);

/* All pids of the cgroup open at `directory` and its children, each once, ascending. How many;
 * -E2BIG: more than max (or than CGROUP_DIRECTORIES_MAX children); -ENOENT, -ENODEV: it is gone; or
 * another -errno. A list that would lack some is not given. */
int cgroup_procs(int directory, int64_t *pids, size_t max);

#endif
