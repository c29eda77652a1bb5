/* What was taken from containers of low priority, and is to be given back: written down before it
 * is taken, also by a supervisor that is killed then. One row a container. */
#ifndef SUPERVISOR_KEEP_THROTTLES_H
#define SUPERVISOR_KEEP_THROTTLES_H

#include "keep/keep.h"

enum { THROTTLE_PATH_SIZE = 512 };

struct throttle {
    char container[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    char started_at[48], boot_id[40];
    fact version, inode; /* of its memory cgroup: this life of it and no other */
    /* Below the root of cgroups (paths.cgroupfs); cpu_directory is the same on version 2. */
    char directory[THROTTLE_PATH_SIZE], cpu_directory[THROTTLE_PATH_SIZE];
    /* memory.high, bytes: FACT_NONE is "max"; high_set unknown: it was not touched. */
    fact high_before, high_set;
    /* The CPU quota, microseconds in each period: FACT_NONE is none; quota_set unknown: it was not
     * touched. The period is never changed. */
    fact quota_before_us, quota_set_us, period_us;
    int64_t since_wall_ms;
};

/* Commits the row durably (fsync) before it returns 0; any other result: nothing may be written to
 * the cgroup. A row of another life is replaced. -EEXIST: one of this life stands, whose values of
 * before must not be lost; else as keep_intent_begin. */
int keep_throttle_begin(struct keep *keep, const struct throttle *throttle, struct error *err);
/* Forgets it; 0 also where there was none. */
int keep_throttle_end(struct keep *keep, const char *container, struct error *err);
/* All of them, the oldest first; *ret_throttles is the caller's (free). */
int keep_throttles(struct keep *keep, struct throttle **ret_throttles, size_t *ret_n,
                   struct error *err);

#endif
