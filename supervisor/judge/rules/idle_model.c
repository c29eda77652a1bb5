/* idle-model: nobody has used a loaded model for longer than is wanted. */
#include "base/model_name.h"
#include "base/size.h"
#include "judge/rules.h"

#include <stdio.h>

/* One of whose runner nobody can tell whether it is its own is not called idle. */
static struct ruling idles(const struct look *look, const struct model *m, const struct runner *r,
                           enum tri connected)
{
    const struct settings *s = look->history->settings;
    size_t n;
    const struct tier *tiers = config_tiers(look->config, &n);
    if (!m)
        return UNKNOWN("loaded models or processes");
    if (s->models_idle_unload_s < 0)
        return NO("models.idle_unload is not set");
    if (model_in_list(s->models_pin, m->name))
        return NO("it is pinned (models.pin)");
    if (tier_protected(tier_of(tiers, n, m->name)))
        return NO("its tier is protected");
    if (!r)
        return model_haunted(look, m) == TRI_TRUE ? NO("nobody serves it, see ghost-model")
                                                  : UNKNOWN("loaded models or processes");
    return r->worked == WORKED_UNKNOWN ? UNKNOWN("what its runner does")
           : r->worked == WORKED       ? NO("it is used")
           : r->work.request_s >= 0 && connected == TRI_TRUE
               ? NO("a request is under way in it, whose client waits")
               : YES(look->now_s);
}

static double hold_of(const struct look *look, enum tri connected)
{
    const struct settings *s = look->history->settings;
    double hold_s = s->models_idle_unload_s;
    if (connected == TRI_TRUE && s->leak_connected_hold_s > hold_s)
        hold_s = s->leak_connected_hold_s;
    return hold_s > 2 * look->poll_s ? hold_s : 2 * look->poll_s;
}

static void judge(struct look *look, struct known_model *known)
{
    const struct settings *s = look->history->settings;
    const struct model *m = known->now;
    const struct runner *r = m ? model_runner(look, m) : NULL;
    struct matter *own = &known->own[VERDICT_IDLE_MODEL];
    enum tri connected = look_connected(look, connections_patience_s);
    look_take(look, &own->condition, idles(look, m, r, connected));
    struct finding f = conditions_find(&own->condition, 1);
    if (look_near_end(look, &f, hold_of(look, TRI_FALSE)))
        look_want_connections(
            look, own->standing.raised || connected == TRI_TRUE ? connections_patience_s : 0);
    f.all_now &= connected != TRI_UNKNOWN;
    struct verdict *v =
        look_found(look, VERDICT_IDLE_MODEL, known->own, &f, false, hold_of(look, connected));
    if (!v)
        return;
    double unused_s = f.since_s >= 0 ? look->now_s - f.since_s : -1;
    snprintf(v->model, sizeof v->model, "%s", known->name);
    v->remedy = REMEDY_UNLOAD;
    v->confirmed &= look->connections_age_s == 0; /* the fresh look before a deed reads them anew */
    if (r) {
        v->pid = r->pid;
        v->started_us = r->started_us;
    }
    SHOW(look, v, r, {"unused", UNIT_SECONDS, unused_s},
         {"idle_unload", UNIT_SECONDS, s->models_idle_unload_s},
         {"size", UNIT_BYTES, m ? (double)m->size : -1});
    if (unused_s >= 0)
        snprintf(v->why, sizeof v->why,
                 "nothing has happened in its runner for %s%s; models.idle_unload is %s",
                 SHOWN_S(unused_s),
                 connected == TRI_TRUE ? ", and the client that is connected asks for nothing" : "",
                 SHOWN_S(s->models_idle_unload_s));
    if (!v->missing[0] && connected == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "connections to Ollama's port");
}

const struct rule rule_idle_model = {
    {"idle-model", SEVERITY_INFO, REMEDY_UNLOAD, REMEDY_UNLOAD,
     BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART),
     "`models.idle_unload` is set, and nothing happens in the runner of a loaded model; it is "
     "neither pinned nor in one of the tiers ultra-fast, fast and medium",
     "`models.idle_unload`; with a client connected `leak.connected_hold` 10 min where that is "
     "longer",
     "unused idle_unload size runner models connections",
     "a model that is used, or of which that is not known; kill or restart: what does not go is "
     "told"},
    .unless = "no model is loaded",
    .of_model = judge,
};
