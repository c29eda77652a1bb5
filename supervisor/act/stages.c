/* The stages of a run, from the lock to the deed: the one table, and what each does. */
#include "act/allow.h"
#include "act/life.h"
#include "base/clock.h"
#include "judge/kinds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t signals_look_ms = 500;

/* What cannot be committed is not done; said once, tried again soon. */
static bool cannot_remember(struct run *run)
{
    if (run->work_result < 0) {
        run->work_result = 0; /* it is in the sentence */
        run_end(run, INTENT_DROPPED, HEAL_NO_MEMORY_OF_IT, FACT_UNKNOWN, "%s",
                run->work_error.message);
    }
    return run->ending;
}

/* ---- lock */

static void lock_job(uv_work_t *work)
{
    struct run *run = work->data;
    run->work_result =
        keep_lock_container(run->act->state, run->id, &run->lock, &run->holder, &run->work_error);
}

static void locked(struct run *run)
{
    if (run->work_result == -EWOULDBLOCK)
        run_end(run, INTENT_DROPPED, HEAL_LOCKED, FACT_UNKNOWN, "%s", run->work_error.message);
    else if (!cannot_remember(run))
        run_enter(run, STAGE_RECOVER);
}

static void lock(struct run *run)
{
    run_work(run, lock_job, locked);
}

/* ---- recover: what the database says first */

static const struct step *step_named(const char *name)
{
    for (size_t i = 0; i < REMEDIES; i++)
        if (step_of[i] && !strcmp(step_of[i]->name, name))
            return step_of[i];
    return NULL;
}

/* An open intent of a container whose lock is ours is an earlier supervisor's. */
static void follow_open(struct run *run)
{
    run->recovering = true;
    run->intent = run->past.open;
    run->before = run->intent.held_before;
    memcpy(run->started_at, run->intent.started_at, sizeof run->started_at);
    const struct step *step = step_named(run->intent.step);
    run->step = step ? step : &step_limit;
    if (step && step->recover)
        step->recover(run);
    else
        run_end(run, INTENT_DROPPED, HEAL_RECOVERED, FACT_UNKNOWN,
                "an earlier supervisor had begun it; it may be done again");
}

static void past_read(struct run *run)
{
    if (cannot_remember(run))
        return;
    if (run->past.n_open)
        follow_open(run);
    else if (run->verdict.kind == VERDICT_KINDS && !run->asked)
        run_leave(run); /* only came to recover */
    else
        run_enter(run, STAGE_ALLOW);
}

static void recover(struct run *run)
{
    run->budget = run_settings(run)->remedy_budget_per_hour;
    run_work(run, past_job, past_read);
}

/* ---- allow: a person's word passes budget, back-off and rest */

/* Whoever stops it already is known by the signal that was sent: by the stream of events once that
 * was followed for long enough, by the engine's ring as far as that reaches back. */
static void wait_for_signals(struct run *run)
{
    double window_s = (double)run_grace_s(run) + life_margin_s, now_s = clock_boottime_s();
    if (sense_signals(run->act->sense, run->id, now_s - window_s, true).known ||
        now_s > run->deadline_s)
        run_enter(run, STAGE_FRESH);
    else
        run_later(run, signals_look_ms, wait_for_signals);
}

static void on_signals(void *userdata, const struct signals_sent *sent)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (sent->known || sent->away) /* the fresh look says so */
        run_enter(run, STAGE_FRESH);
    else
        wait_for_signals(run);
}

static void know_signals(struct run *run)
{
    double window_s = (double)run_grace_s(run) + life_margin_s, now_s = clock_boottime_s();
    run->deadline_s = now_s + window_s + life_margin_s;
    if (sense_signals(run->act->sense, run->id, now_s - window_s, true).known) {
        run_enter(run, STAGE_FRESH);
        return;
    }
    run->request_under_way = true;
    signals_ask(run->act->docker, run->id, clock_wall_ms() - (int64_t)(window_s * 1000), on_signals,
                run);
}

/* The judge of this supervisor has not seen it: it is told, and gives the next step. */
static void failed_before(struct run *run)
{
    run->end.next = kind_next(run->verdict.kind, run->verdict.remedy);
    run_drop(run, "an earlier supervisor has done it, and it was not enough; next: %s",
             remedy_name(run->end.next));
}

static void allow(struct run *run)
{
    struct allow allow = allow_restart(&run->past.restarts, run_settings(run));
    bool restart = run->step == &step_restart;
    run->intent.attempt = restart ? allow.attempt : 1;
    if (run->past.failed_ago_s >= 0) {
        failed_before(run);
    } else if (run->past.rest_left_s > 0 && !run->asked) {
        run->end.wait_s = run->past.rest_left_s;
        run_leave(run);
    } else if (!restart) {
        run_enter(run, STAGE_FRESH);
    } else if (!run->asked && allow.answer == ALLOW_HOLD) {
        run->end.wait_s = allow.wait_s;
        run_end(run, INTENT_DROPPED, HEAL_HOLD, FACT_UNKNOWN,
                "%zu restarts in the last hour; it is left as it is for %.0f min, or until "
                "`supervisor release %.100s`",
                run->past.restarts.in_last_hour, allow.wait_s / 60, run->name);
    } else if (!run->asked && allow.answer == ALLOW_WAIT) {
        run->end.wait_s = allow.wait_s;
        run_end(run, INTENT_DROPPED, HEAL_WAITING, FACT_UNKNOWN, "attempt %lld in %.0f s",
                (long long)allow.attempt, allow.wait_s);
    } else {
        run->act->told(run->act->userdata, run, HEAL_HOLD_OVER, "");
        know_signals(run);
    }
}

/* ---- fresh: does the world still bear the remedy? */

/* The verdict of this very look, for the same subject and remedy; NULL: it is not borne. */
static const struct verdict *confirmed(const struct run *run)
{
    const struct judgement *j = run->act->judgement;
    for (size_t i = 0; i < j->n_verdicts; i++) {
        const struct verdict *v = &j->verdicts[i];
        if (v->kind == run->verdict.kind && !strcmp(v->id, run->id) && v->pid == run->verdict.pid &&
            v->confirmed && v->started_us == run->verdict.started_us &&
            v->remedy == run->verdict.remedy && !strcmp(v->model, run->verdict.model))
            return v;
    }
    return NULL;
}

static void on_fresh(void *userdata, int result)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    const struct container *c = run_container(run);
    bool same = run_same_life(run) && c->status == STATUS_RUNNING;
    if (result < 0 || !same) {
        run_drop(run, "%s",
                 run->yields ? "the kill switch comes first"
                 : !c        ? "it is gone"
                 : !same     ? "it was restarted or stopped meanwhile"
                             : "it could not be looked at afresh");
        return;
    }
    if (run->verdict.kind < VERDICT_KINDS) {
        const struct verdict *found = confirmed(run);
        /* A person's --force overrides busy and connected, and nothing else. */
        const struct assessment *a = judgement_assessment(run->act->judgement, run->id);
        bool forced = run->force && run->verdict.kind == VERDICT_IDLE_LEAK && a && a->leaks_in_use;
        if (!found && !forced) {
            run_drop(run, "the fresh look no longer bears the verdict");
            return;
        }
        if (found)
            run->verdict = *found;
    }
    run_enter(run, STAGE_PREPARE);
}

static void fresh(struct run *run)
{
    struct sense *sense = run->act->sense;
    run->request_under_way = true;
    int r = run->step->last_resort ? sense_fresh_memory(sense, run->id, on_fresh, run)
                                   : sense_fresh(sense, run->id, on_fresh, run);
    if (r == 0)
        return;
    run->request_under_way = false;
    run_drop(run, "%s", r == -EBUSY ? "another look is under way" : "it is gone");
}

static void prepare(struct run *run)
{
    struct error err = {0};
    run->before = run_held(run);
    if (run->step->prepare && run->step->prepare(run, &err) < 0) {
        run->end.refused = true;
        run_drop(run, "%s", err.message);
        return;
    }
    run_enter(run, STAGE_COMMIT);
}

/* ---- commit */

static void begin_job(uv_work_t *work)
{
    struct run *run = work->data;
    run->lock_lost = !keep_lock_holds(run->lock);
    if (!run->lock_lost)
        run->work_result = keep_intent_begin(run->act->keep, &run->intent, &run->work_error);
}

static void begun(struct run *run)
{
    if (run->lock_lost)
        run_drop(run, "its lock was taken away");
    if (cannot_remember(run))
        return;
    run->begun = true;
    char text[64] = "";
    if (run->verdict.kind < VERDICT_KINDS && run->verdict.failed != REMEDY_NONE)
        snprintf(text, sizeof text, "%s was not enough", remedy_name(run->verdict.failed));
    run->act->told(run->act->userdata, run, HEAL_ACTING, text);
    run_enter(run, STAGE_DEED);
}

static void commit(struct run *run)
{
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
    memcpy(intent->boot_id, run->act->boot_id, sizeof intent->boot_id);
    intent->held_before = run->before;
    intent->held_after = FACT_UNKNOWN;
    run_work(run, begin_job, begun);
}

/* ---- the table */

static void deed(struct run *run)
{
    run->step->deed(run);
}

static void check(struct run *run)
{
    run->step->check(run);
}

static run_next *const enter[STAGES] = {
    [STAGE_LOCK] = lock,   [STAGE_RECOVER] = recover, [STAGE_ALLOW] = allow,
    [STAGE_FRESH] = fresh, [STAGE_PREPARE] = prepare, [STAGE_COMMIT] = commit,
    [STAGE_DEED] = deed,   [STAGE_CHECK] = check,     [STAGE_END] = NULL, /* nothing begins there */
};

void run_enter(struct run *run, enum stage stage)
{
    run->stage = stage;
    if (enter[stage])
        enter[stage](run);
}
