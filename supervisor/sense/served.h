/* Containers in which `ollama serve` runs, whatever their images are called: forks, bundles and
 * builds of one's own. Private to sense/. */
#ifndef SUPERVISOR_SENSE_SERVED_H
#define SUPERVISOR_SENSE_SERVED_H

#include "sense/cgroup_find.h"

struct sense;

/* The ids (64 hex) that stand in PROCFS/PID/cgroup of each process that is `ollama serve` by its
 * argv (process_classify). Others' processes tell it, so it is no more than a reason to look. What
 * cannot be read is left out. It blocks where a process hangs in the kernel. */
void served_read(const char *procfs, struct cgroup_ids *ids);

/* Reads them anew by a worker, one at a time; where they are others than before, another list
 * follows. */
void sense_ask_served(struct sense *sense);

#endif
