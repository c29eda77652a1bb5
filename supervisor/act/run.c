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
    memcpy(run->name, c->name, sizeof run->name);
    memcpy(run->started_at, c->started_at, sizeof run->started_at);
    healer_key_of(act->config, c, run->key);
    if (verdict)
        run->verdict = *verdict;
    else
        run->verdict.kind = VERDICT_KINDS,
        run->verdict.pid = run->verdict.started_us = FACT_UNKNOWN;
    memcpy(run->model, run->verdict.model, sizeof run->model);
    uv_timer_init(act->loop, &run->timer);
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
    if (run->step->give_back && !run->recovering)
        run->step->give_back(run);
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
        run->after_work(run);
}

void run_work(struct run *run, uv_work_cb job, run_next *next)
{
    run->after_work = next;
    run->working = true;
    run->work.data = run;
    run->work_result = 0;
    if (uv_queue_work(run->act->loop, &run->work, job, after_work) < 0) {
        run->working = false;
        run->work_result = error_set(&run->work_error, FAILURE_JOB, -ENOMEM, "not enough memory");
        run_later(run, 0, next);
    }
}

int run_control(struct run *run, const char *file, struct error *err)
{
    const char *directory = sense_cgroup_path(run->act->sense, run->id);
    char path[PATH_MAX];
    if (!directory)
        return error_set(err, FAILURE_JOB, -ENOENT, "where its cgroup lies is unknown");
    run->of.control.directory = strdup(directory);
    run->of.control.cgroupfs = strdup(run_settings(run)->cgroupfs);
    if (!run->of.control.directory || !run->of.control.cgroupfs)
        return error_set(err, FAILURE_JOB, -ENOMEM, "not enough memory");
    if (!sense_cgroup_writable(run->act->sense, run->id))
        return error_set(err, FAILURE_JOB, -EROFS,
                         "its cgroup cannot be written: mount %.100s writable",
                         run->of.control.cgroupfs);
    int n = snprintf(path, sizeof path, "%s/%s", directory, file);
    if (n < 0 || (size_t)n >= sizeof path || access(path, W_OK) < 0)
        return error_set(err, FAILURE_JOB, -ENOENT,
                         "this kernel has no %s (memory.reclaim came with 5.19)", file);
    return 0;
}

void run_control_free(struct run *run)
{
    free(run->of.control.directory);
    free(run->of.control.cgroupfs);
}

/* ---- what is known of it */

const struct settings *run_settings(const struct run *run)
{
    static struct settings settings; /* the loop's alone */
    const struct container *c = run_container(run);
    if (!c)
        return config_settings(run->act->config);
    policy_for(run->act->config, c, &settings, NULL);
    return &settings;
}

const struct container *run_container(const struct run *run)
{
    return sense_container(run->act->sense, run->id);
}

const struct container *run_same_life(const struct run *run)
{
    const struct container *c = run_container(run);
    return c && !strcmp(c->started_at, run->started_at) ? c : NULL;
}

fact run_held(const struct run *run)
{
    const struct container *c = run_container(run);
    return c && run->act->world ? container_held(c, &run->act->world->host) : FACT_UNKNOWN;
}

fact run_grace_s(const struct run *run)
{
    static const fact engine_default_s = 10; /* docs.docker.com, `docker stop` */
    const struct settings *s = run_settings(run);
    const struct docker_details *d = sense_details(run->act->sense, run->id);
    fact grace_s = s->remedy_stop_grace_s >= 0          ? (fact)ceil(s->remedy_stop_grace_s)
                   : d && fact_known(d->stop_timeout_s) ? d->stop_timeout_s
                                                        : engine_default_s;
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

static void end_job(uv_work_t *work)
{
    struct run *run = work->data;
    if (run->begun || run->recovering)
        run->work_result =
            keep_intent_end(run->act->keep, run->intent.id, run->end.state, run->end.after,
                            clock_wall_ms(), run->end.text, &run->work_error);
    keep_unlock(run->lock); /* whoever is told may begin another at once */
    run->lock = NULL;
}

static void end(struct run *run)
{
    uv_timer_stop(&run->timer);
    run_enter(run, STAGE_END);
    run_work(run, end_job, tell_end);
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
    end(run);
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
