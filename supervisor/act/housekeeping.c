/* What is kept beside the remedies: footprints, and the end of intents nobody will follow. */
#include "act/private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Kept when it grew by a tenth; a lost write is no harm. */
struct footprint_work {
    uv_work_t work;
    struct keep *keep;
    char key[CONTAINER_NAME_SIZE];
    fact held;
};

static void footprint_job(uv_work_t *work)
{
    struct footprint_work *f = work->data;
    keep_footprint_raise(f->keep, f->key, f->held, NULL);
}

static void footprint_done(uv_work_t *work, int status)
{
    (void)status;
    free(work->data);
}

void remember_footprint(struct healer *healer, const struct container *c,
                        const struct assessment *a)
{
    struct place *place = places_of(&healer->places, c->id);
    if (!healer->o.keep || !fact_known(a->held_with_model))
        return;
    if (fact_known(place->footprint) &&
        a->held_with_model < place->footprint + place->footprint / 10)
        return;
    struct footprint_work *f = calloc(1, sizeof *f);
    if (!f)
        return;
    f->work.data = f;
    f->keep = healer->o.keep;
    f->held = place->footprint = a->held_with_model;
    snprintf(f->key, sizeof f->key, "%s", c->name);
    if (uv_queue_work(healer->o.loop, &f->work, footprint_job, footprint_done) < 0)
        free(f);
}

/* ---- open intents of containers that the world does not have: nobody would come for them. Only
 * the engine knows whether such a container is gone: what it does not answer is asked the next
 * time, and what is there is followed like the others. */

struct sweep {
    uv_work_t work;
    struct healer *healer;
    struct intent *open; /* owned */
    size_t n, at;
};

static void next(struct sweep *s);

static void read_job(uv_work_t *work)
{
    struct sweep *s = work->data;
    if (keep_intents_open(s->healer->o.keep, &s->open, &s->n, NULL) < 0)
        s->n = 0;
}

static void end_job(uv_work_t *work)
{
    struct sweep *s = work->data;
    struct keep_lock *lock; /* whoever works on it still has it */
    const struct intent *intent = &s->open[s->at];
    if (keep_lock_container(s->healer->o.state, intent->container, &lock, NULL, NULL) < 0)
        return;
    keep_intent_end(s->healer->o.keep, intent->id, INTENT_FAILED, FACT_UNKNOWN, clock_wall_ms(),
                    "the engine has no such container any more", NULL);
    keep_unlock(lock);
}

static void step_done(uv_work_t *work, int status)
{
    struct sweep *s = work->data;
    (void)status;
    s->at++;
    next(s);
}

static void on_inspected(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    struct sweep *s = userdata;
    struct healer *healer = s->healer;
    (void)details;
    bool closing = healer->act.closing;
    bool gone = result == -ENOENT && err && err->failure != FAILURE_UNREACHABLE;
    if (result == 0 && !closing)
        healer_follow(healer, c);
    healer->unswept |= result < 0 && !gone;
    if (gone && !closing && uv_queue_work(healer->o.loop, &s->work, end_job, step_done) == 0)
        return;
    s->at++;
    next(s);
}

/* The next one; or the end of it, also when the supervisor ends. */
static void next(struct sweep *s)
{
    struct healer *healer = s->healer;
    bool closing = healer->act.closing; /* sense and engine may be gone then */
    while (!closing && s->at < s->n &&
           (sense_container(healer->o.sense, s->open[s->at].container) ||
            healer_run(healer, s->open[s->at].container)))
        s->at++;
    if (!closing && s->at < s->n) {
        docker_inspect(healer->o.docker, s->open[s->at].container, on_inspected, s);
        return;
    }
    healer->sweeping = false;
    free(s->open);
    free(s);
}

static void read_done(uv_work_t *work, int status)
{
    (void)status;
    next(work->data);
}

void sweep(struct healer *healer)
{
    struct sweep *s = healer->o.keep && !healer->sweeping ? calloc(1, sizeof *s) : NULL;
    if (!s)
        return;
    s->work.data = s;
    s->healer = healer;
    healer->sweeping = true;
    healer->unswept = false;
    healer->swept_s = clock_boottime_s();
    if (uv_queue_work(healer->o.loop, &s->work, read_job, read_done) < 0)
        next(s);
}
