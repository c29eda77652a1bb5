/* A run's mechanics: made, waited for, worked on, ended, given back. What it does stage by stage is
 * in stages.c. */
#include "act/run.h"
#include "base/append.h"
#include "base/clock.h"
#include "base/size.h"
#include "judge/kinds.h"
#include "sense/policy.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kill switch acts for a host that is all but out of memory: it waits no longer than this for a
 * program that does not end by itself. */
static const fact kill_switch_grace_s = 15;

struct run *run_new(struct act *act, const struct container *c, const struct step *step,
                    const struct verdict *verdict)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->act = act;
    run->step = step;
    run->pidfd = -1;
    run->before = run->expected = run->intent.attempt = run->end.after = FACT_UNKNOWN;
    run->page_cache_before = run->page_cache_after = run->holder = FACT_UNKNOWN;
    run->intent.pid = run->intent.process_started_us = run->intent.grace_s = FACT_UNKNOWN;
    run->past.failed_ago_s = -1;
    run->began_s = clock_boottime_s();
    memcpy(run->id, c->id, sizeof run->id);
    memcpy(run->intent.container, c->id, sizeof run->intent.container);
    memcpy(run->name, c->name, sizeof run->name);
    memcpy(run->intent.started_at, c->started_at, sizeof run->intent.started_at);
    healer_key_of(act->o.config, c, run->intent.key);
    run->verdict = *verdict;
    uv_timer_init(act->o.loop, &run->timer);
    run->timer.data = run;
    return run;
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void run_free(struct run *run)
{
    keep_unlock(run->lock); /* where it has not come to its end */
    if (run->pidfd >= 0)
        close(run->pidfd);
    uv_close((uv_handle_t *)&run->timer, on_timer_closed);
}

void run_close(struct run *run)
{
    uv_timer_stop(&run->timer);
    atomic_store(&run->stop, true);
    if (!run->working && !run->request_under_way)
        run_free(run);
}

bool run_closed(struct run *run)
{
    run->request_under_way = false;
    if (run->act->closing)
        run_free(run);
    return run->act->closing;
}

static void on_timer(uv_timer_t *timer)
{
    struct run *run = timer->data;
    run->on_timer(run);
}

void run_later(struct run *run, uint64_t delay_ms, run_next *next)
{
    run->on_timer = next;
    uv_timer_start(&run->timer, on_timer, delay_ms, 0);
}

static void after_work(uv_work_t *work, int status)
{
    (void)status;
    struct run *run = work->data;
    run->working = false;
    if (run->act->closing)
        run_free(run);
    else
        run->then(run);
}

static void work(uv_work_t *work)
{
    struct run *run = work->data;
    run->job(run);
}

void run_work(struct run *run, run_next *job, run_next *next)
{
    run->job = job;
    run->then = next;
    run->working = true;
    run->work.data = run;
    run->work_result = 0;
    if (uv_queue_work(run->act->o.loop, &run->work, work, after_work) < 0) {
        run->working = false;
        run->work_result = error_set(&run->work_error, FAILURE_JOB, -ENOMEM, "not enough memory");
        run_later(run, 0, next);
    }
}

static void answered(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    run->work_result = result;
    run->work_error = result < 0 && err ? *err : (struct error){0};
    run->then(run);
}

docker_done *run_asks(struct run *run, run_next *next)
{
    run->then = next;
    run->request_under_way = true;
    return answered;
}

static void looked(void *userdata, int result)
{
    answered(userdata, result, NULL);
}

int run_fresh(struct run *run, run_next *next)
{
    struct sense *sense = run->act->o.sense;
    run_asks(run, next);
    int r = run->step->last_resort ? sense_fresh_memory(sense, run->id, looked, run)
                                   : sense_fresh(sense, run->id, looked, run);
    if (r < 0)
        run->request_under_way = false;
    return r;
}

static void take_signals(void *userdata, const struct signals_sent *sent)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    run->signals = *sent;
    run->then(run);
}

void run_ask_signals(struct run *run, struct signals_sent sent, bool enough, int64_t since_ms,
                     run_next *next)
{
    run_asks(run, next);
    run->signals_asked_s = clock_boottime_s();
    if (enough)
        take_signals(run, &sent);
    else
        signals_ask(run->act->o.docker, run->id, since_ms, take_signals, run);
}

int run_control(struct run *run, const char *file, struct error *err)
{
    const char *directory = sense_cgroup_path(run->act->o.sense, run->id);
    char path[PATH_MAX];
    if (!directory)
        return error_set(err, FAILURE_JOB, -ENOENT, "where its cgroup lies is unknown");
    snprintf(run->of.control.cgroupfs, sizeof run->of.control.cgroupfs, "%s",
             run_settings(run)->cgroupfs);
    if (!sense_cgroup_writable(run->act->o.sense, run->id))
        return error_set(err, FAILURE_JOB, -EROFS,
                         "its cgroup cannot be written: mount %.100s writable",
                         run->of.control.cgroupfs);
    size_t room = sizeof run->of.control.directory;
    int n = snprintf(run->of.control.directory, room, "%s", directory);
    snprintf(path, sizeof path, "%s/%s", run->of.control.directory, file);
    if (n < 0 || (size_t)n >= room || access(path, W_OK) < 0)
        return error_set(err, FAILURE_JOB, -ENOENT,
                         "this kernel has no %s (memory.reclaim came with 5.19)", file);
    return 0;
}

/* ---- what is known of it */

static const struct settings *settings_of(const struct act *act, const struct container *c)
{
    static struct settings settings; /* the loop's alone */
    if (!c)
        return config_settings(act->o.config);
    policy_for(act->o.config, c, &settings, NULL);
    return &settings;
}

const struct settings *run_settings(const struct run *run)
{
    return settings_of(run->act, run_container(run));
}

const struct container *run_container(const struct run *run)
{
    return sense_container(run->act->o.sense, run->id);
}

const struct container *run_same_life(const struct run *run)
{
    const struct container *c = run_container(run);
    return c && !strcmp(c->started_at, run->intent.started_at) ? c : NULL;
}

fact run_held(const struct run *run)
{
    const struct container *c = run_container(run);
    return c && run->act->world ? container_held(c, &run->act->world->host) : FACT_UNKNOWN;
}

static fact grace_of(const struct act *act, const struct settings *s, const char *id)
{
    static const fact engine_default_s = 10; /* docs.docker.com, `docker stop` */
    const struct docker_details *d = sense_details(act->o.sense, id);
    return s->remedy_stop_grace_s >= 0          ? (fact)ceil(s->remedy_stop_grace_s)
           : d && fact_known(d->stop_timeout_s) ? d->stop_timeout_s
                                                : engine_default_s;
}

fact act_grace_s(const struct act *act, const struct container *c)
{
    return grace_of(act, settings_of(act, c), c->id);
}

fact run_grace_s(const struct run *run)
{
    fact grace_s = grace_of(run->act, run_settings(run), run->id);
    return run->step == &step_stop && grace_s > kill_switch_grace_s ? kill_switch_grace_s : grace_s;
}

double run_intent_began_s(const struct run *run)
{
    double now_s = clock_boottime_s();
    bool this_boot =
        !strcmp(run->act->boot_id, run->intent.boot_id) && run->intent.begun_boottime_s <= now_s;
    return this_boot ? run->intent.begun_boottime_s : now_s;
}

/* ---- the end */

bool run_failed(const struct run *run)
{
    bool for_verdict = run->verdict.kind < VERDICT_KINDS && !run->reason;
    return run->begun && !run->recovering && for_verdict && !run->step->gentle &&
           (run->end.kind == HEAL_NOT_DONE ||
            (run->end.kind == HEAL_PENDING && run->step == &step_unload));
}

static void tell_end(struct run *run)
{
    if (run->work_result < 0)
        text_append(run->end.text, sizeof run->end.text,
                    "; its outcome could not be written: %.150s", run->work_error.message);
    run->act->ended(run->act->userdata, run);
    run_free(run);
}

static void end_job(struct run *run)
{
    if (run->begun || run->recovering)
        run->work_result =
            keep_intent_end(run->act->o.keep, run->intent.id, run->end.state, run->end.after,
                            clock_wall_ms(), run->end.text, &run->work_error);
    struct keep_now now = keep_now_is(run->act->boot_id);
    if (run->begun && !run->recovering && run->verdict.blob[0])
        keep_deeds(run->act->o.keep, run->intent.key, &now, &run->past.deeds, NULL);
    keep_unlock(run->lock); /* whoever is told may begin another at once */
    run->lock = NULL;
}

void run_end(struct run *run, enum intent_state state, enum heal_event_kind kind, fact after,
             const char *format, ...)
{
    if (run->ending)
        return;
    run->ending = true;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run->end.text, sizeof run->end.text, format, arguments);
    va_end(arguments);
    run->end.state = state;
    run->end.kind = kind;
    run->end.after = after;
    run->work_result = 0;
    if (run_failed(run) && !run->end.nothing_left && !run->end.left_stopped)
        run->end.next = kind_next(run->verdict.kind, run->verdict.remedy);
    if (run->end.next != REMEDY_NONE && kind == HEAL_NOT_DONE)
        text_append(run->end.text, sizeof run->end.text, "; next: %s", remedy_name(run->end.next));
    uv_timer_stop(&run->timer);
    run_enter(run, STAGE_END);
    run_work(run, end_job, tell_end);
}

void run_end_short(struct run *run, enum intent_state state, fact after, const char *what)
{
    bool known = fact_known(run->before) && fact_known(after);
    fact back = known && run->before > after ? run->before - after : 0;
    run_end(run, state, HEAL_NOT_DONE, after, "%s%s expected, %s came back", what,
            SHOWN(run->expected), SHOWN(known ? back : FACT_UNKNOWN));
}

void run_shows(struct run *run, bool shown, run_next *check, const char *else_text)
{
    static const uint64_t look_ms = 200;
    if (shown)
        run_done(run, "%s", "");
    else if (clock_boottime_s() < run->deadline_s)
        run_later(run, look_ms, check);
    else
        run_not_done(run, "%s", else_text);
}

void run_leave(struct run *run)
{
    run->end.silent = true;
    run_drop(run, "%s", "");
}
