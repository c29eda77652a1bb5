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

struct throttler {
    struct healer_options o;
    struct healer *healer;
    bool reading, ending;
    double not_before_s;
};

/* ---- what earlier supervisors left ---- */

struct reading {
    uv_work_t work;
    struct throttler *throttler;
    struct throttle *throttles; /* owned */
    size_t n;
    int result;
};

static void read_job(uv_work_t *work)
{
    struct reading *reading = work->data;
    reading->result =
        keep_throttles(reading->throttler->o.keep, &reading->throttles, &reading->n, NULL);
}

static void read_done(uv_work_t *work, int status)
{
    struct reading *reading = work->data;
    struct throttler *throttler = reading->throttler;
    struct healer *healer = throttler->healer;
    bool known = status == 0 && reading->result == 0;
    throttler->reading = false;
    for (size_t i = 0; known && i < reading->n; i++) {
        struct throttled *one = throttles_find(&healer->throttles, reading->throttles[i].container);
        if (one)
            continue;
        known = (one = throttles_add(&healer->throttles, &reading->throttles[i])) != NULL;
        if (one)
            one->earlier = true;
    }
    healer->throttles.known = known;
    throttler->not_before_s = clock_boottime_s() + again_s;
    free(reading->throttles);
    free(reading);
}

static void read_throttles(struct throttler *throttler)
{
    if (!throttler->o.keep || throttler->reading || clock_boottime_s() < throttler->not_before_s)
        return;
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading)
        return;
    reading->work.data = reading;
    reading->throttler = throttler;
    throttler->reading = true;
    if (uv_queue_work(throttler->o.loop, &reading->work, read_job, read_done) < 0) {
        throttler->reading = false;
        free(reading);
    }
}

struct throttler *throttler_new(const struct healer_options *options, struct healer *healer)
{
    struct throttler *throttler = calloc(1, sizeof *throttler);
    if (!throttler)
        return NULL;
    throttler->o = *options;
    throttler->healer = healer;
    read_throttles(throttler); /* known by the first look */
    return throttler;
}

/* ---- giving back ---- */

struct undoing {
    uv_work_t work;
    struct throttler *throttler;
    struct throttle t;
    char boot_id[40], cgroupfs[256];
    bool undone;           /* only its row is left */
    int result, forgotten; /* of the files, of the row */
    double began_s;
    char text[160];
    struct error error;
};

static void tell(const struct undoing *u, enum heal_event_kind kind, const char *text)
{
    const struct healer_options *o = &u->throttler->o;
    struct heal_event event =
        heal_event_of(kind, u->t.container, u->t.name, verdict_kind_name(VERDICT_LOW_PRIORITY),
                      "unthrottle", text);
    event.took_s = clock_boottime_s() - u->began_s;
    o->tell(o->userdata, &event);
}

static void undo_job(uv_work_t *work)
{
    struct undoing *u = work->data;
    if (!u->undone)
        u->result =
            throttle_undo(u->cgroupfs, u->boot_id, &u->t, u->text, sizeof u->text, &u->error);
    if (u->result == 0)
        u->forgotten = keep_throttle_end(u->throttler->o.keep, u->t.container, &u->error);
}

/* What was done, and what could not be is told once. */
static void settle(struct undoing *u)
{
    struct healer *healer = u->throttler->healer;
    struct throttled *one = throttles_find(&healer->throttles, u->t.container);
    char text[320];
    if (u->result == 0 && !u->undone) {
        snprintf(text, sizeof text, "%s%s%s", one && one->earlier ? "an earlier supervisor's" : "",
                 one && one->earlier && *u->text ? "; " : "", u->text);
        tell(u, HEAL_DONE, text);
    }
    if (one && u->result == 0 && u->forgotten == 0) {
        throttles_remove(&healer->throttles, one);
        return;
    }
    if (!one)
        return;
    one->working = false;
    one->undone = u->result == 0;
    one->not_before_s = clock_boottime_s() + again_s;
    snprintf(text, sizeof text, "%s%.250s", one->undone ? "it is undone, but " : "",
             u->error.message);
    if (strncmp(one->told, text, sizeof one->told - 1) != 0)
        tell(u, HEAL_NOT_DONE, text);
    snprintf(one->told, sizeof one->told, "%.159s", text);
}

static void undone(uv_work_t *work, int status)
{
    struct undoing *u = work->data;
    (void)status;
    settle(u);
    free(u);
}

static struct undoing *undoing_new(struct throttler *throttler, const struct throttle *t)
{
    struct undoing *u = calloc(1, sizeof *u);
    if (!u)
        return NULL;
    u->work.data = u;
    u->throttler = throttler;
    u->t = *t;
    u->began_s = clock_boottime_s();
    memcpy(u->boot_id, throttler->healer->act.boot_id, sizeof u->boot_id);
    snprintf(u->cgroupfs, sizeof u->cgroupfs, "%s", config_settings(throttler->o.config)->cgroupfs);
    return u;
}

static void undo(struct throttler *throttler, struct throttled *one)
{
    if (one->working || clock_boottime_s() < one->not_before_s)
        return;
    struct undoing *u = undoing_new(throttler, &one->t);
    if (!u)
        return;
    u->undone = one->undone;
    one->working = true;
    if (uv_queue_work(throttler->o.loop, &u->work, undo_job, undone) < 0) {
        one->working = false;
        free(u);
    }
}

/* Whether the look still asks for it. Where the world does not have it (yet), that is known only
 * when all is. */
static bool is_wanted(const struct throttler *throttler, const struct throttled *one,
                      const struct world *world, const struct judgement *judgement)
{
    const struct verdict *v = judgement_find(judgement, one->t.container, VERDICT_LOW_PRIORITY);
    if (v)
        return v->mode == MODE_ENFORCE && !strcmp(v->started_at, one->t.started_at);
    return !world_container(world, one->t.container) && !sense_settled(throttler->o.sense);
}

void throttler_look(struct throttler *throttler, const struct world *world,
                    const struct judgement *judgement)
{
    struct throttled *next;
    if (!throttler->healer->throttles.known)
        read_throttles(throttler);
    for (struct throttled *one = throttler->healer->throttles.first; one; one = next) {
        next = one->next;
        if (one->undone || throttler->ending || !is_wanted(throttler, one, world, judgement))
            undo(throttler, one);
    }
}

bool throttler_end(struct throttler *throttler)
{
    bool busy = throttler->reading;
    throttler->ending = true;
    for (struct throttled *one = throttler->healer->throttles.first; one; one = one->next) {
        if (!one->undone)
            undo(throttler, one);
        busy |= one->working;
    }
    return busy;
}

const char *throttler_text(const struct throttler *throttler, const char *id, char *text,
                           size_t size)
{
    const struct throttled *one = throttles_find(&throttler->healer->throttles, id);
    snprintf(text, size, "%s", "");
    return one && !one->undone ? throttle_format(&one->t, text, size) : text;
}

/* A throttle whose run ended with the loop is known to keep alone. */
static void undo_rest(struct throttler *throttler)
{
    struct throttle *throttles = NULL;
    size_t n = 0;
    if (keep_throttles(throttler->o.keep, &throttles, &n, NULL) < 0)
        return; /* the next supervisor's */
    for (size_t i = 0; i < n; i++) {
        struct undoing *u = undoing_new(throttler, &throttles[i]);
        if (!u)
            break;
        undo_job(&u->work);
        settle(u);
        free(u);
    }
    free(throttles);
}

void throttler_free(struct throttler *throttler)
{
    if (!throttler)
        return;
    if (throttler->healer->throttles.begun && throttler->o.keep)
        undo_rest(throttler);
    free(throttler);
}
