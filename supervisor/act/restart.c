/* Restarting a container, and finding out whether it was restarted (docs/judgement.md, "Acting" 3).
 */
#include "act/run.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the engine may need beyond the stop grace: JUDGEMENT, acting 3. */
static const double margin_s = 10;
static const long client_margin_ms = 60000; /* the client waits longer than the engine may take */
static const uint64_t look_ms = 250;
/* After the start: how long Ollama may take to answer before its memory is compared all the same.
 */
static const double answer_s = 20;

static void look_for_it(struct run *run);

/* The new life is there and its memory was read: did the bytes come back? */
static void compare(struct run *run)
{
    const struct container *c = run_container(run);
    bool new_life = c && strcmp(c->started_at, run->started_at) && c->status == STATUS_RUNNING;
    fact held = new_life ? run_held(run) : FACT_UNKNOWN;
    bool ready = fact_known(held) && c->ollama.asked && c->ollama.reachable;
    if (!ready && clock_boottime_s() < run->deadline_s) {
        run_later(run, look_ms, compare);
        return;
    }
    if (run->recovering) {
        run_end(run, INTENT_DONE, HEAL_RECOVERED, held,
                "an earlier supervisor's restart was carried out");
        return;
    }
    if (!fact_known(held)) {
        run_end(run, INTENT_DONE, HEAL_NOT_DONE, held, "restarted, but its memory cannot be read");
        return;
    }
    fact back = run->before - held;
    if (run->verdict.kind == VERDICT_UNREACHABLE ||
        run->verdict.kind == VERDICT_KINDS) /* it was not for its memory */
        run_end(run, INTENT_DONE, ready ? HEAL_DONE : HEAL_NOT_DONE, held, "%s",
                ready ? "it answers again" : "restarted, but Ollama still does not answer");
    else if (fact_known(run->before) && fact_known(run->expected) && back < run->expected / 2)
        run_end_short(run, INTENT_DONE, held, "it is restarted: ");
    else
        run_end(run, INTENT_DONE, HEAL_DONE, held, "%s", ready ? "" : "Ollama does not answer yet");
}

static void seen_restarted(struct run *run)
{
    run->deadline_s = clock_boottime_s() + answer_s;
    compare(run);
}

static void on_event(void *userdata, const struct docker_event *event)
{
    struct run *run = userdata;
    if (!strcmp(event->action, "kill") || !strcmp(event->action, "die") ||
        !strcmp(event->action, "stop") || !strcmp(event->action, "restart"))
        run->started_it = true;
}

/* Nothing changed within grace + 10 s: was a signal sent at all? */
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
        run_end(run, INTENT_FAILED, run->recovering ? HEAL_RECOVERED : HEAL_NOT_DONE, run_held(run),
                "it was told to stop and did not restart; it is left to a person");
    else
        run_end(run, INTENT_DROPPED, run->recovering ? HEAL_RECOVERED : HEAL_DROPPED, run_held(run),
                "the restart was not carried out");
}

static void on_started(void *userdata, int result, const struct error *err)
{
    (void)result, (void)err;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    run_later(run, look_ms, look_for_it);
}

static void on_looked(void *userdata, int result, const struct container *c,
                      const struct docker_details *details, const struct error *err)
{
    (void)details;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    double now_s = clock_boottime_s();
    if (result == -ENOENT && err && err->failure != FAILURE_UNREACHABLE) {
        run_end(run, INTENT_FAILED, run->recovering ? HEAL_RECOVERED : HEAL_DROPPED, FACT_UNKNOWN,
                "it is gone");
        return;
    }
    if (result < 0) { /* the engine is away: nothing can be known, and the deadline is not over for
                         anybody */
        run_later(run, 1000, look_for_it);
        return;
    }
    bool running = c->status == STATUS_RUNNING && fact_known(c->pid);
    if (strcmp(c->started_at, run->started_at) && running) {
        seen_restarted(run);
        return;
    }
    if (now_s < run->deadline_s) {
        run_later(run, look_ms, look_for_it);
        return;
    }
    if (!running && run->stopped_since) {
        run_end(run, INTENT_FAILED, HEAL_RECOVERED, run_held(run),
                "the kill switch has stopped it since: it is left stopped");
        return;
    }
    run->request_under_way = true;
    if (!running && c->status != STATUS_PAUSED) { /* stopped half-way: start it */
        run->deadline_s = now_s + margin_s;
        docker_start(run_docker(run), run->id, on_started, run);
        return;
    }
    docker_events_between(run_docker(run), run->id, run->intent.begun_wall_ms - 1000,
                          clock_wall_ms(), on_event, on_events, run);
}

static void look_for_it(struct run *run)
{
    run->request_under_way = true;
    docker_inspect(run_docker(run), run->id, on_looked, run);
}

static void on_restarted(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result == -ENOENT && err && err->failure != FAILURE_UNREACHABLE) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "it is gone");
        return;
    }
    if ((result == -ECONNREFUSED || result == -ENOENT || result == -EACCES) && err &&
        err->failure == FAILURE_UNREACHABLE) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s",
                err->message); /* certainly not sent */
        return;
    }
    /* Carried out, refused half-way or the answer lost: look, whatever it said. */
    run->deadline_s =
        clock_boottime_s() + (result == 0 ? margin_s : (double)run->intent.grace_s + margin_s);
    look_for_it(run);
}

static int prepare(struct run *run, char *why, size_t size)
{
    (void)why, (void)size;
    double serve = verdict_evidence(&run->verdict, "serve"),
           baseline = verdict_evidence(&run->verdict, "baseline"),
           runner = verdict_evidence(&run->verdict, "runner");
    bool leak = serve >= 0 && baseline >= 0 && serve > baseline;
    run->expected = leak ? (fact)(serve - baseline) : runner >= 0 ? (fact)runner : FACT_UNKNOWN;
    return 0;
}

/* ---- the last look: committing the intent may have taken long, and a lock keeps only those away
 * who share our state directory */

static void on_last_look(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    (void)details;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s",
                err ? err->message : "it cannot be inspected");
        return;
    }
    if (strcmp(c->started_at, run->started_at) || c->status != STATUS_RUNNING) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN,
                "somebody else restarted or stopped it meanwhile");
        return;
    }
    run->request_under_way = true;
    docker_restart(run_docker(run), run->id, run->intent.grace_s,
                   (long)run->intent.grace_s * 1000 + client_margin_ms, on_restarted, run);
}

static void on_signal_sent(void *userdata, const struct docker_event *event)
{
    struct run *run = userdata;
    run->others_signal |= !strcmp(event->action, "kill");
}

static void on_signals_known(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0 || run->others_signal) {
        run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, "%s",
                result < 0 && err ? err->message : "somebody else has told it to stop already");
        return;
    }
    run->request_under_way = true;
    docker_inspect(run_docker(run), run->id, on_last_look, run);
}

/* A life that was sent a signal within the stop grace and a margin is being stopped by somebody:
 * inspect shows it running all the while. A restart without a verdict is a person's word. */
static void deed(struct run *run)
{
    int64_t now_ms = clock_wall_ms(), started_ms = 0,
            since_ms = now_ms - (int64_t)(((double)run->intent.grace_s + margin_s) * 1000);
    if (clock_parse(run->started_at, &started_ms) == 0 && started_ms > since_ms)
        since_ms = started_ms;
    run->request_under_way = true;
    if (run->verdict.kind == VERDICT_KINDS)
        docker_inspect(run_docker(run), run->id, on_last_look, run);
    else
        docker_events_between(run_docker(run), run->id, since_ms, now_ms, on_signal_sent,
                              on_signals_known, run);
}

/* For the whole grace inspect shows the old life, and a second POST would send a second signal:
 * wait until it changed or grace + 10 s are over since the intent (of another boot: from now). */
static void recover(struct run *run)
{
    double grace_s = fact_known(run->intent.grace_s) ? (double)run->intent.grace_s : 10;
    run->deadline_s = run_intent_began_s(run) + grace_s + margin_s;
    look_for_it(run);
}

const struct step step_restart = {
    .name = "restart", .prepare = prepare, .deed = deed, .recover = recover};
