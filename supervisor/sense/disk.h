/* The disk on which a container keeps its models. */
#ifndef SUPERVISOR_SENSE_DISK_H
#define SUPERVISOR_SENSE_DISK_H

#include "base/fact.h"

/* Free bytes, for whoever is not root, of the mount on which the server of a container keeps its
 * models. 0; -ENXIO: they cannot be seen from here; another -errno: the process's mounts cannot be
 * read, it may have ended. pid: the container's main process, by the host's
 * numbers. models: its OLLAMA_MODELS, or NULL. It blocks where that disk hangs.
 *
 * The mount is told by the process (PROCFS/PID/mountinfo, which anybody may read). It is entered by
 * the process's own root; who may not do that (a container without SYS_PTRACE) asks the same file
 * system where it is mounted for himself: a container has files of the engine's disk, on which
 * volumes lie, at /etc/hosts and the like. */
int disk_free_of_models(const char *procfs, int64_t pid, const char *models, fact *ret_available);

/* The same by a process of its own, which alone waits where that disk hangs, and holds nothing of
 * ours. 0; -errno; -EBUSY: too many hang. */
struct disk_look;
int disk_look_begin(const char *procfs, int64_t pid, const char *models,
                    struct disk_look **ret_look);
/* What disk_free_of_models returned; -EAGAIN: nothing yet. */
int disk_look_result(const struct disk_look *look, fact *ret_available);
/* Whether it was over or not. */
void disk_look_end(struct disk_look *look);

#endif
