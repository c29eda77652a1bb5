/* What is kept beside the remedies: footprints, and the end of intents nobody will follow. */
#include "act/private.h"
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    struct place *place = place_of(healer, c->id);
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

struct sweep_work {
    uv_work_t work;
    struct keep *keep;
    char state[256];
    char (*here)[CONTAINER_ID_SIZE]; /* owned */
    size_t n_here;
};

static bool is_here(const struct sweep_work *s, const char *id)
{
    for (size_t i = 0; i < s->n_here; i++)
        if (!strcmp(s->here[i], id))
            return true;
    return false;
}

static void sweep_job(uv_work_t *work)
{
    struct sweep_work *s = work->data;
    struct intent *open = NULL;
    size_t n = 0;
    if (keep_intents_open(s->keep, &open, &n, NULL) < 0)
        return;
    for (size_t i = 0; i < n; i++) {
        struct keep_lock *lock; /* whoever works on it still has it */
        if (is_here(s, open[i].container) ||
            keep_lock_container(s->state, open[i].container, &lock, NULL, NULL) < 0)
            continue;
        keep_intent_end(s->keep, open[i].id, INTENT_FAILED, FACT_UNKNOWN, clock_wall_ms(),
                        "its container is no longer here", NULL);
        keep_unlock(lock);
    }
    free(open);
}

static void sweep_done(uv_work_t *work, int status)
{
    (void)status;
    struct sweep_work *s = work->data;
    free(s->here);
    free(s);
}

void sweep(struct healer *healer)
{
    size_t n = healer->world->n_containers;
    struct sweep_work *s = healer->o.keep ? calloc(1, sizeof *s) : NULL;
    if (!s || !(s->here = calloc(n + 1, sizeof *s->here))) {
        free(s);
        return;
    }
    s->work.data = s;
    s->keep = healer->o.keep;
    s->n_here = n;
    snprintf(s->state, sizeof s->state, "%s", healer->o.state);
    for (size_t i = 0; i < n; i++)
        memcpy(s->here[i], healer->world->containers[i].id, sizeof s->here[i]);
    if (uv_queue_work(healer->o.loop, &s->work, sweep_job, sweep_done) < 0)
        sweep_done(&s->work, 0);
}
