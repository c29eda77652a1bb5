#include "act/life.h"
#include "base/clock.h"

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

/* ---- signals: from the stream where it was followed, else from the ring, once */

static void on_signals(void *userdata, const struct signals_sent *sent)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    run->of.life.asked_signals = true;
    run->of.life.signals = *sent;
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
        sense_signals(run->act->sense, run->id, run_intent_began_s(run) - 1, true);
    run->request_under_way = true;
    if (sent.known || clock_was_set(run))
        on_signals(run, &sent);
    else
        signals_ask(run->act->docker, run->id, run->intent.begun_wall_ms - 1000, on_signals, run);
}

/* The engine's own sentence, without who said it and to what. */
static void keep_words(struct run *run, const struct error *err)
{
    const char *words = err ? err->message : "the engine gave no answer",
               *status = strstr(words, " with HTTP "), *own = status ? strstr(status, ": ") : NULL;
    snprintf(run->of.life.words, sizeof run->of.life.words, "%.255s", own ? own + 2 : words);
}

/* ---- a start: a deed of its own, written down before it is tried, and counted like a restart */

static void start_begin_job(uv_work_t *work)
{
    struct run *run = work->data;
    struct intent try = run->intent;
    snprintf(try.verdict, sizeof try.verdict, "%s", KEEP_START);
    try.attempt = run->intent.attempt + (fact)run->of.life.tries + 1;
    try.begun_wall_ms = clock_wall_ms();
    try.begun_boottime_s = clock_boottime_s();
    memcpy(try.boot_id, run->act->boot_id, sizeof try.boot_id);
    run->work_result = keep_intent_begin(run->act->keep, &try, &run->work_error);
    run->of.life.start_row = try.id;
}

static void start_end_job(uv_work_t *work)
{
    struct run *run = work->data;
    struct life *life = &run->of.life;
    bool failed = life->words[0] != '\0', lost = life->not_sent;
    keep_intent_end(run->act->keep, life->start_row,
                    lost     ? INTENT_DROPPED
                    : failed ? INTENT_FAILED
                             : INTENT_DONE,
                    FACT_UNKNOWN, clock_wall_ms(), life->words, &run->work_error);
}

static void on_started(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    struct life *life = &run->of.life;
    if (run_closed(run))
        return;
    const struct settings *s = run_settings(run);
    bool away = result < 0 && err && err->failure == FAILURE_UNREACHABLE;
    life->words[0] = '\0';
    life->not_sent = away;
    if (result < 0)
        keep_words(run, err);
    if (result < 0 && !away) {
        double delay_s = s->remedy_backoff_s;
        for (size_t i = 0; i < life->tries && delay_s < s->remedy_backoff_cap_s; i++)
            delay_s *= 2;
        life->tries++;
        life->start_due_s = clock_boottime_s() + delay_s;
    }
    if (result < 0 && !away && life->tries < FOLLOW_STARTS_MAX)
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
    run->request_under_way = true;
    docker_start(run->act->docker, run->id, on_started, run);
}

/* ---- the ends */

static void cannot_start(struct run *run)
{
    run->end.left_stopped = true;
    run_end(run, INTENT_FAILED, HEAL_NOT_DONE, 0,
            "stopped, and the engine does not start it again (%zu tries): %.300s; once that is "
            "mended: `docker start %.100s`",
            run->of.life.tries, run->of.life.words, run->name);
}

static void end_by(struct run *run, enum follow_next next)
{
    bool stop = is_stop(run);
    const char *was = run->recovering ? "an earlier supervisor's " : "the ";
    switch (next) {
    case FOLLOW_RESTARTED:
        run->end.carried_out = true;
        run->step->arrived(run);
        break;
    case FOLLOW_STOPPED:
        run->end.carried_out = true;
        run_end(run, INTENT_DONE, kind_of(run, HEAL_DONE), 0,
                "%sstopped by the kill switch; nobody starts it again but a person: `docker start "
                "%.120s`",
                run->recovering ? "an earlier supervisor's stop was carried out: " : "", run->name);
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
                "somebody else has stopped it since: it is left stopped");
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
        cannot_start(run);
        break;
    case FOLLOW_CANNOT_TELL:
        run_end(run, INTENT_FAILED, HEAL_NOT_DONE, FACT_UNKNOWN,
                "what became of %s%s cannot be found out: %.250s", was, stop ? "stop" : "restart",
                run->of.life.words);
        break;
    case FOLLOW_WAIT:
    case FOLLOW_ASK_SIGNALS:
    case FOLLOW_START:
        break;
    }
}

/* ---- one look */

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
                       .signals = life->signals,
                       .tries = life->tries,
                       .start_due = now_s >= life->start_due_s};
    if (result == 0) {
        f.saw = FOLLOW_SAW_LIFE;
        f.same_life = !strcmp(c->started_at, run->started_at);
        f.status = c->status;
        f.start_failed = details->start_failed;
    } else {
        f.saw = err && err->failure == FAILURE_UNREACHABLE ? FOLLOW_SAW_NOTHING
                : result == -ENOENT                        ? FOLLOW_SAW_GONE
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
    if (next == FOLLOW_WAIT)
        run_later(run, f.saw == FOLLOW_SAW_LIFE ? look_ms : away_ms, life_follow);
    else if (next == FOLLOW_ASK_SIGNALS)
        ask_signals(run);
    else if (next == FOLLOW_START)
        run_work(run, start_begin_job, start_written);
    else
        end_by(run, next);
}

void life_follow(struct run *run)
{
    run->request_under_way = true;
    docker_inspect(run->act->docker, run->id, on_looked, run);
}

void life_answered(void *userdata, int result, const struct error *err)
{
    struct run *run = userdata;
    if (run_closed(run))
        return;
    bool unreachable = err && err->failure == FAILURE_UNREACHABLE;
    if (result == -ENOENT && !unreachable) {
        run_drop(run, "it is gone");
        return;
    }
    if (unreachable && (result == -ECONNREFUSED || result == -ENOENT || result == -EACCES)) {
        run_end(run, INTENT_DROPPED, is_stop(run) ? HEAL_NOT_DONE : HEAL_DROPPED, FACT_UNKNOWN,
                "%s", err->message); /* certainly not sent */
        return;
    }
    run->of.life.answered_no = result < 0 && !unreachable;
    if (result < 0)
        keep_words(run, err);
    run->deadline_s = clock_boottime_s() +
                      (result == 0 ? life_margin_s : (double)run->intent.grace_s + life_margin_s);
    run_enter(run, STAGE_CHECK);
}

void life_recover(struct run *run)
{
    struct life *life = &run->of.life;
    double grace_s = fact_known(run->intent.grace_s) ? (double)run->intent.grace_s : 10;
    run->deadline_s = run_intent_began_s(run) + grace_s + life_margin_s;
    life->tries = run->past.starts;
    snprintf(life->words, sizeof life->words, "%.255s", run->past.last.outcome);
    life_follow(run);
}
