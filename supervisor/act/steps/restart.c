/* Restarting a container, and comparing what came back. What becomes of the request is life.h's. */
#include "act/life.h"
#include "base/clock.h"

#include <string.h>

static const uint64_t look_ms = 250;
/* After the start: how long Ollama may take to answer before its memory is compared all the same;
 * and how long the engine's last word on the restart may take to come. */
static const double answer_s = 20, settled_s = 1;

static int prepare(struct run *run, struct error *err)
{
    (void)err;
    double serve = verdict_evidence(&run->verdict, "serve"),
           baseline = verdict_evidence(&run->verdict, "baseline"),
           runner = verdict_evidence(&run->verdict, "runner");
    bool leak = serve >= 0 && baseline >= 0 && serve > baseline;
    run->expected = leak ? (fact)(serve - baseline) : runner >= 0 ? (fact)runner : FACT_UNKNOWN;
    return 0;
}

/* ---- a life that was sent a signal within the stop grace and a margin is being stopped by
 * somebody: inspect shows it running all the while */

/* Once more, as the last look took its time, and shows a life that is being stopped as running. */
static void ask(struct run *run)
{
    if (run->verdict.kind != VERDICT_KINDS && life_told_to_stop(run)) {
        run_drop(run, "somebody else has told it to stop already");
        return;
    }
    run->of.life.asked_s = clock_boottime_s();
    docker_restart(run->act->o.docker, run->id, run->intent.grace_s, life_timeout_ms(run),
                   run_asks(run, life_answered), run);
}

static void signals_known(struct run *run)
{
    if (run->signals.stops)
        run_drop(run, "somebody else has told it to stop already");
    else if (!run->signals.known)
        run_drop(run, "whether somebody has told it to stop already cannot be known yet");
    else
        run_look_last(run, ask);
}

/* A restart without a verdict is a person's word. Up to where it was allowed nobody had told it to
 * stop, as the ring said then: on a busy engine that may not reach back that far any more. */
static void deed(struct run *run)
{
    double window_s = (double)run->intent.grace_s + life_margin_s;
    double since_s = clock_boottime_s() - window_s;
    if (run->signals.known && !run->signals.stops && run->signals_asked_s > since_s)
        since_s = run->signals_asked_s;
    struct signals_sent sent = sense_signals(run->act->o.sense, run->id, since_s, true);
    if (run->verdict.kind == VERDICT_KINDS)
        sent = (struct signals_sent){.known = true};
    run_ask_signals(run, sent, sent.known || sent.stops,
                    clock_wall_ms() - (int64_t)(window_s * 1000), signals_known);
}

/* ---- the new life is there */

static void stopped_again(struct run *run)
{
    run_end(run, INTENT_DONE, HEAL_NOT_DONE, run_held(run),
            "restarted; somebody's stop fell into it, %s%.250s",
            run->work_result < 0 ? "and it cannot be stopped: " : "so it was stopped again",
            run->work_error.message);
}

/* The engine's own start has run over a person's stop: that was the last word. */
static bool stop_again(struct run *run)
{
    struct signals_sent sent =
        sense_signals(run->act->o.sense, run->id, run->of.life.asked_s, false);
    bool settled = clock_boottime_s() > run->deadline_s - answer_s + settled_s;
    if (run->recovering || !settled || !follow_person_stopped(&sent))
        return false;
    life_stop(run, stopped_again);
    return true;
}

/* Its memory was read: did the bytes come back? */
static void compare(struct run *run)
{
    const struct container *c = run_container(run);
    bool new_life =
        c && strcmp(c->started_at, run->intent.started_at) && c->status == STATUS_RUNNING;
    fact held = new_life ? run_held(run) : FACT_UNKNOWN;
    bool ready = fact_known(held) && c->ollama.asked && c->ollama.reachable;
    bool settled = clock_boottime_s() > run->deadline_s - answer_s + settled_s;
    bool for_memory =
        run->verdict.kind != VERDICT_UNREACHABLE && run->verdict.kind != VERDICT_KINDS;
    if (!c) {
        run_end(run, INTENT_DONE, run->recovering ? HEAL_RECOVERED : HEAL_NOT_DONE, FACT_UNKNOWN,
                "restarted, and it was removed meanwhile");
        return;
    }
    if (stop_again(run))
        return;
    if ((!ready || !settled) && clock_boottime_s() < run->deadline_s)
        run_later(run, look_ms, compare);
    else if (run->recovering)
        run_end(run, INTENT_DONE, HEAL_RECOVERED, held,
                "an earlier supervisor's restart was carried out");
    else if (!fact_known(held))
        run_end(run, INTENT_DONE, HEAL_NOT_DONE, held, "restarted, but its memory cannot be read");
    else if (!for_memory)
        run_end(run, INTENT_DONE, ready ? HEAL_DONE : HEAL_NOT_DONE, held, "%s",
                ready ? "it answers again" : "restarted, but Ollama still does not answer");
    else if (fact_known(run->before) && fact_known(run->expected) &&
             run->before - held < run->expected / 2)
        run_end_short(run, INTENT_DONE, held, "it is restarted: ");
    else
        run_end(run, INTENT_DONE, HEAL_DONE, held, "%s", ready ? "" : "Ollama does not answer yet");
}

static void arrived(struct run *run)
{
    run->deadline_s = clock_boottime_s() + answer_s;
    compare(run);
}

const struct step step_restart = {.name = "restart",
                                  .prepare = prepare,
                                  .deed = deed,
                                  .check = life_follow,
                                  .recover = life_recover,
                                  .arrived = arrived};
