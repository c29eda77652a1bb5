/* Restarting a container, and comparing what came back. What becomes of the request is life.h's. */
#include "act/life.h"
#include "base/clock.h"
#include "sense/docker_make.h"

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

/* ---- the last looks: committing the intent may have taken long, and a lock keeps only those away
 * who share it. A life that was sent a signal within the stop grace and a margin is being stopped
 * by somebody: inspect shows it running all the while. */

static void on_last_look(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    (void)details;
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (result < 0) {
        run_drop(run, "%s", err ? err->message : "it cannot be inspected");
        return;
    }
    if (strcmp(c->started_at, run->started_at) || c->status != STATUS_RUNNING) {
        run_drop(run, "somebody else restarted or stopped it meanwhile");
        return;
    }
    run->request_under_way = true;
    run->of.life.asked_s = clock_boottime_s();
    docker_restart(run->act->docker, run->id, run->intent.grace_s,
                   (long)run->intent.grace_s * 1000 + life_client_margin_ms, life_answered, run);
}

static void on_signals(void *userdata, const struct signals_sent *sent)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    if (sent->stops) {
        run_drop(run, "somebody else has told it to stop already");
        return;
    }
    if (!sent->known) {
        run_drop(run, "whether somebody has told it to stop already cannot be known yet");
        return;
    }
    run->request_under_way = true;
    docker_inspect(run->act->docker, run->id, on_last_look, run);
}

/* A restart without a verdict is a person's word. */
static void deed(struct run *run)
{
    double window_s = (double)run->intent.grace_s + life_margin_s;
    struct signals_sent sent =
        sense_signals(run->act->sense, run->id, clock_boottime_s() - window_s, true);
    if (run->verdict.kind == VERDICT_KINDS)
        sent = (struct signals_sent){.known = true};
    run->request_under_way = true;
    if (sent.known || sent.stops)
        on_signals(run, &sent);
    else
        signals_ask(run->act->docker, run->id, clock_wall_ms() - (int64_t)(window_s * 1000),
                    on_signals, run);
}

/* ---- the new life is there */

static void on_stopped_again(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    run_end(run, INTENT_DONE, HEAL_NOT_DONE, run_held(run),
            result < 0 ? "restarted; somebody's stop fell into it, and it cannot be stopped: %.250s"
                       : "restarted; somebody's stop fell into it, so it was stopped again%.0s",
            result < 0 && err ? err->message : "");
}

/* The engine's own start has run over a person's stop: that was the last word. */
static bool stop_again(struct run *run)
{
    struct signals_sent sent = sense_signals(run->act->sense, run->id, run->of.life.asked_s, false);
    bool settled = clock_boottime_s() > run->deadline_s - answer_s + settled_s;
    if (run->recovering || !settled || !follow_person_stopped(&sent))
        return false;
    run->request_under_way = true;
    docker_stop(run->act->docker, run->id, run->intent.grace_s,
                (long)run->intent.grace_s * 1000 + life_client_margin_ms, on_stopped_again, run);
    return true;
}

/* Its memory was read: did the bytes come back? */
static void compare(struct run *run)
{
    const struct container *c = run_container(run);
    bool new_life = c && strcmp(c->started_at, run->started_at) && c->status == STATUS_RUNNING;
    fact held = new_life ? run_held(run) : FACT_UNKNOWN;
    bool ready = fact_known(held) && c->ollama.asked && c->ollama.reachable;
    bool settled = clock_boottime_s() > run->deadline_s - answer_s + settled_s;
    if (stop_again(run))
        return;
    if ((!ready || !settled) && clock_boottime_s() < run->deadline_s) {
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
