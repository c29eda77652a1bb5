/* stalled-load: what would be an orphan, but a client may be waiting for its load. */
#include "judge/rules.h"

#include <stdio.h>

static void judge(struct look *look, struct runner *r)
{
    static const struct reason nobody = {.text = "nobody is connected"},
                               orphan = {.text = "it is an orphan by now, see orphan-runner"};
    struct finding f = conditions_find(r->conditions, ORPHAN_CONDITIONS);
    bool known = fact_known(look->connections), waiting = known && look->connections > 0;
    bool orphaned = r->own[VERDICT_ORPHAN_RUNNER].standing.raised;
    if (!f.against && !waiting)
        f.against = &nobody;
    if (orphaned)
        f.against = &orphan;
    f.all_now &= waiting;
    f.contradicted |= orphaned || (known && !waiting);
    struct verdict *v = look_found(look, VERDICT_STALLED_LOAD, r->own, &f, false,
                                   look->history->settings->leak_orphan_hold_s);
    if (!v)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    SHOW(look, v, r);
    snprintf(v->why, sizeof v->why,
             "the load of process %lld stands still while a client waits for it; "
             "OLLAMA_LOAD_TIMEOUT (5 minutes) ends it",
             (long long)r->pid);
}

const struct rule rule_stalled_load = {
    {"stalled-load", SEVERITY_WARNING, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "as orphan-runner, with a client connected", "`leak.orphan_hold` 60 s",
     "pid runner runner_file runner_cpu_us held models runners connections",
     "any deed: Ollama ends it after five minutes (OLLAMA_LOAD_TIMEOUT), and until orphan-runner "
     "is raised it has the right to"},
    .unless = "no runner is alive",
    .of_runner = judge,
};
