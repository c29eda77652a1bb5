/* The kill switch (row C10): stops a container, and finds out whether it was stopped
 * (docs/judgement.md, "Pressure"). It is never started again by us. */
#include "act/private.h"
#include "base/clock.h"
#include "sense/docker_make.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As for a restart: what the engine may need beyond the stop grace, and the client's patience. */
static const double margin_s = 10;
static const long client_margin_ms = 60000;
static const uint64_t look_ms = 250;

static void look_for_it(struct run *run);

static enum heal_event_kind kind_of(const struct run *run, enum heal_event_kind kind)
{
    return run->recovering ? HEAL_RECOVERED : kind;
}

static void stopped(struct run *run)
{
    if (run->healer->o.judge)
        judge_tell_stopped(run->healer->o.judge, run->id, run->started_at);
    run_end(run, INTENT_DONE, kind_of(run, HEAL_DONE), 0,
            "%sstopped by the kill switch; nobody starts it again but a person: `docker start "
            "%.120s`",
            run->recovering ? "an earlier supervisor's stop was carried out: " : "", run->name);
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct run *run = userdata;
    if (!strcmp(event->action, "kill") || !strcmp(event->action, "stop"))
        run->started_it = true;
}

/* It still runs although the grace is over: was a signal sent at all? */
static void on_events(void *userdata, int result, const struct error *err)
{
    (void)err;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0) {
        run_later(run, 1000, look_for_it); /* the engine is away: ask again when it is back */
        return;
    }
    if (run->started_it)
        run_end(run, INTENT_FAILED, kind_of(run, HEAL_NOT_DONE), run_held(run),
                "it was told to stop and still runs");
    else
        run_end(run, INTENT_DROPPED, kind_of(run, HEAL_NOT_DONE), run_held(run),
                "the stop was not carried out");
}

static void on_looked(void *userdata, int result, const struct container *c,
                      const struct docker_details *details, const struct error *err)
{
    (void)details;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result == -ENOENT && err && err->failure != FAILURE_UNREACHABLE) {
        run_end(run, INTENT_FAILED, kind_of(run, HEAL_DROPPED), FACT_UNKNOWN, "it is gone");
        return;
    }
    if (result < 0) { /* the engine is away: nothing can be known */
        run_later(run, 1000, look_for_it);
        return;
    }
    bool running = c->status != STATUS_EXITED && c->status != STATUS_DEAD;
    if (strcmp(c->started_at, run->started_at)) {
        run_end(run, INTENT_DONE, kind_of(run, HEAL_DROPPED), run_held(run),
                "it was started again meanwhile");
    } else if (!running) {
        stopped(run);
    } else if (clock_boottime_s() < run->deadline_s) {
        run_later(run, look_ms, look_for_it);
    } else {
        run->request_under_way = true;
        docker_events_between(run_docker(run), run->id, run->intent.begun_wall_ms - 1000,
                              clock_wall_ms(), on_event, on_events, run);
    }
}

static void look_for_it(struct run *run)
{
    run->request_under_way = true;
    docker_inspect(run_docker(run), run->id, on_looked, run);
}

static void on_stopped(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (err && err->failure == FAILURE_UNREACHABLE &&
        (result == -ECONNREFUSED || result == -ENOENT || result == -EACCES)) {
        run_end(run, INTENT_DROPPED, HEAL_NOT_DONE, FACT_UNKNOWN, "%s",
                err->message); /* certainly not sent */
        return;
    }
    /* Carried out, refused or the answer lost: look, whatever it said. */
    run->deadline_s =
        clock_boottime_s() + (result == 0 ? margin_s : (double)run->intent.grace_s + margin_s);
    look_for_it(run);
}

/* Inspect was asked in this very look: what it forbids is not done. */
static int prepare(struct run *run, char *why, size_t size)
{
    const struct container *c = run_container(run);
    if (c->auto_remove == 0 && c->swarm_task == 0)
        return 0;
    snprintf(why, size, "its stop might delete it (--rm), or it is a Swarm task");
    return -EPERM;
}

static void deed(struct run *run)
{
    run->request_under_way = true;
    docker_stop(run_docker(run), run->id, run->intent.grace_s,
                (long)run->intent.grace_s * 1000 + client_margin_ms, on_stopped, run);
}

/* The engine carries it out whoever asked: its end is waited for, it is not asked again. */
static void recover(struct run *run)
{
    run->deadline_s = run_intent_began_s(run) +
                      (fact_known(run->intent.grace_s) ? (double)run->intent.grace_s : 10) +
                      margin_s;
    look_for_it(run);
}

const struct step step_stop = {
    .name = "stop", .prepare = prepare, .deed = deed, .recover = recover, .last_resort = true};
