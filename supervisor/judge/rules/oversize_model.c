/* oversize-model: larger than models.max_parameters. */
#include "judge/rules.h"

#include <stdio.h>

static struct ruling oversize(const struct look *look, const struct model *m)
{
    fact most = look->history->settings->models_max_parameters;
    return !m                           ? UNKNOWN("loaded models or processes")
           : !fact_known(most)          ? NO("models.max_parameters is not set")
           : !fact_known(m->parameters) ? UNKNOWN("its number of parameters")
           : m->parameters > most       ? YES(look->now_s)
                                        : NO("no loaded model has more than models.max_parameters");
}

/* Whether it may be unloaded now; its size and its runner must be known for that. */
static bool may_unload(struct look *look, const struct model *m, const struct runner *r,
                       struct verdict *v)
{
    if (!r || v->state != VERDICT_RAISED || !fact_known(m->size) ||
        m->size < look->history->settings->models_small_model || runner_rests(look, r) != TRI_TRUE)
        return false;
    v->pid = r->pid;
    v->started_us = r->started_us;
    look_want_connections(look, connections_patience_s);
    return look_connected(look, connections_patience_s) == TRI_FALSE;
}

static void judge(struct look *look, struct known_model *known)
{
    const struct settings *s = look->history->settings;
    const struct model *m = known->now;
    struct verdict *v =
        look_judge(look, VERDICT_OVERSIZE_MODEL, known->own, oversize(look, m), 2 * look->poll_s);
    if (!v)
        return;
    const struct runner *r = m ? model_runner(look, m) : NULL;
    bool may = m && may_unload(look, m, r, v);
    snprintf(v->model, sizeof v->model, "%s", known->name);
    SHOW(look, v, r, {"parameters", UNIT_COUNT, m ? (double)m->parameters : -1},
         {"max_parameters", UNIT_COUNT, (double)s->models_max_parameters},
         {"size", UNIT_BYTES, m ? (double)m->size : -1});
    look_remedy(v, &known->own[VERDICT_OVERSIZE_MODEL].standing, may ? REMEDY_UNLOAD : REMEDY_NONE);
    v->confirmed &= may && look->connections_age_s == 0;
    bool small = m && fact_known(m->size) && m->size < s->models_small_model;
    snprintf(v->why, sizeof v->why, "it has more parameters than models.max_parameters allows; %s",
             small ? "it is small (models.small_model) and is left alone"
                   : "it is unloaded when it is idle");
}

const struct rule rule_oversize_model = {
    {"oversize-model", SEVERITY_WARNING, REMEDY_UNLOAD, REMEDY_UNLOAD,
     BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART),
     "a loaded model has more parameters than `models.max_parameters`; unloaded when its runner "
     "stands still for 5 s and nobody is connected",
     "two polls", "parameters max_parameters size runner connections",
     "a busy model; one smaller than `models.small_model` (5 GiB)"},
    .unless = "no model is loaded",
    .of_model = judge,
};
