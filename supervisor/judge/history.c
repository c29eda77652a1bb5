#include "judge/history.h"
#include "base/model_name.h"

#include <stdlib.h>
#include <string.h>

/* JUDGEMENT, fact 6: over the last 5 s. */
static const double window_s = 5;

void window_take(struct window *window, double now_s, fact cpu_us, fact received)
{
    /* Looks may come faster than the ring is long: keep what is enough to span the window. */
    if (window->n > 1) {
        size_t last = (window->first + window->n - 1) % WINDOW_SAMPLES;
        size_t before = (window->first + window->n - 2) % WINDOW_SAMPLES;
        if (now_s - window->samples[before].t_s < 2 * window_s / WINDOW_SAMPLES) {
            window->samples[last].t_s = now_s;
            window->samples[last].cpu_us = cpu_us;
            window->samples[last].received = received;
            return;
        }
    }
    if (window->n == WINDOW_SAMPLES) {
        window->first = (window->first + 1) % WINDOW_SAMPLES;
        window->n--;
    }
    size_t at = (window->first + window->n++) % WINDOW_SAMPLES;
    window->samples[at].t_s = now_s;
    window->samples[at].cpu_us = cpu_us;
    window->samples[at].received = received;
    /* Drop what is older than needed, but keep the newest one that is at least the window old. */
    while (window->n > 2 &&
           now_s - window->samples[(window->first + 1) % WINDOW_SAMPLES].t_s >= window_s) {
        window->first = (window->first + 1) % WINDOW_SAMPLES;
        window->n--;
    }
}

static double rate(fact from, fact to, double span_s, fact *ret_used)
{
    *ret_used = from < 0 || to < 0 || to < from ? FACT_UNKNOWN : to - from;
    return *ret_used < 0 || span_s <= 0 ? -1 : (double)*ret_used / span_s;
}

struct window_use window_use(const struct window *window, double now_s)
{
    struct window_use use = {.from_s = now_s,
                             .cpu_percent = -1,
                             .received_per_s = -1,
                             .cpu_used_us = -1,
                             .received_bytes = -1};
    if (window->n < 2)
        return use;
    size_t first = window->first, last = (window->first + window->n - 1) % WINDOW_SAMPLES;
    use.from_s = window->samples[first].t_s;
    use.span_s = window->samples[last].t_s - use.from_s;
    double cpu_us_per_s = rate(window->samples[first].cpu_us, window->samples[last].cpu_us,
                               use.span_s, &use.cpu_used_us);
    use.cpu_percent =
        cpu_us_per_s < 0 ? -1 : cpu_us_per_s / 1e4; /* 1e6 us a second is 100 % of a core */
    use.received_per_s = rate(window->samples[first].received, window->samples[last].received,
                              use.span_s, &use.received_bytes);
    return use;
}

enum rest window_rest(const struct window *window, double busy_cpu_percent)
{
    static const double least_s = 4.5; /* looks are not evenly spaced */
    struct window_use used = window_use(window, 0);
    if (used.cpu_percent < 0)
        return REST_UNKNOWN;
    bool full = used.span_s >= least_s;
    double over_s = full ? used.span_s : window_s;
    if ((double)used.cpu_used_us > busy_cpu_percent * 1e4 * over_s)
        return REST_BUSY;
    return full ? REST_IDLE : REST_UNKNOWN;
}

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

void history_restart(struct history *history, const char *model)
{
    for (size_t i = 0; i < IDLE_CONDITIONS; i++)
        condition_reset(&history->idle[i]);
    history->window = (struct window){0};
    history->connections_at_s = -1;
    for (size_t i = 0; i < history->n_runners; i++) {
        struct runner *runner = &history->runners[i];
        for (size_t k = 0; k < ORPHAN_CONDITIONS; k++)
            condition_reset(&runner->conditions[k]);
        runner->flat_from_s = -1;
        condition_reset(&runner->stuck.condition);
        growth_forget(&runner->growth);
    }
    growth_forget(&history->growth);
    condition_reset(&history->quiet);
    condition_reset(&history->own[VERDICT_UNREACHABLE].condition);
    for (size_t i = 0; i < history->n_models; i++) {
        condition_reset(&history->models[i].ghost.condition);
        condition_reset(&history->models[i].oversize.condition);
        if (*model && model_same(history->models[i].name, model))
            condition_reset(&history->models[i].idle.condition);
    }
    for (size_t i = 0; i < history->n_surplus; i++)
        condition_reset(&history->surplus[i].condition);
}

void history_reset_holds(struct history *history)
{
    history_restart(history, "");
    history->list_seen = false;
    for (size_t i = 0; i < history->n_models; i++)
        condition_reset(&history->models[i].idle.condition);
    history->relieved_s = -1;
    for (size_t i = 0; i < history->n_runners; i++)
        history->runners[i].window = (struct window){0};
    for (size_t kind = 0; kind < VERDICT_KINDS; kind++)
        condition_reset(&history->own[kind].condition);
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
