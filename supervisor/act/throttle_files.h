/* What a throttle is in the files of a cgroup: how it is planned, set, and taken back to exactly
 * what was there. No engine, no database; what blocks says so. */
#ifndef SUPERVISOR_ACT_THROTTLE_FILES_H
#define SUPERVISOR_ACT_THROTTLE_FILES_H

#include "keep/throttles.h"

/* Fills directory and cpu_directory, what is there, and what is to be set: a quota of percent of
 * one core; on version 2 a memory.high of in_use_bytes (unknown: none) and 10 %, 64 MiB at least.
 * What is as tight already is left alone. `path` is the container's memory cgroup, which
 * limit_bytes bounds. 0, or -errno with a sentence: -EALREADY, nothing is left to be done; -EROFS …
 */
int throttle_plan(const char *cgroupfs, const char *path, fact in_use_bytes, fact limit_bytes,
                  double percent, struct throttle *t, char *why, size_t size);

/* Sets it and reads it back. Blocks. 0 or -errno; -ESTALE: somebody has changed a value since it
 * was planned. What was set until then stays set: throttle_undo. Any thread. */
int throttle_apply(const char *cgroupfs, const struct throttle *t, struct error *err);

/* Gives back the values of before, and reads them back. A value that is neither what was set nor
 * what was there is somebody's word: it is left, and *ret_text says so. A cgroup of another life,
 * or none, is left alone as well. Blocks. 0: nothing of it stands any more; or -errno: something
 * may. Doing it twice is harmless. Any thread. */
int throttle_undo(const char *cgroupfs, const char *boot_id, const struct throttle *t,
                  char *ret_text, size_t size, struct error *err);

/* "50 % of a core, memory.high 1.2 GiB" into text; returns it. */
const char *throttle_format(const struct throttle *t, char *text, size_t size);

#endif
