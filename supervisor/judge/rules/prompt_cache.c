/* prompt-cache: what grows in a runner is its prompt cache, which is bounded. */
#include "base/append.h"
#include "base/size.h"
#include "judge/growth.h"
#include "judge/rules.h"

#include <stdio.h>

/* How large the bound of each runner may be, so that all that is held fits into memory, without
 * swap: bytes, whole MiB; unknown. */
static fact fitting_bound(const struct look *look)
{
    const struct history *h = look->history;
    fact room = cgroup_bound(&look->container->cgroup), grown = 0, n = 0;
    if (room == FACT_NONE)
        room = fact_add(look->held, look->world->host.available);
    for (size_t i = 0; i < h->n_runners; i++) {
        const struct growth *g = &h->runners[i].growth;
        if (g->begun_s < 0 || !fact_known(h->runners[i].held))
            continue;
        n++;
        grown += h->runners[i].held > g->begun ? h->runners[i].held - g->begun : 0;
    }
    if (n == 0 || !fact_known(room) || !fact_known(look->held))
        return FACT_UNKNOWN;
    /* A twentieth is left for what else moves. */
    fact left = room - room / 20 - (look->held - grown);
    return left <= 0 ? 0 : left / n >> 20 << 20;
}

static void judge(struct look *look, struct runner *r)
{
    struct growth *g = &r->growth;
    struct finding f = growth_find(look, g, r, true);
    struct verdict *v = look_found(look, VERDICT_PROMPT_CACHE, r->own, &f, false,
                                   look->history->settings->leak_growth_hold_s);
    if (!v)
        return;
    fact bound = growth_bound(look, r->now), fits = fitting_bound(look);
    bool too_much = fact_known(fits) && (bound == FACT_NONE || bound > fits);
    growth_show(look, g, r, v, fits);
    if (too_much)
        v->severity = SEVERITY_WARNING;
    const char *rate = SHOWN((fact)(g->slope.per_s * 3600)),
               *is = bound == FACT_NONE ? "nothing" : SHOWN(bound);
    double over_s = growth_over_s(look, &r->growth);
    const char *grows = over_s < 0 ? "grows" : "grew";
    if (too_much)
        snprintf(v->why, sizeof v->why,
                 "its prompt cache %s by %s an hour, bounded by %s (LLAMA_ARG_CACHE_RAM), which "
                 "does not fit: set LLAMA_ARG_CACHE_RAM=%lld in the container's environment",
                 grows, rate, is, (long long)(fits >> 20));
    else
        snprintf(v->why, sizeof v->why,
                 "its prompt cache %s by %s an hour, bounded by %s (LLAMA_ARG_CACHE_RAM), which "
                 "fits",
                 grows, rate, is);
    if (over_s >= 0)
        text_append(v->why, sizeof v->why, "; it has not for %s", SHOWN_S(over_s));
}

const struct rule rule_prompt_cache = {
    {"prompt-cache", SEVERITY_INFO, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "the same of a runner of Ollama 0.30 or newer, which has grown by no more than its prompt "
     "cache may (LLAMA_ARG_CACHE_RAM in the container's environment, 8,192 MiB otherwise; 10 % "
     "over); a warning where the bound does not fit below the limit",
     "`leak.growth_hold` 10 min",
     "pid runner per_hour per_hour_low rise grown bound fits span limit held left",
     "any deed: it is what the setting allows, and saves work"},
    .unless = "no model is loaded",
    .of_runner = judge,
};
