#include "judge/runner_uses.h"

#include "judge/look.h"
#include <errno.h>
#include <stdlib.h>

enum { USES_MAX = 128 }; /* runners; more are unknown, and so not unloaded to make room */

struct runner_use {
    fact pid, started_us;
    bool met;
    struct work work;
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

/* When Ollama lets go of the runner's model; false: that is not known. */
static bool lease_of(const struct world *world, const struct container *c,
                     const struct process *process, struct lease *ret_lease)
{
    for (size_t i = 0; c->ollama.reachable && i < c->ollama.n_models; i++)
        if (runner_of_blob(c, c->ollama.models[i].blob) == process)
            return model_lease(world, c, &c->ollama.models[i], ret_lease);
    return false;
}

static void take(struct runner_uses *uses, const struct world *world, const struct container *c,
                 const struct process *process)
{
    double now_s = world->monotonic_s;
    struct lease lease;
    struct runner_use *use = find(uses, process);
    if (!use && uses->n == USES_MAX)
        return;
    if (!use) {
        use = &uses->runners[uses->n++];
        *use = (struct runner_use){.pid = process->pid, .started_us = process->started_us};
        work_begin(&use->work);
    }
    use->met = true;
    window_take(&use->window, now_s, process->cpu_us, FACT_UNKNOWN);
    work_take(&use->work, process, lease_of(world, c, process, &lease) ? &lease : NULL, false,
              now_s);
}

void runner_uses_look(struct runner_uses *uses, const struct world *world)
{
    for (size_t i = 0; i < uses->n; i++)
        uses->runners[i].met = false;
    for (size_t i = 0; i < world->n_containers; i++)
        for (size_t k = 0; k < world->containers[i].n_processes; k++)
            if (process_is_live_runner(&world->containers[i].processes[k]))
                take(uses, world, &world->containers[i], &world->containers[i].processes[k]);
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
    return use ? window_rest(&use->window, busy_cpu_percent) : REST_UNKNOWN;
}

double runner_uses_used_s(const struct runner_uses *uses, const struct process *process)
{
    const struct runner_use *use = find(uses, process);
    return use ? use->work.used_s : -1;
}

double runner_uses_watched_s(const struct runner_uses *uses, const struct process *process)
{
    const struct runner_use *use = find(uses, process);
    return use ? use->work.first_s : -1;
}
