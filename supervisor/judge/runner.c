/* Runners: what a look says of each, and which model is whose. */
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
    matters_reset(runner->own);
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

/* What may change while a runner is called flat: its counters are read in ticks and pages, and an
 * idle one under emulation used 3 %. */
static const fact flat_bytes = 1024 * 1024;
static const double flat_slack_us = 50e3;
static const double flat_window_s = 5; /* as for busy: a burst may not hide behind a long rest */

static bool moved(fact from, fact to)
{
    return llabs((long long)(to - from)) > flat_bytes;
}

static enum tri flat(const struct look *look, struct runner *r, const struct process *p)
{
    if (look->repeated && r->flat_from_s >= 0)
        return r->conditions[ORPHAN_FLAT].now;
    if (!fact_known(p->cpu_us) || !fact_known(p->rss_anon) || !fact_known(p->rss_file))
        return TRI_UNKNOWN;
    double allowed_us =
        look->history->settings.leak_busy_cpu_percent * 1e4 * (look->now_s - r->flat_cpu_at_s) +
        flat_slack_us;
    bool first = r->flat_from_s < 0,
         worked = !first && (double)(p->cpu_us - r->flat_cpu_us) > allowed_us;
    if (first || worked || moved(r->flat_anon, p->rss_anon) || moved(r->flat_file, p->rss_file)) {
        r->flat_from_s = look->now_s;
        r->flat_anon = p->rss_anon;
        r->flat_file = p->rss_file;
    }
    bool still = r->flat_from_s < look->now_s;
    if (!still || look->now_s - r->flat_cpu_at_s >= flat_window_s) {
        r->flat_cpu_at_s = look->now_s;
        r->flat_cpu_us = p->cpu_us;
    }
    return still ? TRI_TRUE : first ? TRI_UNKNOWN : TRI_FALSE;
}

/* What makes it an orphan; others rest on some of it. */
static void take_conditions(const struct look *look, struct runner *r, const struct process *p)
{
    double now_s = look->now_s;
    /* A list that was asked for before the runner was there cannot name it (JUDGEMENT, fact 2). */
    enum tri listed = runner_listed(look, p), is_flat = flat(look, r, p);
    look_take(look, &r->conditions[ORPHAN_UNLISTED],
              listed == TRI_TRUE ? NO("every runner is one of a listed model")
              : listed == TRI_FALSE && look->asked_s >= r->first_s
                  ? YES(look->asked_s)
                  : UNKNOWN_AS("the list of loaded models", look->unanswered));
    look_take(look, &r->conditions[ORPHAN_FLAT],
              is_flat == TRI_TRUE    ? YES(r->flat_from_s)
              : is_flat == TRI_FALSE ? NO("its runner works")
                                     : UNKNOWN("whether its runner works"));
    look_take(look, &r->conditions[ORPHAN_AWAKE],
              !p->state         ? UNKNOWN("the state of its runner")
              : p->state == 'D' ? NO("its runner waits for a disk (state D)")
                                : YES(now_s));
    look_take(look, &r->conditions[ORPHAN_CHILD],
              look->live_servers > 1 ? UNKNOWN("which of several servers gave the list")
              : !look->serve || !fact_known(p->ppid) ? UNKNOWN("whose child its runner is")
              : p->ppid == look->serve->pid          ? YES(now_s)
                                                     : NO("its runner is not the server's child"));
}

static void take_use(const struct look *look, struct runner *r, const struct process *p)
{
    window_take(&r->window, look->now_s, p->cpu_us, FACT_UNKNOWN);
    if (fact_known(p->cpu_us)) {
        if (fact_known(r->used_cpu_us) && p->cpu_us > r->used_cpu_us)
            r->used_s = look->now_s;
        r->used_cpu_us = p->cpu_us;
    }
    const struct model *model = model_of_runner(look, p);
    r->worked = work_take(&r->work, p, model ? model->expires_at : "", look->now_s);
}

void runners_clear(struct look *look)
{
    for (size_t i = 0; i < look->history->n_runners; i++) {
        struct runner *r = &look->history->runners[i];
        look_clear(look, r->own, r->pid, r->started_us, "");
    }
}

void runners_look(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    for (size_t i = 0; i < h->n_runners; i++) {
        h->runners[i].now = NULL;
        for (size_t k = 0; !c->processes_known && k < ORPHAN_CONDITIONS; k++)
            look_take(look, &h->runners[i].conditions[k], UNKNOWN("processes"));
    }
    if (!c->processes_known)
        return;
    for (size_t i = 0; i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        struct runner *r = process_is_live_runner(p) ? history_runner(h, p) : NULL;
        if (!r)
            continue;
        r->now = p;
        fact held = process_held(p);
        if (fact_known(held))
            r->held = held;
        if (!look->repeated)
            take_use(look, r, p);
        take_conditions(look, r, p);
    }
    for (size_t i = 0; i < h->n_runners;) {
        struct runner *r = &h->runners[i];
        if (r->now) {
            i++;
            continue;
        }
        look_clear(look, r->own, r->pid, r->started_us, "");
        oom_runner_gone(look, r);
        *r = h->runners[--h->n_runners];
    }
}
