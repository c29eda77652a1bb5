/* What was decided about each process (process.h, struct process_memory). Private to
 * sense/process*.c. */
#ifndef SUPERVISOR_SENSE_PROCESS_MEMORY_H
#define SUPERVISOR_SENSE_PROCESS_MEMORY_H

#include "sense/process.h"

struct kept_kind {
    int64_t pid, started_us;
    uint64_t argv_hash;
    fact port;
    enum process_kind kind;
    bool settled; /* the same argv was read twice: what is between fork and exec still has its
                     parent's */
    bool seen;    /* in the look that is under way */
    char comm[16], blob[80], container[CONTAINER_ID_SIZE];
};

/* What is kept of this process, NULL: nothing (or of an earlier one with its pid). */
struct kept_kind *process_memory_find(struct process_memory *memory, const struct process *process);
/* A place for it, zeroed but for pid and started_us; NULL when memory or the cap is spent. */
struct kept_kind *process_memory_add(struct process_memory *memory, const struct process *process);

void process_memory_unsee(struct process_memory *memory, const char *container);
/* Forgets what was not seen of this container. */
void process_memory_forget(struct process_memory *memory, const char *container);

#endif
