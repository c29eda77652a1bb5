#include "act/life.h"
#include "base/clock.h"
#include "sense/docker_make.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint64_t look_ms = 250, away_ms = 1000;
/* A clock that was set since the intent makes the ring's times mean something else. */
static const double clock_slack_s = 2;

static bool is_stop(const struct run *run)
{
    return run->step == &step_stop;
}

static enum heal_event_kind kind_of(const struct run *run, enum heal_event_kind kind)
{
    return run->recovering ? HEAL_RECOVERED : kind;
}

static double grace_of(const struct run *run)
{
    return fact_known(run->intent.grace_s) ? (double)run->intent.grace_s : 10;
}

/* ---- signals: from the stream where it was followed, else from the ring, once */

static void signals_known(struct run *run)
{
    run->of.life.asked_signals = true;
    life_follow(run);
}

static bool clock_was_set(const struct run *run)
{
    double wall_s = (double)(clock_wall_ms() - run->intent.begun_wall_ms) / 1000;
    double boot_s = clock_boottime_s() - run->intent.begun_boottime_s;
    bool same_boot = !strcmp(run->act->boot_id, run->intent.boot_id);
    return same_boot && (wall_s - boot_s > clock_slack_s || boot_s - wall_s > clock_slack_s);
}

static void ask_signals(struct run *run)
{
    struct signals_sent sent =
        sense_signals(run->act->o.sense, run->id, run_intent_began_s(run) - 1, true);
    run_ask_signals(run, sent, sent.known || clock_was_set(run), run->intent.begun_wall_ms - 1000,
                    signals_known);
}

/* The engine's own sentence, without who said it and to what. */
static void keep_words(struct run *run, const struct error *err)
{
    const char *words = err->message, *status = strstr(words, " with HTTP "),
               *own = status ? strstr(status, ": ") : NULL;
    snprintf(run->of.life.words, sizeof run->of.life.words, "%.255s", own ? own + 2 : words);
}

/* ---- a start: a deed of its own, written down before it is tried, and counted like a restart */

static void start_begin_job(struct run *run)
{
    struct intent try = run->intent;
    snprintf(try.verdict, sizeof try.verdict, "%s", KEEP_START);
    try.attempt = run->intent.attempt + (fact)run->of.life.tries + 1;
    try.begun_wall_ms = clock_wall_ms();
    try.begun_boottime_s = clock_boottime_s();
    memcpy(try.boot_id, run->act->boot_id, sizeof try.boot_id);
    run->work_result = keep_intent_begin(run->act->o.keep, &try, &run->work_error);
    run->of.life.start_row = try.id;
}

static void start_end_job(struct run *run)
{
    struct life *life = &run->of.life;
    bool failed = life->words[0] != '\0', lost = life->not_sent;
    keep_intent_end(run->act->o.keep, life->start_row,
                    lost     ? INTENT_DROPPED
                    : failed ? INTENT_FAILED
                             : INTENT_DONE,
                    FACT_UNKNOWN, clock_wall_ms(), life->words, &run->work_error);
}

static void started(struct run *run)
{
    struct life *life = &run->of.life;
    const struct settings *s = run_settings(run);
    bool away = run->work_error.failure == FAILURE_UNREACHABLE;
    bool refused = run->work_result < 0 && !away;
    life->words[0] = '\0';
    life->not_sent = away;
    if (run->work_result < 0)
        keep_words(run, &run->work_error);
    if (refused) {
        double delay_s = s->remedy_backoff_s;
        for (size_t i = 0; i < life->tries && delay_s < s->remedy_backoff_cap_s; i++)
            delay_s *= 2;
        life->tries++;
        life->start_due_s = clock_boottime_s() + delay_s;
    }
    if (refused && life->tries < FOLLOW_STARTS_MAX)
        run->act->told(run->act->userdata, run, HEAL_START_FAILED, life->words);
    run_work(run, start_end_job, life_follow);
}

static void start_written(struct run *run)
{
    struct life *life = &run->of.life;
    if (run->work_result < 0) { /* what cannot be committed is not done; it is tried again */
        snprintf(life->words, sizeof life->words, "%.250s", run->work_error.message);
        if (!life->words_told)
            run->act->told(run->act->userdata, run, HEAL_NO_MEMORY_OF_IT, life->words);
        life->words_told = true;
        run_later(run, away_ms, life_follow);
        return;
    }
    docker_start(run->act->o.docker, run->id, run_asks(run, started), run);
}

/* ---- what is left stopped, because it is only observed: written down as a start that was not
 * made, so that the verdict stands for the next supervisor too */

static void left_job(struct run *run)
{
    start_begin_job(run);
    if (run->work_result < 0)
        return;
    run->of.life.not_sent = true;
    start_end_job(run);
}

static void left(struct run *run)
{
    run->end.left_stopped = true;
    run_end(run, INTENT_FAILED, HEAL_NOT_DONE, 0,
            "stopped by %s restart and not started again, for %s; to start it: `docker start "
            "%.100s`",
            run->recovering ? "an earlier supervisor's" : "the", run->of.life.words, run->name);
}

/* ---- a stop that ended a life which had begun since: that is the one that it is about */

static void moved_job(struct run *run)
{
    run->work_result = keep_intent_move(run->act->o.keep, run->intent.id, run->intent.started_at,
                                        &run->work_error);
}

static void stopped(struct run *run)
{
    run->end.carried_out = true;
    run_end(run, INTENT_DONE, kind_of(run, HEAL_DONE), 0,
            "%sstopped by the kill switch; nobody starts it again but a person: `docker start "
            "%.120s`",
            run->recovering ? "an earlier supervisor's stop was carried out: " : "", run->name);
}

/* ---- the ends */

/* wait_ms: until the next look, where there is nothing else to be done. */
static void go_on(struct run *run, enum follow_next next, uint64_t wait_ms)
{
    bool stop = is_stop(run);
    const char *was = run->recovering ? "an earlier supervisor's " : "the ";
    switch (next) {
    case FOLLOW_WAIT:
        run_later(run, wait_ms, life_follow);
        break;
    case FOLLOW_ASK_SIGNALS:
        ask_signals(run);
        break;
    case FOLLOW_START:
        run_work(run, start_begin_job, start_written);
        break;
    case FOLLOW_RESTARTED:
        run->end.carried_out = true;
        run->step->arrived(run);
        break;
    case FOLLOW_STOPPED:
        if (run->of.life.moved)
            run_work(run, moved_job, stopped);
        else
            stopped(run);
        break;
    case FOLLOW_STARTED_SINCE:
        run->end.carried_out = !stop;
        run_end(run, INTENT_DONE, kind_of(run, HEAL_DROPPED), run_held(run), "%s",
                stop ? "it was started again meanwhile"
                     : "it was started since, and has ended or was stopped: it is left so");
        break;
    case FOLLOW_GONE:
        run_end(run, INTENT_FAILED, kind_of(run, HEAL_DROPPED), FACT_UNKNOWN, "it is gone");
        break;
    case FOLLOW_PERSON_STOPPED:
        run_end(run, INTENT_DONE, kind_of(run, HEAL_DROPPED), 0,
                "somebody else has stopped it since: it is left stopped; to start it: `docker "
                "start %.120s`",
                run->name);
        break;
    case FOLLOW_KILL_SWITCH:
        run_end(run, INTENT_FAILED, HEAL_RECOVERED, run_held(run),
                "the kill switch has stopped it since: it is left stopped");
        break;
    case FOLLOW_NOT_SENT:
        run_end(run, INTENT_DROPPED, kind_of(run, stop ? HEAL_NOT_DONE : HEAL_DROPPED),
                run_held(run), "%s%s was not carried out", was, stop ? "stop" : "restart");
        break;
    case FOLLOW_IGNORED:
        run_end(run, INTENT_FAILED, kind_of(run, HEAL_NOT_DONE), run_held(run),
                stop ? "it was told to stop and still runs"
                     : "it was told to stop and did not restart; it is left to a person");
        break;
    case FOLLOW_CANNOT_START:
        run->end.left_stopped = true;
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, 0,
                "stopped, and the engine does not start it again (%zu tries): %.300s; once that is "
                "mended: `docker start %.100s`",
                run->of.life.tries, run->of.life.words, run->name);
        break;
    case FOLLOW_MAY_NOT_START:
        snprintf(run->of.life.words, sizeof run->of.life.words,
                 "it is only observed, and so nothing starts it");
        run_work(run, left_job, left);
        break;
    case FOLLOW_CANNOT_TELL:
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, FACT_UNKNOWN,
                "what became of %s%s cannot be found out: %.250s", was, stop ? "stop" : "restart",
                run->of.life.words);
        break;
    }
}

/* ---- one look */

static bool within(int64_t ms, double most_s)
{
    return ms >= 0 && (double)ms <= most_s * 1000;
}

/* By the wall clock as it was then, or, where it was set since, by what it says now. */
static bool ended_then(const struct run *run, fact finished_ms)
{
    const struct intent *intent = &run->intent;
    double most_s = grace_of(run) + life_margin_s,
           age_s = clock_boottime_s() - intent->begun_boottime_s;
    int64_t begun_ms = clock_wall_ms() - (int64_t)(age_s * 1000);
    bool same_boot = !strcmp(run->act->boot_id, intent->boot_id);
    return fact_known(finished_ms) &&
           (within(finished_ms - intent->begun_wall_ms, most_s) ||
            (same_boot && clock_was_set(run) && within(finished_ms - begun_ms, most_s)));
}

/* A person's word, or the container is one that we act on. */
static bool may_start(const struct run *run)
{
    const struct container *c = run_container(run);
    return run->asked || (c && c->mode == MODE_ENFORCE);
}

static void on_looked(void *userdata, int result, const struct container *c,
                      const struct docker_details *details, const struct error *err)
{
    struct run *run = userdata;
    struct life *life = &run->of.life;
    if (run_closed(run))
        return;
    double now_s = clock_boottime_s();
    struct follow f = {.stop = is_stop(run),
                       .recovering = run->recovering,
                       .over = now_s >= run->deadline_s,
                       .answered_no = life->answered_no,
                       .kill_switch = run->past.last.stop && run->past.last.id > run->intent.id &&
                                      run->past.last.state != INTENT_DROPPED,
                       .signals_asked = life->asked_signals,
                       .signals = run->signals,
                       .may_start = may_start(run),
                       .tries = life->tries,
                       .start_due = now_s >= life->start_due_s};
    if (result == 0) {
        f.saw = FOLLOW_SAW_LIFE;
        f.same_life = !strcmp(c->started_at, run->intent.started_at);
        f.status = c->status;
        f.start_failed = details->start_failed;
        f.ended_then = ended_then(run, details->finished_ms);
    } else {
        f.saw = err->failure == FAILURE_UNREACHABLE ? FOLLOW_SAW_NOTHING
                : result == -ENOENT                 ? FOLLOW_SAW_GONE
                                                    : FOLLOW_SAW_REFUSAL;
    }
    if (f.saw != FOLLOW_SAW_REFUSAL)
        life->refused_since_s = 0;
    else if (life->refused_since_s <= 0)
        life->refused_since_s = now_s;
    if (f.saw == FOLLOW_SAW_REFUSAL) {
        f.refused_s = now_s - life->refused_since_s;
        keep_words(run, err);
    }
    enum follow_next next = follow_next(&f);
    life->moved = next == FOLLOW_STOPPED && !f.same_life;
    if (life->moved)
        snprintf(run->intent.started_at, sizeof run->intent.started_at, "%s", c->started_at);
    go_on(run, next, f.saw == FOLLOW_SAW_LIFE ? look_ms : away_ms);
}

void life_follow(struct run *run)
{
    run->request_under_way = true;
    docker_inspect(run->act->o.docker, run->id, on_looked, run);
}

bool life_told_to_stop(const struct run *run)
{
    double since_s = clock_boottime_s() - (double)run->intent.grace_s - life_margin_s;
    return sense_signals(run->act->o.sense, run->id, since_s, true).stops;
}

long life_timeout_ms(const struct run *run)
{
    /* An engine under load takes its time, and an answer that is not awaited is a lost one. */
    static const long margin_ms = 60000;
    return (long)run->intent.grace_s * 1000 + margin_ms;
}

void life_stop(struct run *run, run_next *next)
{
    docker_stop(run->act->o.docker, run->id, run->intent.grace_s, life_timeout_ms(run),
                run_asks(run, next), run);
}

void life_answered(struct run *run)
{
    int result = run->work_result;
    const struct error *err = &run->work_error;
    bool unreachable = err->failure == FAILURE_UNREACHABLE;
    run->of.life.answered_no = result < 0 && !unreachable;
    if (result < 0)
        keep_words(run, err);
    run->deadline_s = clock_boottime_s() +
                      (result == 0 ? life_margin_s : (double)run->intent.grace_s + life_margin_s);
    if (result == -ENOENT && !unreachable)
        run_drop(run, "it is gone");
    else if (unreachable && (result == -ECONNREFUSED || result == -ENOENT || result == -EACCES))
        run_end(run, INTENT_DROPPED, is_stop(run) ? HEAL_NOT_DONE : HEAL_DROPPED, FACT_UNKNOWN,
                "%s", err->message); /* certainly not sent */
    else
        run_enter(run, STAGE_CHECK);
}

void life_recover(struct run *run)
{
    struct life *life = &run->of.life;
    run->deadline_s = run_intent_began_s(run) + grace_of(run) + life_margin_s;
    life->tries = run->past.starts;
    snprintf(life->words, sizeof life->words, "%.255s", run->past.last.outcome);
    life_follow(run);
}
