#include "judge/runner_uses.h"

#include "judge/history.h"
#include <errno.h>
#include <stdlib.h>

enum { USES_MAX = 128 }; /* runners; more are unknown, and so not unloaded to make room */
static const double window_s = 5, window_least_s = 4.5;
static const double advance_us =
    20000; /* between two looks: an idle runner's own threads use less */

struct runner_use {
    fact pid, started_us, cpu_us;
    double used_s;
    bool met;
    struct window window;
};

struct runner_uses {
    struct runner_use runners[USES_MAX];
    size_t n;
};

int runner_uses_new(struct runner_uses **ret_uses)
{
    *ret_uses = calloc(1, sizeof **ret_uses);
    return *ret_uses ? 0 : -ENOMEM;
}

void runner_uses_free(struct runner_uses *uses)
{
    free(uses);
}

static struct runner_use *find(const struct runner_uses *uses, const struct process *process)
{
    for (size_t i = 0; i < uses->n; i++)
        if (uses->runners[i].pid == process->pid &&
            uses->runners[i].started_us == process->started_us)
            return (struct runner_use *)&uses->runners[i];
    return NULL;
}

static void take(struct runner_uses *uses, const struct process *process, double now_s)
{
    struct runner_use *use = find(uses, process);
    if (!use && uses->n == USES_MAX)
        return;
    if (!use) {
        use = &uses->runners[uses->n++];
        *use = (struct runner_use){.pid = process->pid,
                                   .started_us = process->started_us,
                                   .cpu_us = FACT_UNKNOWN,
                                   .used_s = -1};
    }
    use->met = true;
    window_take(&use->window, now_s, process->cpu_us, FACT_UNKNOWN);
    if (fact_known(process->cpu_us) && fact_known(use->cpu_us) &&
        (double)(process->cpu_us - use->cpu_us) > advance_us)
        use->used_s = now_s;
    if (fact_known(process->cpu_us))
        use->cpu_us = process->cpu_us;
}

void runner_uses_look(struct runner_uses *uses, const struct world *world)
{
    for (size_t i = 0; i < uses->n; i++)
        uses->runners[i].met = false;
    for (size_t i = 0; i < world->n_containers; i++)
        for (size_t k = 0; k < world->containers[i].n_processes; k++)
            if (process_is_live_runner(&world->containers[i].processes[k]))
                take(uses, &world->containers[i].processes[k], world->monotonic_s);
    for (size_t i = 0; i < uses->n;)
        if (uses->runners[i].met)
            i++;
        else
            uses->runners[i] = uses->runners[--uses->n];
}

enum rest runner_uses_rest(const struct runner_uses *uses, const struct process *process,
                           double busy_cpu_percent)
{
    const struct runner_use *use = find(uses, process);
    if (!use)
        return REST_UNKNOWN;
    struct window_use used = window_use(&use->window, 0);
    if (used.cpu_percent < 0)
        return REST_UNKNOWN;
    bool full = used.span_s >= window_least_s;
    double over_s = full ? used.span_s : window_s;
    if ((double)used.cpu_used_us > busy_cpu_percent * 1e4 * over_s)
        return REST_BUSY;
    return full ? REST_IDLE : REST_UNKNOWN;
}

double runner_uses_used_s(const struct runner_uses *uses, const struct process *process)
{
    const struct runner_use *use = find(uses, process);
    return use ? use->used_s : -1;
}
