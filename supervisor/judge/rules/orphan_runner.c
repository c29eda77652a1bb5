/* orphan-runner: a runner of which the server knows nothing, and in which nothing happens. What
 * makes it one is taken in judge/runner.c, because stalled-load and others rest on it too. */
#include "judge/rules.h"

#include <stdio.h>

static void judge(struct look *look, struct runner *r)
{
    const struct settings *s = look->history->settings;
    struct finding f = conditions_find(r->conditions, ORPHAN_CONDITIONS);
    static const struct reason used = {.text = "somebody is connected to its own port",
                                       .near = ORPHAN_CONDITIONS};
    bool waiting = fact_known(look->connections) && look->connections > 0, is_used = r->clients > 0;
    bool known = fact_known(look->connections) && fact_known(r->clients);
    if (look_near_end(look, &f, s->leak_orphan_hold_s))
        look_want_connections(look, waiting || is_used ? look->poll_s
                                    : r->own[VERDICT_ORPHAN_RUNNER].standing.raised
                                        ? connections_patience_s
                                        : 0);
    double hold_s = waiting && s->leak_stalled_hold_s > s->leak_orphan_hold_s
                        ? s->leak_stalled_hold_s
                        : s->leak_orphan_hold_s;
    bool suspicious = f.since_s >= 0 && f.all_now && !waiting && !is_used;
    if (f.all_now && is_used)
        f.against = &used;
    f.contradicted |= is_used;
    f.all_now &= known && !is_used;
    struct verdict *v = look_found(look, VERDICT_ORPHAN_RUNNER, r->own, &f, suspicious, hold_s);
    if (!v)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    v->confirmed &= look->connections_age_s == 0;
    v->remedy = REMEDY_KILL_RUNNER;
    SHOW(look, v, r, {"clients", UNIT_COUNT, (double)r->clients});
    if (!v->missing[0] && !known)
        snprintf(v->missing, sizeof v->missing, "%s",
                 fact_known(look->connections) ? "connections to its runner's port"
                                               : "connections to Ollama's port");
    snprintf(v->why, sizeof v->why,
             "process %lld serves a model that the server no longer lists, and nothing happens in "
             "it",
             (long long)r->pid);
}

const struct rule rule_orphan_runner = {
    {"orphan-runner", SEVERITY_CRITICAL, REMEDY_KILL_RUNNER, REMEDY_KILL_RUNNER,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_RESTART),
     "Ollama answers and does not list the runner; its CPU time, anon and file stand still; not in "
     "state D; its parent is the server that gave the list, or its server is dead; nobody is "
     "connected to its own port",
     "`leak.orphan_hold` 60 s; with a client connected `leak.stalled_hold` 6 min",
     "pid runner runner_file runner_cpu_us held models runners connections clients",
     "restart; any other process"},
    .unless = "no runner is alive",
    .of_runner = judge,
};
