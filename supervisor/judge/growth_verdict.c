/* What a growth is: the runner's prompt cache, or a leak; and what may be done (docs/judgement.md).
 */
#include "base/size.h"
#include "judge/growth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* llama-server's own default of --cache-ram, in MiB; Ollama sets none (facts on Ollama, 3). */
static const fact cache_default_mib = 8192;

/* Since 0.30 every model is served by llama-server, which has a prompt cache. A build that was not
 * released calls itself 0.0.0: then the program's name tells. */
static bool has_cache(const struct look *look, const struct process *p)
{
    char *end;
    errno = 0;
    long major = strtol(look->container->ollama.version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (errno || (major == 0 && minor == 0))
        return p && !strncmp(p->comm, "llama-server", 12);
    return major > 0 || minor >= 30;
}

/* Bytes; 0: there is no cache, FACT_NONE: nothing bounds it. */
static fact bound_of(const struct look *look, const struct process *p)
{
    const char *text = container_env(look->container, "LLAMA_ARG_CACHE_RAM");
    char *end = NULL;
    if (!has_cache(look, p))
        return 0;
    errno = 0;
    long mib = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno)
        return cache_default_mib << 20;
    return mib < 0 ? FACT_NONE : (fact)mib << 20;
}

/* What the container may hold in all: its limit; without one what the host still has. */
static fact room_of(const struct look *look)
{
    fact limit = look->container->cgroup.limit;
    return limit == FACT_NONE ? fact_add(look->held, look->world->host.available) : limit;
}

/* How large the bound of each runner may be, so that all that is held fits: bytes, whole MiB;
 * unknown. *ret_runners: how many share it. */
static fact fitting_bound(const struct look *look, fact *ret_runners)
{
    const struct history *h = look->history;
    fact room = room_of(look), grown = 0, n = 0;
    for (size_t i = 0; i < h->n_runners; i++) {
        const struct growth *g = &h->runners[i].growth;
        if (g->begun_s < 0 || !fact_known(h->runners[i].held))
            continue;
        n++;
        grown += h->runners[i].held > g->begun ? h->runners[i].held - g->begun : 0;
    }
    *ret_runners = n;
    if (n == 0 || !fact_known(room) || !fact_known(look->held))
        return FACT_UNKNOWN;
    /* A twentieth is left for what else moves. */
    fact left = room - room / 20 - (look->held - grown);
    return left <= 0 ? 0 : left / n >> 20 << 20;
}

static void add_evidence(const struct look *look, const struct growth *g, const struct runner *r,
                         fact held, struct verdict *v)
{
    fact room = room_of(look);
    if (r) {
        v->pid = r->pid;
        v->started_us = r->started_us;
        verdict_add_fact(v, "pid", UNIT_COUNT, r->pid);
    }
    verdict_add_fact(v, r ? "runner" : "serve", UNIT_BYTES, held);
    if (!r) {
        verdict_add_fact(v, "baseline", UNIT_BYTES, look->baseline);
        verdict_add_fact(v, "threshold", UNIT_BYTES, look->threshold);
    }
    verdict_add(v, "per_hour", UNIT_BYTES, g->slope.per_s * 3600);
    verdict_add(v, "per_hour_low", UNIT_BYTES, g->slope.low_per_s * 3600);
    verdict_add(v, "rise", UNIT_BYTES, g->slope.rise);
    if (fact_known(held))
        verdict_add(v, "grown", UNIT_BYTES, held > g->begun ? (double)(held - g->begun) : 0);
    verdict_add(v, "span", UNIT_SECONDS, g->slope.span_s);
    verdict_add_fact(v, "limit", UNIT_BYTES, look->container->cgroup.limit);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    if (fact_known(room) && fact_known(look->held) && g->slope.per_s > 0)
        verdict_add(v, "left", UNIT_SECONDS,
                    room > look->held ? (double)(room - look->held) / g->slope.per_s : 0);
}

static void name_model(const struct look *look, const struct process *p, struct verdict *v)
{
    const struct model *model = p ? model_of_runner(look, p) : NULL;
    if (model)
        snprintf(v->model, sizeof v->model, "%s", model->name);
}

static void settle_leak(struct look *look, struct growth *g, const struct runner *r,
                        const struct process *p, fact held, bool contradicted, bool all_now)
{
    char rate[16], bound[16];
    fact bytes = r ? bound_of(look, p) : 0;
    struct verdict *v =
        look_settle(look, VERDICT_GROWTH_LEAK, &g->leak, g->condition.since_s, all_now,
                    contradicted, false, look->history->settings.leak_growth_hold_s);
    if (!v)
        return;
    add_evidence(look, g, r, held, v);
    name_model(look, p, v);
    enum remedy remedy = growth_remedy(look, r, v);
    look_remedy(v, &g->leak, remedy);
    v->confirmed &= remedy != REMEDY_NONE && look->connections_age_s == 0;
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
    size_format((fact)(g->slope.per_s * 3600), rate, sizeof rate);
    if (bytes > 0) {
        verdict_add_fact(v, "bound", UNIT_BYTES, bytes);
        snprintf(v->why, sizeof v->why,
                 "process %lld grows by %s an hour, past what its prompt cache may hold (%s)",
                 (long long)r->pid, rate, size_format(bytes, bound, sizeof bound));
    } else if (r) {
        snprintf(v->why, sizeof v->why,
                 "process %lld grows by %s an hour while its model stays the same, and has no "
                 "prompt cache",
                 (long long)r->pid, rate);
    } else {
        snprintf(v->why, sizeof v->why,
                 "the server itself grows by %s an hour while the loaded models stay the same",
                 rate);
    }
}

static void settle_cache(struct look *look, struct growth *g, const struct runner *r,
                         const struct process *p, fact held, bool contradicted, bool all_now)
{
    struct verdict *v =
        look_settle(look, VERDICT_PROMPT_CACHE, &g->cache, g->condition.since_s, all_now,
                    contradicted, false, look->history->settings.leak_growth_hold_s);
    if (!v)
        return;
    char rate[16], is[16];
    fact bound = bound_of(look, p), runners, fits = fitting_bound(look, &runners);
    bool too_much = fact_known(fits) && (bound == FACT_NONE || bound > fits);
    add_evidence(look, g, r, held, v);
    name_model(look, p, v);
    verdict_add_fact(v, "bound", UNIT_BYTES, bound);
    verdict_add_fact(v, "fits", UNIT_BYTES, fits);
    if (too_much)
        v->severity = SEVERITY_WARNING;
    size_format((fact)(g->slope.per_s * 3600), rate, sizeof rate);
    if (bound == FACT_NONE)
        snprintf(is, sizeof is, "nothing");
    else
        size_format(bound, is, sizeof is);
    if (too_much)
        snprintf(v->why, sizeof v->why,
                 "its prompt cache grows by %s an hour, bounded by %s (LLAMA_ARG_CACHE_RAM), which "
                 "does not fit: set LLAMA_ARG_CACHE_RAM=%lld in the container's environment",
                 rate, is, (long long)(fits >> 20));
    else
        snprintf(v->why, sizeof v->why,
                 "its prompt cache grows by %s an hour, bounded by %s (LLAMA_ARG_CACHE_RAM), which "
                 "fits",
                 rate, is);
}

void growth_settle(struct look *look, struct growth *g, const struct runner *r,
                   const struct process *p, fact held)
{
    bool all_now, contradicted;
    conditions_since(&g->condition, 1, &all_now, &contradicted);
    fact bound = p && r ? bound_of(look, p) : 0;
    /* Where the runner cannot be seen, what stands stays. */
    bool cache = fact_known(held) && p
                     ? bound == FACT_NONE || (bound > 0 && held - g->begun <= bound + bound / 10)
                     : g->cache.raised;
    settle_cache(look, g, r, p, held, contradicted || (all_now && !cache), all_now && cache);
    settle_leak(look, g, r, p, held, contradicted || (all_now && cache), all_now && !cache);
}

void clear_growth(struct look *look, struct growth *g, const struct runner *r)
{
    static const enum verdict_kind kinds[] = {VERDICT_GROWTH_LEAK, VERDICT_PROMPT_CACHE};
    for (size_t i = 0; i < 2; i++) {
        struct verdict *v =
            look_settle(look, kinds[i], i ? &g->cache : &g->leak, -1, false, true, false, 0);
        if (!v || !r)
            continue;
        v->pid = r->pid;
        v->started_us = r->started_us;
    }
}
