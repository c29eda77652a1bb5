/* What a run tells the healer: passed on, once where it repeats; and what its end means for the
 * next one and for the judge. */
#include "act/private.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* A remedy that was dropped, locked out or refused is not begun again before this; one that the
 * engine refused, and one that cannot even be prepared, such as writing to a cgroup that is mounted
 * read-only, may be mended meanwhile: begun again after the others. */
static const double retry_s = 2, refused_retry_s = 60, unprepared_retry_s = 300;
/* So long whoever works on a container needs at most, but for a long stop grace. */
static const double locked_long_s = 60;
/* It is tried every two seconds while it is wanted: what was seen longer ago was another time. */
static const double locked_again_s = 10;

void healer_tell(struct healer *healer, const struct heal_event *event)
{
    struct place *place = places_of(&healer->places, event->id);
    snprintf(place->acted, sizeof place->acted, "%s: %s%s%.100s", event->step,
             heal_kinds[event->kind].acted, *event->text ? ", " : "", event->text);
    healer->act.o.tell(healer->act.o.userdata, event);
}

void healer_tell_run(struct healer *healer, const struct run *run, enum heal_event_kind kind,
                     const char *text)
{
    struct heal_event event = heal_event_of_run(run, kind, text);
    healer_tell(healer, &event);
}

void healer_told(void *userdata, struct run *run, enum heal_event_kind kind, const char *text)
{
    struct healer *healer = userdata;
    struct place *place = places_of(&healer->places, run->id);
    bool was_held = place->told[HEAL_HOLD];
    if (kind == HEAL_HOLD_OVER)
        place->told[HEAL_HOLD] = false;
    if (kind == HEAL_ACTING)
        place->told[HEAL_NO_MEMORY_OF_IT] = place->told[HEAL_LOCKED] = place->told[HEAL_WAITING] =
            false;
    if (kind == HEAL_HOLD_OVER && !was_held)
        return;
    healer_tell_run(healer, run, kind, text);
}

/* Whether this end was told before: what stands in the way is told once. */
static bool said_before(struct place *place, const struct run *run)
{
    char *told = place->rests[run->verdict.remedy].told;
    size_t size = sizeof place->rests[0].told;
    if (run->end.refused) {
        bool said = run->step->gentle && !strncmp(told, run->end.text, size - 1);
        snprintf(told, size, "%.127s", run->end.text);
        return said;
    }
    told[0] = '\0';
    enum heal_event_kind kind = run->end.kind;
    bool once = kind == HEAL_HOLD || kind == HEAL_WAITING || kind == HEAL_NO_MEMORY_OF_IT;
    bool said = place->told[kind];
    place->told[kind] = once;
    return said;
}

/* When the next remedy may begin there. */
static void set_rest(struct place *place, const struct run *run, bool its_turn_is_over)
{
    const struct run_end *end = &run->end;
    struct remedy_rest *rest = &place->rests[run->verdict.remedy];
    double now_s = clock_boottime_s(), delay_s = retry_s;
    if (end->kind == HEAL_HOLD || end->kind == HEAL_WAITING)
        delay_s = end->wait_s < 10 ? end->wait_s : 10; /* somebody may release it */
    else if (end->refused && run->step->gentle)
        delay_s = unprepared_retry_s;
    else if (end->kind == HEAL_NOT_DONE && end->next == REMEDY_NONE && !its_turn_is_over)
        delay_s = refused_retry_s;
    if (run->begun && run->step->rest_s > delay_s)
        delay_s = run->step->rest_s;
    if (end->silent && end->wait_s > 0)
        rest->until_s = now_s + end->wait_s;
    else if (!end->silent && (run->step->gentle || run->step->last_resort))
        rest->until_s = now_s + delay_s; /* of this remedy only */
    else if (!end->silent)
        place->not_before_s = now_s + delay_s;
}

static void tell_judge(struct judge *judge, const struct run *run, bool its_turn_is_over)
{
    bool nothing_changed = its_turn_is_over && run_failed(run); /* other verdicts' holds go on */
    if (run->past.failed_ago_s >= 0 && !run->begun)
        judge_tell_failed(judge, &run->verdict, clock_boottime_s() - run->past.failed_ago_s);
    if (run->begun && !run->recovering && run->verdict.blob[0])
        judge_tell_deeds(judge, run->id, &run->past.deeds);
    if (run_failed(run))
        judge_tell_failed(judge, &run->verdict, clock_boottime_s());
    if (run->begun && !run->recovering && !run->step->gentle && run->end.next == REMEDY_NONE &&
        !nothing_changed)
        judge_restart_holds(judge, run->id, run->verdict.model);
    if (run->step == &step_stop && run->end.carried_out)
        judge_tell_stopped(judge, run->id, run->intent.started_at);
    if (run->end.left_stopped)
        judge_tell_left_stopped(judge, run->id, run->intent.started_at, 0, run->of.life.tries,
                                run->of.life.words);
}

/* Somebody else works on it: told once, and again as a warning when that lasts; who asked for it is
 * told each time. */
static void locked_out(struct healer *healer, struct place *place, const struct run *run)
{
    double now_s = clock_boottime_s();
    char text[600];
    if (place->locked_s <= 0 || now_s > place->locked_last_s + locked_again_s) {
        place->locked_s = now_s;
        place->lock_warned = false;
    }
    place->locked_last_s = now_s;
    bool lasts = now_s - place->locked_s > locked_long_s, warns = lasts && !place->lock_warned;
    if (!run->asked && (run->verdict.kind == VERDICT_KINDS || (place->told[HEAL_LOCKED] && !warns)))
        return;
    if (fact_known(run->holder))
        snprintf(text, sizeof text, "another supervisor (pid %lld) works on it%s",
                 (long long)run->holder, lasts ? ", for more than a minute" : "");
    else
        snprintf(text, sizeof text, "%s%s", run->end.text, lasts ? ", for more than a minute" : "");
    place->lock_warned = lasts;
    place->told[HEAL_LOCKED] = true;
    struct heal_event event = heal_event_of_run(run, warns ? HEAL_LOCKED_LONG : HEAL_LOCKED, text);
    healer_tell(healer, &event);
    if (run->asked && warns) {
        event.kind = HEAL_LOCKED;
        healer_tell(healer, &event);
    }
}

static void forget(struct healer *healer, const struct run *run)
{
    for (struct run **at = &healer->runs; *at; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            return;
        }
}

/* Whoever has the lock, or the disk, may take long; nothing is lost by that. */
static const double follow_again_s = 10;

void healer_ended(void *userdata, struct run *run)
{
    struct healer *healer = userdata;
    struct place *place = places_of(&healer->places, run->id);
    /* Under the host's pressure the judge leaves that model, or container, alone by itself. */
    bool its_turn_is_over = run->verdict.kind == VERDICT_HOST_PRESSURE;
    set_rest(place, run, its_turn_is_over);
    if (healer->act.o.judge)
        tell_judge(healer->act.o.judge, run, its_turn_is_over);
    forget(healer, run);
    if (run->end.kind == HEAL_LOCKED || run->end.kind == HEAL_NO_MEMORY_OF_IT) {
        place->followed = false;
        if (!healer->unfollowed)
            healer->follow_s = clock_boottime_s() + follow_again_s;
        healer->unfollowed = true;
    }
    if (run->end.kind == HEAL_LOCKED) {
        locked_out(healer, place, run);
        return;
    }
    if (run->end.kind != HEAL_NO_MEMORY_OF_IT)
        place->locked_s = 0;
    bool said = said_before(place, run) && !run->asked;
    if (!run->end.silent && !said)
        healer_tell_run(healer, run, run->end.kind, run->end.text);
    /* One of several that an earlier supervisor left open has ended: the next. */
    const struct container *c = run_container(run);
    if (run->recovering && run->past.n_open > 1 && run->work_result == 0 && c)
        healer_follow(healer, c);
    else if (run->yields)
        sense_look_now(healer->act.o.sense, run->id);
}
