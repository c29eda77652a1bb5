/* What happens, as events: verdicts, notes of what comes and goes, the healer's steps. */
#include "base/clock.h"
#include "chronicle/historian_private.h"
#include "judge/verdict_json.h"
#include "sense/json_put.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBERS_MAX = 2048 };

void historian_drop_oldest(struct historian *h)
{
    while (h->n_events > PENDING_EVENTS_MAX) {
        struct pending_event *oldest = h->first_event;
        h->first_event = oldest->next;
        h->n_events--;
        free(oldest);
    }
}

void historian_add(struct historian *h, const struct history_event *event, json_t *numbers)
{
    char *dump = numbers ? json_dumps(numbers, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(numbers);
    struct history_event copy = *event;
    copy.numbers = dump && strlen(dump) <= NUMBERS_MAX ? dump : "{}";
    const char **const texts[] = {&copy.kind, &copy.container, &copy.name,   &copy.verdict,
                                  &copy.step, &copy.outcome,   &copy.numbers};
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    size_t size = 0;
    for (size_t i = 0; i < TEXTS; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 1;
    struct pending_event *e = h->stopping ? NULL : calloc(1, sizeof *e + size);
    char *at = e ? e->text : NULL;
    for (size_t i = 0; e && i < TEXTS; i++) { /* they lie behind the event */
        size_t n = *texts[i] ? strlen(*texts[i]) + 1 : 1;
        *texts[i] = memcpy(at, *texts[i] ? *texts[i] : "", n);
        at += n;
    }
    free(dump);
    if (!e)
        return;
    copy.wall_ms = clock_wall_ms();
    copy.boot_id = h->boot_id;
    copy.boottime_s = clock_boottime_s();
    e->event = copy;
    if (h->last_event)
        h->last_event->next = e;
    else
        h->first_event = e;
    h->last_event = e;
    h->n_events++;
    historian_drop_oldest(h);
    if (!h->stopped) /* else it waits until that is tried again */
        historian_write(h, false);
}

/* What others can cause as often as they like leaves room for what was done: at this pace it fills
 * the history's 20,000 events in a week at the soonest. Deeds have budgets of their own. */
static const struct repeats_rule repeats_rule = {
    .one_burst = 16, .one_every_s = 600, .all_burst = 512, .all_every_s = 300};

static const char asked[] = "asked", asked_ended[] = "asked-ended";

static bool may(struct historian *h, const struct history_event *event)
{
    h->repeats.rule = &repeats_rule;
    return repeats_may(&h->repeats, event->kind, event->name ? event->name : "",
                       event->verdict ? event->verdict : "", clock_boottime_s());
}

void historian_take_repeated(struct historian *h, double now_s)
{
    const struct repeated *r;
    unsigned n;
    char text[100];
    h->repeats.rule = &repeats_rule;
    while ((r = repeats_due(&h->repeats, now_s, &n)) != NULL) {
        snprintf(text, sizeof text, "%u more times", n);
        bool of_asked = !strcmp(r->kind, asked) || !strcmp(r->kind, asked_ended);
        if (of_asked && r->about[0])
            snprintf(text, sizeof text, "by %.47s, %u more times", r->more, n);
        struct history_event event = {.kind = r->kind,
                                      .name = of_asked ? NULL : r->about,
                                      .verdict = of_asked ? NULL : r->more,
                                      .step = of_asked ? r->about : NULL,
                                      .outcome = text};
        historian_add(h, &event, json_pack("{s:i}", "repeated", n));
    }
}

void historian_take_verdicts(struct historian *h, const struct judgement *judgement)
{
    for (size_t i = 0; i < judgement->n_verdicts; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        if (!v->changed || v->state == VERDICT_SUSPECT)
            continue;
        bool raised = v->state == VERDICT_RAISED;
        struct history_event event = {
            .kind = raised ? "raised" : "cleared",
            .container = v->id,
            .name = v->name,
            .verdict = verdict_kind_name(v->kind),
            .step = raised && v->remedy != REMEDY_NONE ? remedy_name(v->remedy) : NULL,
            .outcome = raised ? v->why : NULL};
        if (!may(h, &event))
            continue;
        json_t *numbers = raised ? evidence_to_json(v) : json_object();
        put_text(numbers, "model", v->model);
        put_known(numbers, "pid", v->pid);
        if (raised) {
            put_text(numbers, "severity", severity_name(v->severity));
            json_object_set_new(numbers, "hold_s", json_real(v->hold_s));
        }
        historian_add(h, &event, numbers);
    }
}

void historian_asked(struct historian *h, const char *what, bool over, const char *text,
                     const char *who)
{
    struct history_event event = {
        .kind = over ? asked_ended : asked, .step = what, .outcome = text};
    char from[REPEATS_KIND_SIZE];
    snprintf(from, sizeof from, "%s", who ? who : "");
    if (strrchr(from, ':'))
        *strrchr(from, ':') = '\0';
    h->repeats.rule = &repeats_rule;
    if (!who || repeats_may(&h->repeats, event.kind, what, from, clock_boottime_s()))
        historian_add(h, &event, NULL);
}

void historian_note(struct historian *h, enum sense_note note, const struct container *c,
                    const char *text)
{
    struct history_event event = {.kind = note_kinds[note].event,
                                  .container = c ? c->id : NULL,
                                  .name = c ? c->name : NULL,
                                  .outcome = text};
    if (!may(h, &event))
        return;
    json_t *numbers = json_object();
    if (c && note == NOTE_DIED) {
        put_known(numbers, "exit_code", c->exit_code);
        put_known(numbers, "oom_killed", c->oom_killed);
    }
    if (c && (note == NOTE_FOUND || note == NOTE_STARTED))
        put_text(numbers, "started_at", c->started_at);
    if (c && note == NOTE_FOUND)
        put_text(numbers, "mode", c->mode == MODE_ENFORCE ? "enforce" : "observe");
    historian_add(h, &event, numbers);
}

void historian_heal(struct historian *h, const struct heal_event *e)
{
    static const char *const beside[] = {"limit", "high", "reclaim", "throttle",
                                         "unthrottle"}; /* heal nothing */
    struct history_event event = {.kind = heal_kinds[e->kind].event,
                                  .container = e->id,
                                  .name = e->name,
                                  .verdict = e->verdict,
                                  .step = e->step,
                                  .outcome = e->text};
    for (size_t i = 0; i < sizeof beside / sizeof beside[0] && e->kind == HEAL_DONE; i++)
        if (!strcmp(e->step, beside[i]))
            event.kind = "applied";
    if (e->kind == HEAL_DONE && !strcmp(e->step, "stop"))
        event.kind = "stopped";
    if (!strcmp(e->step, "pull") && (e->kind == HEAL_DONE || e->kind == HEAL_NOT_DONE))
        event.kind = e->kind == HEAL_DONE ? "pulled" : "not-pulled";
    bool ended = e->kind == HEAL_DONE || e->kind == HEAL_NOT_DONE || e->kind == HEAL_RECOVERED;
    bool told_only = e->kind == HEAL_WOULD_ACT || e->kind == HEAL_DROPPED ||
                     e->kind == HEAL_PENDING || e->kind == HEAL_WAITING || e->kind == HEAL_LOCKED;
    if (told_only && !may(h, &event))
        return;
    json_t *numbers = json_object();
    put_text(numbers, "model", e->model);
    put_known(numbers, "before", e->before);
    put_known(numbers, "after", e->after);
    put_known(numbers, "expected", e->expected);
    put_known(numbers, "page_cache_before", e->page_cache_before);
    put_known(numbers, "page_cache_after", e->page_cache_after);
    if (e->kind == HEAL_ACTING)
        put_known(numbers, "attempt", e->attempt);
    if (ended)
        json_object_set_new(numbers, "took_s", json_real(e->took_s));
    if (e->evidence && verdict_evidence(e->evidence, "wanted") >= 0)
        put_known(numbers, "wanted", (fact)verdict_evidence(e->evidence, "wanted"));
    historian_add(h, &event, numbers);
}
