/* The stages of a run, from the lock to the deed: the one table, and what each does. */
#include "act/allow.h"
#include "act/life.h"
#include "base/clock.h"
#include "judge/kinds.h"
#include "sense/policy.h"

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

static void lock_job(struct run *run)
{
    run->work_result =
        keep_lock_container(run->act->o.state, run->id, &run->lock, &run->holder, &run->work_error);
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
    if (run->verdict.blob[0] &&
        run->act->o.judge) /* another may have done some: the fresh look decides */
        judge_tell_deeds(run->act->o.judge, run->id, &run->past.deeds);
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
    if (sense_signals(run->act->o.sense, run->id, now_s - window_s, true).known ||
        now_s > run->deadline_s)
        run_enter(run, STAGE_FRESH);
    else
        run_later(run, signals_look_ms, wait_for_signals);
}

static void signals_known(struct run *run)
{
    if (run->signals.known || run->signals.away) /* the fresh look says so */
        run_enter(run, STAGE_FRESH);
    else
        wait_for_signals(run);
}

static void know_signals(struct run *run)
{
    double window_s = (double)run_grace_s(run) + life_margin_s, now_s = clock_boottime_s();
    run->deadline_s = now_s + window_s + life_margin_s;
    struct signals_sent sent = sense_signals(run->act->o.sense, run->id, now_s - window_s, true);
    run_ask_signals(run, sent, sent.known, clock_wall_ms() - (int64_t)(window_s * 1000),
                    signals_known);
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

/* The run's verdict in another look: for the same subject and remedy. */
static bool is_of(const struct run *run, const struct verdict *v)
{
    const struct verdict *of = &run->verdict;
    return v->kind == of->kind && !strcmp(v->id, run->id) && v->pid == of->pid &&
           v->started_us == of->started_us && v->remedy == of->remedy &&
           !strcmp(v->model, of->model);
}

/* The verdict of this very look, for the same subject and remedy; NULL: it is not borne. */
static const struct verdict *confirmed(const struct run *run)
{
    const struct judgement *j = run->act->judgement;
    for (size_t i = 0; i < j->n_verdicts; i++) {
        const struct verdict *v = &j->verdicts[i];
        if (is_of(run, v) && v->confirmed && (v->mode == MODE_ENFORCE || run->asked))
            return v;
    }
    return NULL;
}

static void looked_at(struct run *run)
{
    const struct container *c = run_container(run);
    bool same = run_same_life(run) && c->status == STATUS_RUNNING;
    if (run->work_result < 0 || !same) {
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
    int r = run_fresh(run, looked_at);
    if (r < 0)
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

static void begin_job(struct run *run)
{
    run->lock_lost = !keep_lock_holds(run->lock);
    if (run->lock_lost)
        return;
    run->work_result = keep_intent_begin(run->act->o.keep, &run->intent, &run->work_error);
    /* `abandon` first writes, then looks for intents: one of the two sees the other. */
    run->abandoned = run->work_result == 0 && run->adopted.name[0] &&
                     !adopted_stands(run->act->o.state, &run->adopted);
}

static void begun(struct run *run)
{
    if (run->lock_lost)
        run_drop(run, "its lock was taken away");
    if (cannot_remember(run))
        return;
    run->begun = true;
    if (run->abandoned) {
        run_drop(run, "it is adopted no longer");
        return;
    }
    char text[64] = "";
    if (run->verdict.kind < VERDICT_KINDS && run->verdict.failed != REMEDY_NONE)
        snprintf(text, sizeof text, "%s was not enough", remedy_name(run->verdict.failed));
    run->act->told(run->act->userdata, run, HEAL_ACTING, text);
    run_enter(run, STAGE_DEED);
}

static void commit(struct run *run)
{
    struct intent *intent = &run->intent;
    snprintf(intent->verdict, sizeof intent->verdict, "%s",
             run->reason ? run->reason : verdict_kind_name(run->verdict.kind));
    snprintf(intent->step, sizeof intent->step, "%s", run->step->name);
    intent->pid = run->verdict.pid;
    intent->process_started_us = run->verdict.started_us;
    memcpy(intent->blob, run->verdict.blob, sizeof intent->blob);
    intent->grace_s = run_grace_s(run);
    intent->begun_wall_ms = clock_wall_ms();
    intent->begun_boottime_s = clock_boottime_s();
    memcpy(intent->boot_id, run->act->boot_id, sizeof intent->boot_id);
    intent->held_before = run->before;
    intent->held_after = FACT_UNKNOWN;
    const struct container *c = run_container(run);
    if (c && policy_by_adoption(c)) {
        memcpy(run->adopted.name, c->name, sizeof run->adopted.name);
        memcpy(run->adopted.image, c->image, sizeof run->adopted.image);
    }
    run_work(run, begin_job, begun);
}

/* ---- the last look, right before the deed */

/* The judge has gone on while the intent was committed. */
static bool still_raised(const struct run *run)
{
    const struct judgement *j = run->act->judgement;
    if (run->verdict.kind == VERDICT_KINDS || run->asked)
        return true;
    for (size_t i = 0; i < j->n_verdicts; i++) {
        const struct verdict *v = &j->verdicts[i];
        if (is_of(run, v) && v->state == VERDICT_RAISED && v->mode == MODE_ENFORCE)
            return true;
    }
    return false;
}

static void on_last_look(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    (void)details;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0)
        run_drop(run, "%s", err->message);
    else if (strcmp(c->started_at, run->intent.started_at) || c->status != STATUS_RUNNING)
        run_drop(run, "somebody else restarted or stopped it meanwhile");
    else if (!still_raised(run))
        run_drop(run, "the verdict has ended while the intent was written down");
    else
        run->then(run);
}

void run_look_last(struct run *run, run_next *next)
{
    run_asks(run, next);
    docker_inspect(run->act->o.docker, run->id, on_last_look, run);
}

/* ---- the table */

static run_next *const enter[STAGES] = {
    /* The step's own: DEED, CHECK. At END nothing begins. */
    [STAGE_LOCK] = lock,   [STAGE_RECOVER] = recover, [STAGE_ALLOW] = allow,
    [STAGE_FRESH] = fresh, [STAGE_PREPARE] = prepare, [STAGE_COMMIT] = commit,
};

void run_enter(struct run *run, enum stage stage)
{
    run->stage = stage;
    run_next *next = stage == STAGE_DEED    ? run->step->deed
                     : stage == STAGE_CHECK ? run->step->check
                                            : enter[stage];
    if (next)
        next(run);
}
