/* stuck-stopping: a model whose time is over stays, and nothing happens in its runner. */
#include "judge/rules.h"

#include <stdio.h>

/* Where its time was over at first sight: a clock that was set, or a machine that slept, before
 * that may be why. Ollama's own timer is five minutes unless told otherwise (OLLAMA_KEEP_ALIVE). */
static const double found_hold_s = 360;

static struct ruling time_is_over(const struct look *look, const struct runner *r,
                                  const struct model *model, const struct known_model *known)
{
    if (!r->now || look->answered != TRI_TRUE || look->world->time_ms < 0)
        return UNKNOWN("loaded models, time or processes");
    if (!model)
        return NO("no model is known to be its runner's");
    if (!known || known->expires_ms < 0)
        return UNKNOWN("loaded models, time or processes");
    return look->world->time_ms > known->expires_ms + known->slip_ms
               ? YES(look->now_s)
               : NO("no model's time is over");
}

static void judge(struct look *look, struct runner *r)
{
    static const struct reason client = {
        .text = "its model's time is over, but a client is connected", .near = ORPHAN_CONDITIONS};
    struct matter *own = &r->own[VERDICT_STUCK_STOPPING];
    const struct model *model = r->now ? model_of_runner(look, r->now) : NULL;
    const struct known_model *known = model ? history_model(look->history, model->name) : NULL;
    look_take(look, &own->condition, time_is_over(look, r, model, known));
    /* What makes a runner an orphan, with another condition in the place of "unlisted". */
    struct condition conditions[ORPHAN_CONDITIONS];
    for (size_t i = 0; i < ORPHAN_CONDITIONS; i++)
        conditions[i] = i == ORPHAN_UNLISTED ? own->condition : r->conditions[i];
    struct finding f = conditions_find(conditions, ORPHAN_CONDITIONS);
    double hold_s = look->history->settings->leak_stuck_hold_s;
    if (known && known->found_over && hold_s < found_hold_s)
        hold_s = found_hold_s;
    if (look_near_end(look, &f, hold_s))
        look_want_connections(look, own->standing.raised ? connections_patience_s : 0);
    enum tri connected = look_connected(look, connections_patience_s);
    if (fact_known(look->connections) && look->connections > 0 && f.since_s >= 0) {
        look_want_connections(look, connections_patience_s);
        condition_reset(&own->condition); /* it counts from when the client has left */
    }
    bool suspicious = f.since_s >= 0 && f.all_now;
    if (suspicious && connected == TRI_TRUE)
        f.against = &client;
    f.all_now &= connected == TRI_FALSE;
    f.contradicted |= connected == TRI_TRUE;
    struct verdict *v = look_found(look, VERDICT_STUCK_STOPPING, r->own, &f, suspicious, hold_s);
    if (!v)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    v->remedy = REMEDY_KILL_RUNNER;
    if (model)
        snprintf(v->model, sizeof v->model, "%s", model->name);
    v->confirmed &= look->connections_age_s == 0;
    SHOW(look, v, r,
         {"expired", UNIT_SECONDS,
          known ? (double)(look->world->time_ms - known->expires_ms) / 1000 : -1});
    if (!v->missing[0] && connected == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "connections to Ollama's port");
    snprintf(v->why, sizeof v->why,
             "the time of %.100s is over, but it stays loaded, and nothing happens in its runner "
             "(process %lld)",
             model ? model->name : "its model", (long long)r->pid);
}

const struct rule rule_stuck_stopping = {
    {"stuck-stopping", SEVERITY_WARNING, REMEDY_KILL_RUNNER, REMEDY_KILL_RUNNER,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_RESTART),
     "the model's `expires_at` lies in the past; its runner stands still, is not in state D, and "
     "is the server's child; nobody is connected",
     "`leak.stuck_hold` 60 s, anew when a client was connected; 6 min where it was found so",
     "pid runner expired held models runners connections",
     "restart; unload (that is what does not end); a runner that works, or has a client: "
     "`expires_at` lies in the past during every long request"},
    .unless = "no runner is alive",
    .of_runner = judge,
};
