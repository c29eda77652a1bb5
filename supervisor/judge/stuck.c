/* stuck-stopping: a model whose time is over stays, and nothing happens in its runner
 * (docs/judgement.md). */
#include "judge/look.h"

#include <stdio.h>

/* Where its time was over at first sight: a clock that was set, or a machine that slept, before
 * that may be why. Ollama's own timer is five minutes unless told otherwise (OLLAMA_KEEP_ALIVE). */
static const double found_hold_s = 360;
static const double patience_s = 10;

static enum tri time_is_over(const struct look *look, const struct process *p,
                             const struct known_model **ret_known, const struct model **ret_model)
{
    *ret_known = NULL;
    *ret_model = NULL;
    if (!p || look->answered != TRI_TRUE || look->world->time_ms < 0)
        return TRI_UNKNOWN;
    const struct model *model = model_of_runner(look, p);
    if (!model)
        return TRI_FALSE; /* not listed, or nobody can tell which one it is */
    const struct known_model *known = history_model(look->history, model->name);
    *ret_known = known;
    *ret_model = model;
    if (!known || known->expires_ms < 0)
        return TRI_UNKNOWN;
    return look->world->time_ms > known->expires_ms + known->slip_ms ? TRI_TRUE : TRI_FALSE;
}

static void settle(struct look *look, struct runner *r, const struct process *p)
{
    const struct settings *s = &look->history->settings;
    const struct known_model *known;
    const struct model *model;
    enum tri over = time_is_over(look, p, &known, &model);
    condition_take(&r->stuck.condition, over, look->now_s, look->now_s, look->allowance_s);
    /* What makes a runner an orphan, with another condition in the place of "unlisted". */
    struct condition conditions[ORPHAN_CONDITIONS];
    for (size_t i = 0; i < ORPHAN_CONDITIONS; i++)
        conditions[i] = i == ORPHAN_UNLISTED ? r->stuck.condition : r->conditions[i];
    bool all_now, contradicted;
    double since_s = conditions_since(conditions, ORPHAN_CONDITIONS, &all_now, &contradicted);
    double hold_s = s->leak_stuck_hold_s;
    if (known && known->found_over && hold_s < found_hold_s)
        hold_s = found_hold_s;
    if (since_s >= 0 && all_now && look->now_s - since_s >= hold_s - 2 * look->interval_s)
        look_want_connections(look, r->stuck.standing.raised ? patience_s : 0);
    enum tri connected = look_connected(look, patience_s);
    struct verdict *v =
        look_settle(look, VERDICT_STUCK_STOPPING, &r->stuck.standing, since_s,
                    all_now && connected == TRI_FALSE, contradicted || connected == TRI_TRUE,
                    since_s >= 0 && all_now, hold_s);
    if (!v)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    v->remedy = REMEDY_KILL_RUNNER;
    if (model)
        snprintf(v->model, sizeof v->model, "%s", model->name);
    v->confirmed &= look->connections_age_s == 0;
    verdict_add_fact(v, "pid", UNIT_COUNT, r->pid);
    verdict_add_fact(v, "runner", UNIT_BYTES, r->held);
    if (known)
        verdict_add(v, "expired", UNIT_SECONDS,
                    (double)(look->world->time_ms - known->expires_ms) / 1000);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add(v, "models", UNIT_COUNT, (double)look->container->ollama.n_models);
    verdict_add(v, "runners", UNIT_COUNT, (double)look->live_runners);
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
    if (!all_now || connected == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "%s",
                 all_now ? "connections to Ollama's port" : "loaded models, time or processes");
    snprintf(v->why, sizeof v->why,
             "the time of %.100s is over, but it stays loaded, and nothing happens in its runner "
             "(process %lld)",
             model ? model->name : "its model", (long long)r->pid);
}

void clear_stuck(struct look *look, struct runner *r)
{
    struct verdict *v =
        look_settle(look, VERDICT_STUCK_STOPPING, &r->stuck.standing, -1, false, true, false, 0);
    if (!v)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
}

void judge_stuck(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    for (size_t i = 0; i < h->n_runners; i++) {
        const struct process *found = NULL;
        for (size_t k = 0; k < c->n_processes && !found; k++)
            if (c->processes[k].pid == h->runners[i].pid &&
                c->processes[k].started_us == h->runners[i].started_us)
                found = &c->processes[k];
        settle(look, &h->runners[i], c->processes_known ? found : NULL);
    }
}
