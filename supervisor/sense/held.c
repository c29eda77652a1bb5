/* What follows from a container's facts (world.h): what it holds, which process is Ollama; and the
 * words of the enumerations. */
#include "base/size.h"
#include "sense/world.h"

static bool holds_nothing(const struct process *process)
{
    return process->state == 'Z' || process->state == 'X';
}

fact process_held(const struct process *process)
{
    return holds_nothing(process) ? 0 : fact_add(process->rss_anon, process->swap);
}

fact cgroup_bound(const struct cgroup_memory *memory)
{
    return memory->bound == FACT_UNKNOWN ? memory->limit : memory->bound;
}

/* Over all processes of the container: RssAnon + VmSwap, or VmSwap alone. */
static fact sum_processes(const struct container *container, bool swap_alone)
{
    fact sum = container->processes_known ? 0 : FACT_UNKNOWN;

    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        fact swap = holds_nothing(p) ? 0 : p->swap;
        sum = fact_add(sum, swap_alone ? swap : process_held(p));
    }
    return sum;
}

fact processes_held(const struct container *container)
{
    return sum_processes(container, false);
}

fact container_held(const struct container *container, const struct host *host)
{
    const struct cgroup_memory *m = &container->cgroup;
    fact resident = fact_add(m->anon, m->shmem), swap = m->swap;

    if (m->version == 0 || resident < 0)
        return FACT_UNKNOWN;
    if (swap < 0 && host != NULL && host->swap_total == 0)
        swap = 0;
    /* anon is known, so memory.stat was read: version 1 without total_swap in it counts no swap. */
    if (swap == FACT_NONE || (swap == FACT_UNKNOWN && m->version == 1)) {
        swap = sum_processes(container, true);
        if (m->version == 2 && swap > 0) /* what lies in the swap cache may not be in VmSwap */
            return fact_add(sum_processes(container, false), m->shmem);
    }
    if (swap <= 0 || m->version == 1)
        return fact_add(resident, swap);
    if (m->swapcached < 0) /* before 5.12 */
        return fact_add(sum_processes(container, false), m->shmem);
    /* What was read back is in both until its slot is freed. */
    return resident + swap - (m->swapcached < swap ? m->swapcached : swap);
}

const struct process *container_serve(const struct container *container)
{
    const struct process *oldest = NULL;

    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        if (p->kind != PROCESS_SERVE)
            continue;
        fact first = container->ollama.server > 0 ? container->ollama.server : container->pid;
        if (fact_known(first) && p->pid == first)
            return p;
        if (oldest == NULL ||
            (p->started_us >= 0 && (oldest->started_us < 0 || p->started_us < oldest->started_us)))
            oldest = p;
    }
    return oldest;
}

bool container_server(const struct container *container, const struct process *process)
{
    if (process->kind != PROCESS_SERVE || holds_nothing(process))
        return false;
    for (size_t i = 0; i < container->n_processes; i++)
        if (container->processes[i].kind == PROCESS_SERVE &&
            container->processes[i].pid == process->ppid)
            return false;
    return true;
}

const struct process *container_lister(const struct container *container)
{
    fact known = container->ollama.server;
    const struct process *only = NULL;

    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        if (p->kind != PROCESS_SERVE || holds_nothing(p) || (known > 0 && p->pid != known))
            continue;
        if (only != NULL || known == FACT_NONE)
            return NULL;
        only = p;
    }
    return only;
}

static const char *const status_names[] = {
    [STATUS_UNKNOWN] = "unknown",       [STATUS_CREATED] = "created",
    [STATUS_RUNNING] = "running",       [STATUS_PAUSED] = "paused",
    [STATUS_RESTARTING] = "restarting", [STATUS_REMOVING] = "removing",
    [STATUS_EXITED] = "exited",         [STATUS_DEAD] = "dead",
};
static const char *const health_names[] = {
    [HEALTH_UNKNOWN] = "unknown", [HEALTH_NONE] = "none",           [HEALTH_STARTING] = "starting",
    [HEALTH_HEALTHY] = "healthy", [HEALTH_UNHEALTHY] = "unhealthy",
};
static const char *const kind_names[] = {
    [PROCESS_OTHER] = "other",
    [PROCESS_SERVE] = "serve",
    [PROCESS_RUNNER] = "runner",
    [PROCESS_HELPER] = "helper",
};

/* The word's place; 0, the first of each list, for a foreign word. */
static unsigned find_name(const char *const *names, size_t n, const char *name)
{
    int at = word_find(names, n, name);
    return at < 0 ? 0 : (unsigned)at;
}

#define COUNT(array)       (sizeof(array) / sizeof((array)[0]))
#define NAME(names, value) ((size_t)(value) < COUNT(names) ? (names)[value] : (names)[0])
#define FIND(names, name)  find_name(names, COUNT(names), name)

const char *container_status_name(enum container_status status)
{
    return NAME(status_names, status);
}

enum container_status container_status_parse(const char *name)
{
    return (enum container_status)FIND(status_names, name);
}

const char *container_health_name(enum container_health health)
{
    return NAME(health_names, health);
}

enum container_health container_health_parse(const char *name)
{
    return (enum container_health)FIND(health_names, name);
}

const char *process_kind_name(enum process_kind kind)
{
    return NAME(kind_names, kind);
}

enum process_kind process_kind_parse(const char *name)
{
    return (enum process_kind)FIND(kind_names, name);
}
