#include "sense/process_memory.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Processes over all containers; beyond that kinds are decided anew at each look. */
enum { KEPT_MAX = 65536 };

struct process_memory {
    struct kept_kind *list; /* by pid, ascending; a pid once */
    size_t n, room;
};

int process_memory_new(struct process_memory **ret_memory)
{
    struct process_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return -ENOMEM;
    *ret_memory = memory;
    return 0;
}

void process_memory_free(struct process_memory *memory)
{
    if (memory == NULL)
        return;
    free(memory->list);
    free(memory);
}

/* The place of the first entry whose pid is not below. */
static size_t place_of(const struct process_memory *memory, int64_t pid)
{
    size_t low = 0, high = memory->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memory->list[middle].pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct kept_kind *process_memory_find(struct process_memory *memory, const struct process *process)
{
    size_t at = place_of(memory, process->pid);
    struct kept_kind *kept = at < memory->n ? &memory->list[at] : NULL;

    return kept != NULL && kept->pid == process->pid && kept->started_us == process->started_us
               ? kept
               : NULL;
}

struct kept_kind *process_memory_add(struct process_memory *memory, const struct process *process)
{
    size_t at = place_of(memory, process->pid);

    if (at == memory->n || memory->list[at].pid != process->pid) {
        if (memory->n == memory->room) {
            size_t room = memory->room == 0 ? 16 : memory->room * 2;
            struct kept_kind *grown =
                room > KEPT_MAX ? NULL : realloc(memory->list, room * sizeof *grown);
            if (grown == NULL)
                return NULL;
            memory->list = grown;
            memory->room = room;
        }
        memmove(&memory->list[at + 1], &memory->list[at], (memory->n - at) * sizeof *memory->list);
        memory->n++;
    }
    memset(&memory->list[at], 0, sizeof memory->list[at]);
    memory->list[at].pid = process->pid;
    memory->list[at].started_us = process->started_us;
    return &memory->list[at];
}

void process_memory_unsee(struct process_memory *memory, const char *container)
{
    for (size_t i = 0; i < memory->n; i++)
        if (strcmp(memory->list[i].container, container) == 0)
            memory->list[i].seen = false;
}

void process_memory_forget(struct process_memory *memory, const char *container)
{
    size_t kept = 0;

    for (size_t i = 0; i < memory->n; i++)
        if (memory->list[i].seen || strcmp(memory->list[i].container, container) != 0)
            memory->list[kept++] = memory->list[i];
    memory->n = kept;
}
