/* What may be done about growth-leak: one step of its ladder after the other (docs/judgement.md,
 * "The ladder"). */
#include "judge/growth.h"

/* A standing verdict's connections are read this often. */
static const double patience_s = 10;

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

enum remedy growth_remedy(struct look *look, const struct runner *r, struct verdict *v)
{
    static const enum remedy climbed[] = {REMEDY_KILL_RUNNER, REMEDY_UNLOAD};
    const struct settings *s = &look->history->settings;
    if (v->state != VERDICT_RAISED ||
        pressure_of(look->held, look->container->cgroup.limit, s) != LEVEL_CRITICAL)
        return REMEDY_NONE;
    enum remedy step = r ? runner_step(look, r, v) : serve_step(look);
    for (size_t i = 0; r && i < 2 && v->failed == REMEDY_NONE; i++)
        if (climbed[i] != step && has_failed(&r->failures, climbed[i], look->now_s, failure_kept_s))
            v->failed = climbed[i];
    if (step == REMEDY_NONE)
        return REMEDY_NONE;
    look_want_connections(look, patience_s);
    return look_connected(look, patience_s) == TRI_FALSE ? step : REMEDY_NONE;
}
