#include "judge/look.h"

#include <stdlib.h>
#include <string.h>

bool process_is_live_runner(const struct process *process)
{
    return process->kind == PROCESS_RUNNER && process->state != 'Z' && process->state != 'X';
}

struct runner *history_runner(struct history *history, const struct process *process)
{
    for (size_t i = 0; i < history->n_runners; i++)
        if (history->runners[i].pid == process->pid &&
            history->runners[i].started_us == process->started_us)
            return &history->runners[i];
    if (history->n_runners == RUNNERS_MAX)
        return NULL;
    struct runner *runners = realloc(history->runners, (history->n_runners + 1) * sizeof *runners);
    if (!runners)
        return NULL;
    history->runners = runners;
    struct runner *runner = &runners[history->n_runners++];
    *runner = (struct runner){.pid = process->pid,
                              .started_us = process->started_us,
                              .first_s = history->last_s,
                              .flat_from_s = -1,
                              .used_s = -1,
                              .used_cpu_us = -1,
                              .held = FACT_UNKNOWN,
                              .growth = {.begun_s = -1}};
    work_begin(&runner->work);
    memcpy(runner->blob, process->blob, sizeof runner->blob);
    condition_reset(&runner->stuck.condition);
    growth_forget(&runner->growth);
    for (size_t i = 0; i < ORPHAN_CONDITIONS; i++)
        condition_reset(&runner->conditions[i]);
    return runner;
}

enum tri runner_listed(const struct look *look, const struct process *process)
{
    const struct ollama *ollama = &look->container->ollama;
    if (look->answered != TRI_TRUE)
        return TRI_UNKNOWN;
    if (ollama->n_models == 0)
        return TRI_FALSE;
    bool all_known = process->blob[0] != 0;
    for (size_t i = 0; i < ollama->n_models; i++) {
        if (!ollama->models[i].blob[0])
            all_known = false;
        else if (!strcmp(ollama->models[i].blob, process->blob))
            return TRI_TRUE; /* of several runners on one blob nobody can tell which one is listed
                              */
    }
    if (all_known)
        return TRI_FALSE;
    /* As many models as runners: each runner is somebody's. */
    return look->live_runners <= ollama->n_models ? TRI_TRUE : TRI_UNKNOWN;
}

const struct process *runner_of_blob(const struct container *c, const char *blob)
{
    const struct process *found = NULL;
    for (size_t i = 0; blob[0] && i < c->n_processes; i++)
        if (process_is_live_runner(&c->processes[i]) && !strcmp(c->processes[i].blob, blob)) {
            if (found)
                return NULL; /* two runners on one blob: nobody can tell which one it is */
            found = &c->processes[i];
        }
    return found;
}

const struct model *model_of_runner(const struct look *look, const struct process *process)
{
    const struct ollama *o = &look->container->ollama;
    if (look->answered != TRI_TRUE || runner_of_blob(look->container, process->blob) != process)
        return NULL;
    for (size_t i = 0; i < o->n_models; i++)
        if (!strcmp(o->models[i].blob, process->blob))
            return &o->models[i];
    return NULL;
}

enum tri runner_rests(const struct look *look, const struct runner *r)
{
    static const double rest_s = 5; /* as for busy */
    const struct condition *flat = &r->conditions[ORPHAN_FLAT];
    if (flat->now != TRI_TRUE || look->busy == TRI_UNKNOWN)
        return flat->now == TRI_FALSE ? TRI_FALSE : TRI_UNKNOWN;
    return look->busy == TRI_FALSE && look->now_s - flat->since_s >= rest_s ? TRI_TRUE : TRI_FALSE;
}
