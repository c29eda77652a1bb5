#include "act/run.h"
#include "judge/failures.h"
#include "judge/kinds.h"

#include <stdlib.h>
#include <string.h>

/* A verdict's step on its ladder, with another one above it. */
static bool climbs(const struct run *run)
{
    return run->verdict.kind < VERDICT_KINDS && !run->reason &&
           run->verdict.remedy != REMEDY_NONE &&
           kind_next(run->verdict.kind, run->verdict.remedy) != REMEDY_NONE;
}

/* The intent was this very step, for the same runner in the same life. */
static bool same_step(const struct run *run, const struct intent *intent)
{
    return !strcmp(intent->container, run->id) &&
           !strcmp(intent->started_at, run->intent.started_at) &&
           !strcmp(intent->verdict, verdict_kind_name(run->verdict.kind)) &&
           !strcmp(intent->step, run->step->name) && intent->pid == run->verdict.pid &&
           intent->process_started_us == run->verdict.started_us;
}

/* What earlier supervisors' deeds count for: how much is left of the step's rest, and that the step
 * was not enough. */
static int take_recent(struct run *run, const struct keep_now *now, struct error *err)
{
    enum { RECENT = 16 };
    struct intent *recent;
    size_t n;
    int r = keep_intents_recent(run->act->o.keep, run->intent.key, RECENT, &recent, &n, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        double age_s = keep_intent_age_s(&recent[i], now), left_s = run->step->rest_s - age_s;
        if (!strcmp(recent[i].step, run->step->name) && !strcmp(recent[i].container, run->id) &&
            left_s > run->past.rest_left_s)
            run->past.rest_left_s = left_s;
        if (climbs(run) && recent[i].state == INTENT_FAILED && same_step(run, &recent[i]) &&
            age_s <= failure_kept_s)
            run->past.failed_ago_s = age_s;
    }
    free(recent);
    return 0;
}

static int take_open(struct run *run, struct error *err)
{
    struct intent *open;
    size_t n;
    int r = keep_intents_open(run->act->o.keep, &open, &n, err);
    if (r < 0)
        return r;
    for (size_t i = n; i-- > 0;) /* the oldest one last */
        if (!strcmp(open[i].container, run->id)) {
            run->past.open = open[i];
            run->past.n_open++;
        }
    free(open);
    return 0;
}

void past_job(struct run *run)
{
    struct keep *keep = run->act->o.keep;
    struct error *err = &run->work_error;
    struct past *past = &run->past;
    struct keep_now now = keep_now_is(run->act->boot_id);
    int64_t hold_since_ms = 0;
    int r = take_open(run, err);
    if (!r)
        r = keep_last(keep, run->id, &now, &past->last, err);
    if (!r && past->n_open)
        r = keep_starts(keep, &past->open, &past->starts, err);
    if (!r)
        r = keep_restarts(keep, run->intent.key, &now, &past->restarts, err);
    if (!r)
        r = keep_hold_get(keep, run->intent.key, &hold_since_ms, err);
    bool spent = past->restarts.in_last_hour >= (size_t)run->budget;
    past->held = hold_since_ms != 0;
    if (!r && run->step == &step_restart && spent && !past->held)
        r = keep_hold_set(keep, run->intent.key, now.wall_ms, "the restart budget is spent", err);
    else if (!r && !spent && past->held)
        r = keep_hold_set(keep, run->intent.key, 0, "", err);
    if (!r && (run->step->rest_s > 0 || climbs(run)))
        r = take_recent(run, &now, err);
    if (!r && run->verdict.blob[0])
        r = keep_deeds(keep, run->intent.key, &now, &past->deeds, err);
    run->work_result = r;
}
