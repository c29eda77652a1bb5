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

static void append(struct historian *h, struct pending_event *e)
{
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
    if (e) {
        copy.wall_ms = clock_wall_ms();
        copy.boot_id = h->boot_id;
        copy.boottime_s = clock_boottime_s();
        e->event = copy;
        append(h, e);
    }
    free(dump);
}

/* What others can cause as often as they like leaves room for what was done: at this pace it fills
 * the history's 20,000 events in a week at the soonest. Deeds have budgets of their own. */
static const struct repeats_rule repeats_rule = {
    .one_burst = 16, .one_every_s = 600, .all_burst = 512, .all_every_s = 300};

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
    char text[32];
    h->repeats.rule = &repeats_rule;
    while ((r = repeats_due(&h->repeats, now_s, &n)) != NULL) {
        snprintf(text, sizeof text, "%u more times", n);
        struct history_event event = {
            .kind = r->kind, .name = r->about, .verdict = r->more, .outcome = text};
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

void historian_note(struct historian *h, enum sense_note note, const struct container *c,
                    const char *text)
{
    static const char *const kinds[] = {
        [NOTE_ENGINE_LOST] = "engine-lost",
        [NOTE_ENGINE_BACK] = "engine-back",
        [NOTE_FOUND] = "found",
        [NOTE_GONE] = "gone",
        [NOTE_STARTED] = "started",
        [NOTE_DIED] = "died",
        [NOTE_OLLAMA_LOST] = "ollama-lost",
        [NOTE_OLLAMA_BACK] = "ollama-back",
        [NOTE_CGROUP_LOST] = "cgroup-lost",
        [NOTE_LABEL_BAD] = "label-refused",
        [NOTE_UNREAD] = "unread",
        [NOTE_TOO_MANY] = "too-many",
    };
    if ((size_t)note >= sizeof kinds / sizeof kinds[0])
        return;
    struct history_event event = {.kind = kinds[note],
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
    static const char *const kinds[] = {
        [HEAL_WOULD_ACT] = "would-act",
        [HEAL_ACTING] = "acting",
        [HEAL_DONE] = "healed",
        [HEAL_NOT_DONE] = "not-healed",
        [HEAL_DROPPED] = "dropped",
        [HEAL_PENDING] = "pending",
        [HEAL_HOLD] = "hold",
        [HEAL_HOLD_OVER] = "hold-over",
        [HEAL_WAITING] = "back-off",
        [HEAL_LOCKED] = "locked",
        [HEAL_NO_MEMORY_OF_IT] = "not-remembered",
        [HEAL_RECOVERED] = "taken-up",
        [HEAL_START_FAILED] = "not-started",
        [HEAL_LOCKED_LONG] = "locked",
    };
    static const char *const beside[] = {"limit", "high", "reclaim", "throttle",
                                         "unthrottle"}; /* heal nothing */
    if ((size_t)e->kind >= sizeof kinds / sizeof kinds[0] || !kinds[e->kind])
        return;
    struct history_event event = {.kind = kinds[e->kind],
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
