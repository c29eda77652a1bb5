/* orphan-runner: a runner of which the server knows nothing, and in which nothing happens. What
 * makes it one is taken in judge/runner.c, because stalled-load and others rest on it too. */
#include "judge/rules.h"

#include <stdio.h>

static void judge(struct look *look, struct runner *r)
{
    const struct settings *s = &look->history->settings;
    struct finding f = conditions_find(r->conditions, ORPHAN_CONDITIONS);
    bool known = fact_known(look->connections), waiting = known && look->connections > 0;
    if (look_near_end(look, &f, s->leak_orphan_hold_s))
        look_want_connections(look, waiting ? look->poll_s
                                    : r->own[VERDICT_ORPHAN_RUNNER].standing.raised
                                        ? connections_patience_s
                                        : 0);
    double hold_s = waiting && s->leak_stalled_hold_s > s->leak_orphan_hold_s
                        ? s->leak_stalled_hold_s
                        : s->leak_orphan_hold_s;
    bool suspicious = f.since_s >= 0 && f.all_now && !waiting;
    f.all_now &= known;
    struct verdict *v = look_found(look, VERDICT_ORPHAN_RUNNER, r->own, &f, suspicious, hold_s);
    if (!v)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    v->confirmed &= look->connections_age_s == 0;
    v->remedy = REMEDY_KILL_RUNNER;
    SHOW(look, v, r);
    if (!v->missing[0] && !known)
        snprintf(v->missing, sizeof v->missing, "connections to Ollama's port");
    snprintf(v->why, sizeof v->why,
             "process %lld serves a model that the server no longer lists, and nothing happens in "
             "it",
             (long long)r->pid);
}

const struct rule rule_orphan_runner = {
    {"orphan-runner", SEVERITY_CRITICAL, REMEDY_KILL_RUNNER, REMEDY_KILL_RUNNER,
     BIT(REMEDY_UNLOAD) | BIT(REMEDY_RESTART),
     "Ollama answers and does not list the runner; its CPU time, anon and file stand still; not in "
     "state D; its parent is the server, and there is no other",
     "`leak.orphan_hold` 60 s; with a client connected `leak.stalled_hold` 6 min",
     "pid runner runner_file runner_cpu_us held models runners connections",
     "restart; any other process"},
    .unless = "no runner is alive",
    .of_runner = judge,
};
