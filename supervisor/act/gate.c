/* From verdict to deed: what an earlier supervisor left open, the budget and the back-off, the
 * fresh look, the intent. */
#include "act/private.h"
#include "base/clock.h"
#include "judge/failures.h"
#include "judge/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin_job(uv_work_t *work)
{
    struct run *run = work->data;
    run->work_result = keep_intent_begin(run->healer->o.keep, &run->intent, &run->work_error);
}

/* What cannot be committed is not done; said once, tried again soon. */
static void cannot_remember(struct run *run)
{
    struct place *place = place_of(run->healer, run->id);
    place->not_before_s = clock_boottime_s() + retry_s;
    if (!place->memory_told)
        run_tell(run, HEAL_NO_MEMORY_OF_IT, FACT_UNKNOWN, run->work_error.message);
    place->memory_told = true;
    run_free(run);
}

static void begun(struct run *run)
{
    struct place *place = place_of(run->healer, run->id);
    if (run->work_result < 0) {
        cannot_remember(run);
        return;
    }
    run->begun = true;
    place->memory_told = place->locked_told = place->waiting_told = false;
    char text[64] = "";
    if (run->verdict.kind < VERDICT_KINDS && run->verdict.failed != REMEDY_NONE)
        snprintf(text, sizeof text, "%s was not enough", remedy_name(run->verdict.failed));
    run_tell(run, HEAL_ACTING, FACT_UNKNOWN, text);
    run->step->deed(run);
}

/* The fresh look is there: does the world still bear the remedy? */
static void on_fresh(void *userdata, int result)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    const struct container *c = run_container(run);
    bool same = c && !strcmp(c->started_at, run->started_at) && c->status == STATUS_RUNNING;
    if (result < 0 || !same) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s",
                run->yields ? "the kill switch comes first"
                : !c        ? "it is gone"
                : !same     ? "it was restarted or stopped meanwhile"
                            : "it could not be looked at afresh");
        return;
    }
    if (run->verdict.kind < VERDICT_KINDS && !run->force) {
        const struct verdict *found = NULL;
        for (size_t i = 0; i < run->healer->judgement->n_verdicts; i++) {
            const struct verdict *v = &run->healer->judgement->verdicts[i];
            if (v->kind == run->verdict.kind && !strcmp(v->id, run->id) &&
                v->pid == run->verdict.pid && v->confirmed &&
                v->started_us == run->verdict.started_us && v->remedy == run->verdict.remedy &&
                !strcmp(v->model, run->verdict.model))
                found = v;
        }
        if (!found) {
            run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
                    "the fresh look no longer bears the verdict");
            return;
        }
        run->verdict = *found;
    }
    char why[256] = "";
    run->before = run_held(run);
    if (run->step->prepare && run->step->prepare(run, why, sizeof why) < 0) {
        run->refused = true;
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s", why);
        return;
    }
    struct intent *intent = &run->intent;
    memcpy(intent->container, run->id, sizeof intent->container);
    memcpy(intent->started_at, run->started_at, sizeof intent->started_at);
    memcpy(intent->key, run->key, sizeof intent->key);
    snprintf(intent->verdict, sizeof intent->verdict, "%s",
             run->reason ? run->reason : verdict_kind_name(run->verdict.kind));
    snprintf(intent->step, sizeof intent->step, "%s", run->step->name);
    intent->pid = run->verdict.pid;
    intent->process_started_us = run->verdict.started_us;
    intent->grace_s = run_grace_s(run);
    intent->begun_wall_ms = clock_wall_ms();
    intent->begun_boottime_s = clock_boottime_s();
    memcpy(intent->boot_id, run->healer->boot_id, sizeof intent->boot_id);
    intent->held_before = run->before;
    intent->held_after = FACT_UNKNOWN;
    run_work(run, begin_job, begun);
}

/* Back-off: 10 s doubling to 300 s with 10 % of jitter, anew after 10 healthy minutes (row C2;
 * Kubernetes' numbers, facts on memory, B6). The jitter hangs on the last restart, so that it is
 * the same whoever asks. */
static double backoff_left_s(const struct run *run, const struct settings *s, int64_t now_ms,
                             fact *ret_attempt)
{
    const struct restart_history *r = &run->restarts;
    double since_s = (double)(now_ms - r->last_ms) / 1000;
    if (!r->last_ms || since_s > s->remedy_healthy_s) {
        *ret_attempt = 1;
        return 0;
    }
    *ret_attempt = r->last_attempt + 1;
    double delay_s = s->remedy_backoff_s;
    for (fact i = 1; i < r->last_attempt && delay_s < s->remedy_backoff_cap_s; i++)
        delay_s *= 2;
    if (delay_s > s->remedy_backoff_cap_s)
        delay_s = s->remedy_backoff_cap_s;
    double jitter = (double)((uint64_t)r->last_ms * 2654435761u % 2001) / 10000 - 0.1;
    return delay_s * (1 + jitter) - since_s;
}

static void look_afresh(struct run *run)
{
    run->request_under_way = true;
    int r = run->step->last_resort
                ? sense_fresh_memory(run->healer->o.sense, run->id, on_fresh, run)
                : sense_fresh(run->healer->o.sense, run->id, on_fresh, run);
    if (r == 0)
        return;
    run->request_under_way = false;
    run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
            r == -EBUSY ? "another look is under way" : "it is gone");
}

/* Restarts are counted: the budget, then the back-off. A person's word passes both. */
static void gate(struct run *run)
{
    struct place *place = place_of(run->healer, run->id);
    const struct settings *s = run_settings(run);
    int64_t now_ms = clock_wall_ms();
    run->intent.attempt = 1;
    if (run->rest_left_s > 0 && !run->asked) {
        place->rests[run->verdict.remedy].until_s = clock_boottime_s() + run->rest_left_s;
        run_free(run);
        return;
    }
    if (run->step != &step_restart) {
        look_afresh(run);
        return;
    }
    double left_s = backoff_left_s(run, s, now_ms, &run->intent.attempt);
    char text[200] = "";
    if (!run->asked && run->restarts.in_last_hour >= (size_t)s->remedy_budget_per_hour) {
        double frees_s = (double)(run->restarts.oldest_in_hour_ms + 3600000 - now_ms) / 1000;
        place->not_before_s = clock_boottime_s() + (frees_s < 10 ? 1 : 10);
        snprintf(text, sizeof text,
                 "%zu restarts in the last hour; it is left as it is for %.0f min, or until "
                 "`supervisor release %.100s`",
                 run->restarts.in_last_hour, frees_s / 60, run->name);
        if (!place->held_told)
            run_tell(run, HEAL_HOLD, FACT_UNKNOWN, text);
        place->held_told = true;
        run_free(run);
        return;
    }
    if (place->held_told)
        run_tell(run, HEAL_HOLD_OVER, FACT_UNKNOWN, "");
    place->held_told = false;
    if (!run->asked && left_s > 0) {
        place->not_before_s = clock_boottime_s() + (left_s < 10 ? left_s : 10);
        snprintf(text, sizeof text, "attempt %lld in %.0f s", (long long)run->intent.attempt,
                 left_s);
        if (!place->waiting_told)
            run_tell(run, HEAL_WAITING, FACT_UNKNOWN, text);
        place->waiting_told = true;
        run_free(run);
        return;
    }
    look_afresh(run);
}

static const struct step *step_named(const char *name)
{
    static const struct step *const steps[] = {&step_restart,  &step_kill,    &step_unload,
                                               &step_limit,    &step_reclaim, &step_high,
                                               &step_throttle, &step_stop};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        if (!strcmp(steps[i]->name, name))
            return steps[i];
    return NULL;
}

/* An open intent of a container whose lock is ours is an earlier supervisor's. */
static void recover(struct run *run)
{
    run->recovering = true;
    run->intent = run->open[0];
    run->step = step_named(run->intent.step);
    run->before = run->intent.held_before;
    memcpy(run->started_at, run->intent.started_at, sizeof run->started_at);
    if (!run->step || !run->step->recover) {
        if (!run->step)
            run->step = &step_limit;
        run_end(run, INTENT_DROPPED, HEAL_RECOVERED, FACT_UNKNOWN,
                "an earlier supervisor had begun it; it may be done again");
        return;
    }
    run->step->recover(run);
}

/* The judge of this supervisor has not seen it: it is told, and gives the next step. */
static void failed_before(struct run *run)
{
    struct judge *judge = run->healer->o.judge;
    double failed_s = clock_boottime_s() - run->failed_ago_s;
    if (judge)
        judge_tell_failed(judge, &run->verdict, failed_s);
    run->next_step = kind_next(run->verdict.kind, run->verdict.remedy);
    run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
            "an earlier supervisor has done it, and it was not enough; next: %s",
            remedy_name(run->next_step));
}

static void gate_known(struct run *run)
{
    if (run->work_result < 0) {
        cannot_remember(run);
        return;
    }
    for (size_t i = run->n_open; i-- > 0;) /* the oldest one first */
        if (!strcmp(run->open[i].container, run->id)) {
            run->open[0] = run->open[i];
            run->n_open_here++;
        }
    if (run->n_open_here) {
        run->stopped_since =
            run->last_stop.id > run->open[0].id && run->last_stop.state != INTENT_DROPPED;
        recover(run);
        return;
    }
    if (run->verdict.kind == VERDICT_KINDS && !run->asked)
        run_free(run); /* only came to recover */
    else if (run->failed_ago_s >= 0)
        failed_before(run);
    else
        gate(run);
}

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
    return !strcmp(intent->container, run->id) && !strcmp(intent->started_at, run->started_at) &&
           !strcmp(intent->verdict, verdict_kind_name(run->verdict.kind)) &&
           !strcmp(intent->step, run->step->name) && intent->pid == run->verdict.pid &&
           intent->process_started_us == run->verdict.started_us;
}

/* What earlier supervisors' deeds count for: how much is left of the step's rest, and that the step
 * was not enough. */
static int take_recent(struct run *run, int64_t now_ms, struct error *err)
{
    enum { RECENT = 16 };
    struct intent *recent;
    size_t n;
    int r = keep_intents_recent(run->healer->o.keep, run->key, RECENT, &recent, &n, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < n; i++) {
        double since_s = (double)(now_ms - recent[i].begun_wall_ms) / 1000;
        double left_s = run->step->rest_s - since_s;
        if (!strcmp(recent[i].step, run->step->name) && !strcmp(recent[i].container, run->id) &&
            since_s >= 0 && left_s > run->rest_left_s)
            run->rest_left_s = left_s;
        if (climbs(run) && recent[i].state == INTENT_FAILED && same_step(run, &recent[i]) &&
            since_s >= 0 && since_s <= failure_kept_s)
            run->failed_ago_s = since_s;
    }
    free(recent);
    return 0;
}

static void gate_job(uv_work_t *work)
{
    struct run *run = work->data;
    struct keep *keep = run->healer->o.keep;
    struct error *err = &run->work_error;
    int64_t now_ms = clock_wall_ms();
    int r = keep_intents_open(keep, &run->open, &run->n_open, err);
    if (!r)
        r = keep_last_stop(keep, run->id, &run->last_stop, err);
    if (!r)
        r = keep_restarts(keep, run->key, now_ms, &run->restarts, err);
    if (!r)
        r = keep_hold_get(keep, run->key, &run->hold_since_ms, err);
    bool spent = run->restarts.in_last_hour >= run->budget;
    if (!r && run->step == &step_restart && spent && !run->hold_since_ms)
        r = keep_hold_set(keep, run->key, now_ms, "the restart budget is spent", err);
    else if (!r && !spent && run->hold_since_ms)
        r = keep_hold_set(keep, run->key, 0, "", err);
    if (!r && (run->step->rest_s > 0 || climbs(run)))
        r = take_recent(run, now_ms, err);
    run->work_result = r;
}

/* Both locks: among those who share our state directory, and, by its cgroup, all others on the
 * host. A cgroup that cannot be locked keeps nobody away. */
static int lock_container(struct healer *healer, const struct container *c,
                          struct keep_lock **ret_lock, struct keep_lock **ret_life_lock,
                          fact *ret_holder, struct error *err)
{
    const char *cgroup = sense_cgroup_path(healer->o.sense, c->id);
    int r = keep_lock_container(healer->o.state, c->id, ret_lock, ret_holder, err);
    if (r < 0 || !cgroup || keep_lock_directory(cgroup, ret_life_lock) != -EWOULDBLOCK)
        return r;
    keep_unlock(*ret_lock);
    return error_set(err, FAILURE_JOB, -EWOULDBLOCK,
                     "another supervisor, with a state directory of its own, works on it");
}

int run_begin(struct healer *healer, const struct container *c, const struct step *step,
              const struct verdict *verdict, struct run **ret_run)
{
    struct place *place = place_of(healer, c->id);
    if (!healer->o.keep)
        return -EROFS;
    struct keep_lock *lock = NULL, *life_lock = NULL;
    fact holder = FACT_UNKNOWN;
    struct error err = {0};
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return -ENOMEM;
    int r = lock_container(healer, c, &lock, &life_lock, &holder, &err);
    run->healer = healer;
    run->step = step;
    run->pidfd = -1;
    run->before = run->after = run->expected = run->intent.attempt = FACT_UNKNOWN;
    run->page_cache_before = run->page_cache_after = FACT_UNKNOWN;
    run->intent.pid = run->intent.process_started_us = run->intent.grace_s = FACT_UNKNOWN;
    run->failed_ago_s = -1;
    run->began_s = clock_boottime_s();
    memcpy(run->id, c->id, sizeof run->id);
    memcpy(run->name, c->name, sizeof run->name);
    memcpy(run->started_at, c->started_at, sizeof run->started_at);
    const char *enable = container_label(c, config_settings(healer->o.config)->docker_label);
    healer_key(c->name, enable, run->key, sizeof run->key);
    if (verdict)
        run->verdict = *verdict;
    else
        run->verdict.kind = VERDICT_KINDS,
        run->verdict.pid = run->verdict.started_us = FACT_UNKNOWN;
    memcpy(run->model, run->verdict.model, sizeof run->model);
    uv_timer_init(healer->o.loop, &run->timer);
    run->timer.data = run;
    run->next = healer->runs;
    healer->runs = run;
    if (r < 0) {
        place->not_before_s = run->began_s + retry_s;
        char text[600];
        if (r == -EWOULDBLOCK && fact_known(holder))
            snprintf(text, sizeof text, "another supervisor (pid %lld) works on it",
                     (long long)holder);
        else
            snprintf(text, sizeof text, "%s", err.message);
        if (!place->locked_told && verdict)
            run_tell(run, r == -EWOULDBLOCK ? HEAL_LOCKED : HEAL_NO_MEMORY_OF_IT, FACT_UNKNOWN,
                     text);
        place->locked_told = true;
        run_free(run);
        return r;
    }
    run->lock = lock;
    run->life_lock = life_lock;
    *ret_run = run;
    return 0;
}

void run_gate(struct run *run)
{
    run->budget = (size_t)run_settings(run)->remedy_budget_per_hour;
    run_work(run, gate_job, gate_known);
}
