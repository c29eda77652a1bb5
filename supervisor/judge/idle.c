/* idle-model: nobody has used a loaded model for longer than is wanted (row C8, docs/judgement.md).
 */
#include "base/model_name.h"
#include "base/size.h"
#include "judge/look.h"

#include <stdio.h>

/* A standing verdict's connections, and those of a client that stays, are read this often. */
static const double patience_s = 10;

/* Whether it may go at all when it is idle. */
static bool may_go(const struct look *look, const char *model)
{
    const struct settings *s = &look->history->settings;
    size_t n;
    const struct tier *tiers = config_tiers(look->config, &n);
    return s->models_idle_unload_s >= 0 && !model_in_list(s->models_pin, model) &&
           !tier_protected(tier_of(tiers, n, model));
}

/* One of whose runner nobody can tell whether it is its own is not called idle. */
static enum tri idles(const struct look *look, const struct model *model,
                      const struct runner **ret_runner)
{
    *ret_runner = NULL;
    if (!look->container->processes_known)
        return TRI_UNKNOWN;
    const struct process *p = runner_of_blob(look->container, model->blob);
    if (!p)
        return model_haunted(look, model) == TRI_TRUE ? TRI_FALSE : TRI_UNKNOWN;
    const struct runner *r = history_runner(look->history, p);
    if (!r)
        return TRI_UNKNOWN;
    *ret_runner = r;
    return r->worked == WORKED_UNKNOWN ? TRI_UNKNOWN : r->worked == WORKED ? TRI_FALSE : TRI_TRUE;
}

static double hold_of(const struct look *look, enum tri connected)
{
    const struct settings *s = &look->history->settings;
    double hold_s = s->models_idle_unload_s;
    if (connected == TRI_TRUE && s->leak_connected_hold_s > hold_s)
        hold_s = s->leak_connected_hold_s;
    return hold_s > 2 * look->poll_s ? hold_s : 2 * look->poll_s;
}

static void explain(const struct look *look, double since_s, enum tri connected, struct verdict *v)
{
    char unused[24], wanted[24];
    duration_format(look->now_s - since_s, unused, sizeof unused);
    duration_format(look->history->settings.models_idle_unload_s, wanted, sizeof wanted);
    snprintf(v->why, sizeof v->why,
             "nothing has happened in its runner for %s%s; models.idle_unload is %s", unused,
             connected == TRI_TRUE ? ", and the client that is connected asks for nothing" : "",
             wanted);
}

void judge_idle(struct look *look, struct known_model *known, const struct model *model,
                enum tri listed)
{
    const struct runner *r = NULL;
    enum tri idle = listed == TRI_UNKNOWN           ? TRI_UNKNOWN
                    : listed == TRI_FALSE || !model ? TRI_FALSE
                    : !may_go(look, model->name)    ? TRI_FALSE
                                                    : idles(look, model, &r);
    struct matter *matter = &known->idle;
    condition_take(&matter->condition, idle, look->now_s, look->now_s, look->allowance_s);
    bool all_now, contradicted;
    double since_s = conditions_since(&matter->condition, 1, &all_now, &contradicted);
    double near_s = hold_of(look, TRI_FALSE) - 2 * look->interval_s;
    bool near = since_s >= 0 && all_now && look->now_s - since_s >= near_s;
    enum tri connected = look_connected(look, patience_s);
    if (near)
        look_want_connections(look,
                              matter->standing.raised || connected == TRI_TRUE ? patience_s : 0);
    struct verdict *v = look_settle(look, VERDICT_IDLE_MODEL, &matter->standing, since_s,
                                    all_now && connected != TRI_UNKNOWN, contradicted, false,
                                    hold_of(look, connected));
    if (!v)
        return;
    snprintf(v->model, sizeof v->model, "%s", known->name);
    v->remedy = REMEDY_UNLOAD;
    v->confirmed &= look->connections_age_s == 0; /* the fresh look before a deed reads them anew */
    if (since_s >= 0) {
        verdict_add(v, "unused", UNIT_SECONDS, look->now_s - since_s);
        verdict_add(v, "idle_unload", UNIT_SECONDS, look->history->settings.models_idle_unload_s);
        explain(look, since_s, connected, v);
    }
    if (model)
        verdict_add_fact(v, "size", UNIT_BYTES, model->size);
    if (r) {
        v->pid = r->pid;
        v->started_us = r->started_us;
        verdict_add_fact(v, "runner", UNIT_BYTES, r->held);
    }
    verdict_add(v, "models", UNIT_COUNT, (double)look->container->ollama.n_models);
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
    if (idle == TRI_UNKNOWN || connected == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "%s",
                 idle == TRI_UNKNOWN ? "loaded models or processes"
                                     : "connections to Ollama's port");
}
