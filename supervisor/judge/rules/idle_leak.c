/* idle-leak: nothing is loaded, and the server itself holds the memory. */
#include "judge/rules.h"

#include <stdio.h>

/* A ghost holds nothing, and may be listed for ever (keep_alive -1). */
static bool only_ghosts(const struct look *look)
{
    const struct ollama *o = &look->container->ollama;
    for (size_t i = 0; i < o->n_models; i++)
        if (model_haunted(look, &o->models[i]) != TRI_TRUE)
            return false;
    return true;
}

static struct ruling nothing_loaded(const struct look *look)
{
    return look->answered != TRI_TRUE ? UNKNOWN_AS("the list of loaded models", look->unanswered)
           : only_ghosts(look)        ? YES(look->now_s)
                                      : NO("a model is loaded");
}

static struct ruling no_runner(const struct look *look)
{
    return !look->container->processes_known ? UNKNOWN("processes")
           : look->live_runners              ? NO("a runner is alive")
                                             : YES(look->now_s);
}

/* A window that was not busy has been so since it began. */
static struct ruling not_busy(const struct look *look)
{
    return look->busy == TRI_UNKNOWN ? UNKNOWN("CPU time or received bytes")
           : look->busy == TRI_FALSE ? YES(look->use.from_s)
           : look->history->pulling  ? NO("it is busy: it pulls (models.pull)")
           : look->use.cpu_percent > look->history->settings->leak_busy_cpu_percent
               ? NO("it is busy: @ of a core", PERCENT(look->use.cpu_percent))
               : NO("it is busy: it receives @", {UNIT_BYTES_PER_SECOND, look->use.received_per_s});
}

static struct ruling excess(const struct look *look)
{
    fact over = look->serve_held - look->baseline;
    return !fact_known(look->threshold)    ? UNKNOWN("the memory limit")
           : !fact_known(look->serve_held) ? UNKNOWN("the server's memory")
           : over >= look->threshold
               ? YES(look->now_s)
               : NO("the server itself holds @ above its baseline, a leak begins at @",
                    BYTES(over > 0 ? over : 0), BYTES(look->threshold));
}

static void judge(struct look *look)
{
    struct history *h = look->history;
    const struct settings *s = h->settings;
    bool up = look_uptime_s(look) > s->leak_grace_s;
    look_take(look, &h->idle[IDLE_UP],
              up ? YES(look->now_s) : NO("it has just started (leak.grace)"));
    look_take(look, &h->idle[IDLE_NOTHING_LOADED], nothing_loaded(look));
    look_take(look, &h->idle[IDLE_NO_RUNNER], no_runner(look));
    look_take(look, &h->idle[IDLE_EXCESS], excess(look));
    look_take(look, &h->idle[IDLE_NOT_BUSY], not_busy(look));
    bool over = h->idle[IDLE_EXCESS].now == TRI_TRUE;
    look->assessment->leaks_in_use =
        up && over && h->idle[IDLE_NOTHING_LOADED].now && h->idle[IDLE_NO_RUNNER].now;

    struct finding f = conditions_find(h->idle, IDLE_CONDITIONS);
    bool foreign = fact_known(look->connections) && look->connections > 0;
    bool longer = foreign || look->container->ollama.n_models > 0; /* ghosts: it may be a load */
    double hold_s = longer && s->leak_connected_hold_s > s->leak_hold_s ? s->leak_connected_hold_s
                                                                        : s->leak_hold_s;
    bool near_end = look_near_end(look, &f, s->leak_hold_s);
    if (near_end) /* that the client has left must be seen within a poll, as all it waits for */
        look_want_connections(look, foreign ? look->poll_s
                                    : h->own[VERDICT_IDLE_LEAK].standing.raised
                                        ? connections_patience_s
                                        : 0);
    f.all_now &= fact_known(look->connections);
    struct verdict *v = look_found(look, VERDICT_IDLE_LEAK, h->own, &f, over, hold_s);
    if (!v)
        return;
    v->confirmed &= look->connections_age_s == 0; /* the fresh look before a deed reads them anew */
    v->remedy = REMEDY_RESTART;
    SHOW(look, v, NULL, {"swap", UNIT_BYTES, look->serve ? (double)look->serve->swap : -1});
    if (near_end && !v->missing[0] && !fact_known(look->connections))
        snprintf(v->missing, sizeof v->missing, "connections to Ollama's port");
    snprintf(v->why, sizeof v->why, "%s",
             foreign ? "no model is loaded, but a client keeps a connection: an idle pool, a pull "
                       "that stands still or a cloud model, so the hold is longer"
                     : "no model is loaded, loading or running, and the server itself holds the "
                       "memory");
}

const struct rule rule_idle_leak = {
    {"idle-leak", SEVERITY_CRITICAL, REMEDY_RESTART, REMEDY_RESTART,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RECLAIM),
     "up longer than `leak.grace` (30 s); Ollama answers and lists no model, or only ghosts; no "
     "runner is alive; "
     "not busy; the server's own RssAnon + VmSwap is the threshold or more above the baseline",
     "`leak.hold` 60 s; with a client connected, or ghosts listed, `leak.connected_hold` 10 min",
     "held serve baseline threshold limit swap page_cache models runners connections cpu received",
     "unload (there is nothing to unload), reclaim (it moves the leak to swap and proves nothing)"},
    .of_container = judge,
};
