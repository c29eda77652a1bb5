#include "act/throttler.h"
#include "act/private.h"
#include "act/throttle_files.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct throttled *throttles_find(const struct throttles *throttles, const char *id)
{
    for (struct throttled *one = throttles->first; one; one = one->next)
        if (!strcmp(one->t.container, id))
            return one;
    return NULL;
}

struct throttled *throttles_add(struct throttles *throttles, const struct throttle *t)
{
    struct throttled *one = calloc(1, sizeof *one);
    if (!one)
        return NULL;
    one->t = *t;
    one->next = throttles->first;
    throttles->first = one;
    return one;
}

void throttles_remove(struct throttles *throttles, struct throttled *throttled)
{
    struct throttled **at = &throttles->first;
    while (*at && *at != throttled)
        at = &(*at)->next;
    if (*at)
        *at = throttled->next;
    free(throttled);
}

/* What could not be undone, or read, is tried again after this. */
static const double again_s = 10;

/* ---- what earlier supervisors left ---- */

static void read_job(uv_work_t *work)
{
    struct healer *healer = work->data;
    struct throttles *throttles = &healer->throttles;
    throttles->result =
        keep_throttles(healer->act.o.keep, &throttles->read, &throttles->n_read, NULL);
}

static void read_done(uv_work_t *work, int status)
{
    struct healer *healer = work->data;
    struct throttles *throttles = &healer->throttles;
    bool known = status == 0 && throttles->result == 0;
    throttles->reading = false;
    for (size_t i = 0; known && i < throttles->n_read; i++) {
        if (throttles_find(throttles, throttles->read[i].container))
            continue;
        struct throttled *one = throttles_add(throttles, &throttles->read[i]);
        known = one != NULL;
        if (one)
            one->earlier = true;
    }
    throttles->known = known;
    throttles->not_before_s = clock_boottime_s() + again_s;
    free(throttles->read);
    throttles->read = NULL;
}

void throttler_read(struct healer *healer)
{
    struct throttles *throttles = &healer->throttles;
    if (!healer->act.o.keep || throttles->reading || clock_boottime_s() < throttles->not_before_s)
        return;
    throttles->work.data = healer;
    throttles->reading =
        uv_queue_work(healer->act.o.loop, &throttles->work, read_job, read_done) == 0;
}

/* ---- giving back ---- */

static void tell(const struct throttled *one, enum heal_event_kind kind, const char *text)
{
    const struct healer_options *o = &one->healer->act.o;
    struct heal_event event =
        heal_event_of(kind, one->t.container, one->t.name, verdict_kind_name(VERDICT_LOW_PRIORITY),
                      "unthrottle", text);
    event.took_s = clock_boottime_s() - one->began_s;
    o->tell(o->userdata, &event);
}

static void undo_job(uv_work_t *work)
{
    struct throttled *one = work->data;
    const struct act *act = &one->healer->act;
    one->result = one->undone ? 0
                              : throttle_undo(one->cgroupfs, act->boot_id, &one->t, one->text,
                                              sizeof one->text, &one->error);
    if (one->result == 0)
        one->forgotten = keep_throttle_end(act->o.keep, one->t.container, &one->error);
}

/* What was done, and what could not be is told once. */
static void settle(uv_work_t *work, int status)
{
    struct throttled *one = work->data;
    char text[320];
    (void)status;
    one->working = false;
    one->not_before_s = clock_boottime_s() + again_s;
    if (one->result == 0 && !one->undone) {
        one->undone = true;
        snprintf(text, sizeof text, "%s%s%s", one->earlier ? "an earlier supervisor's" : "",
                 one->earlier && *one->text ? "; " : "", one->text);
        tell(one, HEAL_DONE, text);
    }
    if (one->undone && one->forgotten == 0) {
        throttles_remove(&one->healer->throttles, one);
        return;
    }
    snprintf(text, sizeof text, "%s%.250s", one->undone ? "it is undone, but " : "",
             one->error.message);
    if (strncmp(one->told, text, sizeof one->told - 1) != 0)
        tell(one, HEAL_NOT_DONE, text);
    snprintf(one->told, sizeof one->told, "%.159s", text);
}

static void begin(struct healer *healer, struct throttled *one)
{
    one->healer = healer;
    one->work.data = one;
    one->began_s = clock_boottime_s();
    snprintf(one->cgroupfs, sizeof one->cgroupfs, "%s",
             config_settings(healer->act.o.config)->cgroupfs);
}

static void undo(struct healer *healer, struct throttled *one)
{
    if (one->working || clock_boottime_s() < one->not_before_s)
        return;
    begin(healer, one);
    one->working = uv_queue_work(healer->act.o.loop, &one->work, undo_job, settle) == 0;
}

/* Whether the look still asks for it. Where the world does not have it (yet), that is known only
 * when all is. */
static bool is_wanted(const struct healer *healer, const struct throttled *one)
{
    const struct act *act = &healer->act;
    const struct verdict *v =
        judgement_find(act->judgement, one->t.container, VERDICT_LOW_PRIORITY);
    if (v)
        return v->mode == MODE_ENFORCE && !strcmp(v->started_at, one->t.started_at);
    return !world_container(act->world, one->t.container) && !sense_settled(act->o.sense);
}

void throttler_look(struct healer *healer)
{
    if (!healer->throttles.known)
        throttler_read(healer);
    for (struct throttled *one = healer->throttles.first; one; one = one->next)
        if (one->undone || healer->throttles.ending || !is_wanted(healer, one))
            undo(healer, one);
}

bool throttler_end(struct healer *healer)
{
    bool busy = healer->throttles.reading;
    healer->throttles.ending = true;
    for (struct throttled *one = healer->throttles.first; one; one = one->next) {
        if (!one->undone)
            undo(healer, one);
        busy |= one->working;
    }
    return busy;
}

const char *throttler_text(const struct healer *healer, const char *id, char *text, size_t size)
{
    const struct throttled *one = throttles_find(&healer->throttles, id);
    snprintf(text, size, "%s", "");
    return one && !one->undone ? throttle_format(&one->t, text, size) : text;
}

/* A throttle whose run ended with the loop is known to keep alone. */
void throttler_rest(struct healer *healer)
{
    struct throttle *throttles = NULL;
    size_t n = 0;
    if (!healer->throttles.begun || !healer->act.o.keep ||
        keep_throttles(healer->act.o.keep, &throttles, &n, NULL) < 0)
        return; /* the next supervisor's */
    for (size_t i = 0; i < n; i++) {
        struct throttled *one = throttles_find(&healer->throttles, throttles[i].container);
        if (!one && !(one = throttles_add(&healer->throttles, &throttles[i])))
            break;
        begin(healer, one);
        undo_job(&one->work);
        settle(&one->work, 0);
    }
    free(throttles);
}
