/* growth-leak: what is held rises while the same models are loaded, and it is no prompt cache; one
 * step of its ladder after the other (docs/judgement.md, "The ladder"). */
#include "base/append.h"
#include "base/size.h"
#include "judge/growth.h"
#include "judge/rules.h"

#include <stdio.h>

static bool all_rest(const struct look *look)
{
    for (size_t i = 0; i < look->history->n_runners; i++)
        if (runner_rests(look, &look->history->runners[i]) != TRI_TRUE)
            return false;
    return look->busy == TRI_FALSE && look->container->processes_known;
}

static bool may_kill(const struct runner *r)
{
    return r->conditions[ORPHAN_CHILD].now == TRI_TRUE &&
           r->conditions[ORPHAN_AWAKE].now == TRI_TRUE;
}

/* A leak of the server's own, by the same measure as idle-leak: below it a restart would free the
 * models, which are what somebody asked for. */
static bool serve_leaks(const struct look *look)
{
    return fact_known(look->serve_held) && fact_known(look->threshold) &&
           look->serve_held - look->baseline >= look->threshold;
}

/* So little time is left to the limit, even if it grows as slowly as it may: when the kernel kills,
 * it picks whom it likes, and a request that runs is lost in any case. */
static const double last_minutes_s = 600, last_minute_s = 60;

/* The next step for the runner; its model names it in the request, and in the fresh look. */
static enum remedy runner_step(const struct look *look, const struct runner *r,
                               const struct verdict *v)
{
    enum remedy step = ladder_step(VERDICT_GROWTH_LEAK, REMEDY_UNLOAD, &r->failures, look->now_s);
    bool may = v->model[0] && runner_rests(look, r) == TRI_TRUE &&
               (step == REMEDY_UNLOAD || may_kill(r)) && (step != REMEDY_RESTART || all_rest(look));
    return may ? step : REMEDY_NONE;
}

static enum remedy serve_step(const struct look *look)
{
    enum remedy step =
        ladder_step(VERDICT_GROWTH_LEAK, REMEDY_RESTART, &look->history->failures, look->now_s);
    return serve_leaks(look) && all_rest(look) ? step : REMEDY_NONE;
}

/* Where the ladder gives no step because the model never rests or has a client: near the limit its
 * end is asked for, at the end of its request; in the last minute it is killed. */
static enum remedy last_remedy(const struct look *look, const struct runner *r,
                               const struct verdict *v)
{
    double left = growth_left_s(look, r->growth.slope.low_per_s);
    if (!growth_goes_on(look, &r->growth) || left < 0 || left >= last_minutes_s)
        return REMEDY_NONE;
    enum remedy last = left < last_minute_s ? REMEDY_KILL_RUNNER : REMEDY_UNLOAD;
    bool may = last == REMEDY_KILL_RUNNER ? may_kill(r) : v->model[0] != '\0';
    bool was = has_failed(&r->failures, last, look->now_s, failure_kept_s) ||
               (r->blob[0] && deeds_count(look->history->deeds, VERDICT_GROWTH_LEAK, last, r->blob,
                                          look->now_s, failure_kept_s) > 0);
    return may && !was ? last : REMEDY_NONE;
}

/* The step that may be taken now. Fills v->failed. */
static enum remedy remedy_of(struct look *look, const struct runner *r, struct verdict *v)
{
    static const enum remedy climbed[] = {REMEDY_KILL_RUNNER, REMEDY_UNLOAD};
    const struct settings *s = look->history->settings;
    if (v->state != VERDICT_RAISED)
        return REMEDY_NONE;
    enum remedy last = r ? last_remedy(look, r, v) : REMEDY_NONE, step = REMEDY_NONE;
    bool critical =
        pressure_of(look->held, cgroup_bound(&look->container->cgroup), s) == LEVEL_CRITICAL;
    if (critical)
        step = r ? runner_step(look, r, v) : serve_step(look);
    for (size_t i = 0; critical && r && i < 2 && v->failed == REMEDY_NONE; i++)
        if (climbed[i] != step && has_failed(&r->failures, climbed[i], look->now_s, failure_kept_s))
            v->failed = climbed[i];
    if (step == REMEDY_NONE && last == REMEDY_NONE)
        return REMEDY_NONE;
    look_want_connections(look, connections_patience_s);
    return step != REMEDY_NONE && look_connected(look, connections_patience_s) == TRI_FALSE ? step
                                                                                            : last;
}

static void say(const struct look *look, const struct growth *g, const struct runner *r,
                struct verdict *v)
{
    const char *rate = SHOWN((fact)(g->slope.per_s * 3600));
    fact bound = r ? growth_bound(look, r->now) : 0;
    double over_s = growth_over_s(look, g);
    const char *grows = over_s < 0 ? "grows" : "grew";
    if (!r)
        snprintf(v->why, sizeof v->why,
                 "the server itself %s by %s an hour while the loaded models stay the same", grows,
                 rate);
    else if (bound > 0)
        snprintf(v->why, sizeof v->why,
                 "process %lld %s by %s an hour, past what its prompt cache may hold (%s)",
                 (long long)r->pid, grows, rate, SHOWN(bound));
    else
        snprintf(v->why, sizeof v->why,
                 "process %lld %s by %s an hour while its model stays the same, and has no "
                 "prompt cache",
                 (long long)r->pid, grows, rate);
    if (over_s >= 0)
        text_append(v->why, sizeof v->why, "; it has not for %s", SHOWN_S(over_s));
}

/* Of one runner (r), or of the server (NULL). */
static void judge(struct look *look, struct runner *r)
{
    const struct growth *server = look->history->growth ? look->history->growth : &growth_none,
                        *g = r ? &r->growth : server;
    struct matter *own = r ? r->own : look->history->own;
    struct finding f = growth_find(look, g, r, false);
    struct verdict *v = look_found(look, VERDICT_GROWTH_LEAK, own, &f, false,
                                   look->history->settings->leak_growth_hold_s);
    if (!v)
        return;
    growth_name(look, r, v);
    enum remedy remedy = remedy_of(look, r, v);
    look_remedy(v, &own[VERDICT_GROWTH_LEAK].standing, remedy);
    v->confirmed &= remedy != REMEDY_NONE && look->connections_age_s == 0;
    growth_show(look, g, r, v, FACT_UNKNOWN);
    say(look, g, r, v);
}

static void judge_serve(struct look *look)
{
    judge(look, NULL);
}

const struct rule rule_growth_leak = {
    {"growth-leak", SEVERITY_WARNING, REMEDY_UNLOAD, REMEDY_RESTART, BIT(REMEDY_RECLAIM),
     "what a runner holds since its model is listed, or the server while the same models are "
     "loaded, rises: by chance in less than 1 of 1,000,000 cases, by `leak.growth` (64 MiB) and 1 "
     "% of the limit at least, and to the end; and it is no prompt-cache",
     "`leak.growth_hold` 10 min",
     "pid runner serve baseline threshold per_hour per_hour_low rise grown bound span limit held "
     "left connections",
     "any deed below `pressure.level_critical` (95 % of the limit), or while the model works or "
     "has a client, unless the limit is near by the slope's lower bound: in the last 10 "
     "minutes it is told to go when its request ends, in the last minute it is killed; a restart "
     "while anything else works, while the runner can be killed, or where "
     "the server itself holds less than the threshold above its baseline; reclaim (it moves the "
     "growth to swap)"},
    .of_container = judge_serve,
    .of_runner = judge,
};
