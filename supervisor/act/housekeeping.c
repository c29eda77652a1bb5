/* What is kept beside the remedies: footprints, the end of intents nobody will follow, and who is
 * being stopped. */
#include "act/life.h"
#include "act/private.h"
#include "base/clock.h"
#include "judge/pressure.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Kept when it grew by a tenth, a baseline when it fell by one; a lost write is no harm. */
struct footprint_work {
    uv_work_t work;
    struct keep *keep;
    char key[CONTAINER_NAME_SIZE], id[CONTAINER_ID_SIZE], started_at[48];
    fact held, baseline; /* unknown: not kept now */
};

static void footprint_job(uv_work_t *work)
{
    struct footprint_work *f = work->data;
    if (fact_known(f->held))
        keep_footprint_raise(f->keep, f->key, f->held, NULL);
    if (fact_known(f->baseline))
        keep_baseline_set(f->keep, f->id, f->started_at, f->baseline, NULL);
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
    bool more = fact_known(a->held_with_model) &&
                (!fact_known(place->footprint) ||
                 a->held_with_model >= place->footprint + place->footprint / 10),
         less = fact_known(a->learned_baseline) &&
                (!fact_known(place->baseline) ||
                 a->learned_baseline <= place->baseline - place->baseline / 10);
    if (!healer->act.o.keep || (!more && !less))
        return;
    struct footprint_work *f = calloc(1, sizeof *f);
    if (!f)
        return;
    f->work.data = f;
    f->keep = healer->act.o.keep;
    f->held = more ? (place->footprint = a->held_with_model) : FACT_UNKNOWN;
    f->baseline = less ? (place->baseline = a->learned_baseline) : FACT_UNKNOWN;
    memcpy(f->id, c->id, sizeof f->id);
    memcpy(f->started_at, c->started_at, sizeof f->started_at);
    snprintf(f->key, sizeof f->key, "%s", c->name);
    if (uv_queue_work(healer->act.o.loop, &f->work, footprint_job, footprint_done) < 0)
        free(f);
}

/* ---- open intents of containers that the world does not have: nobody would come for them. Only
 * the engine knows whether such a container is gone: what it does not answer is asked the next
 * time, and what is there is followed like the others. */

static void next(struct healer *healer);

static void read_job(uv_work_t *work)
{
    struct healer *healer = work->data;
    struct sweep *s = &healer->sweep;
    if (keep_intents_open(healer->act.o.keep, &s->open, &s->n, NULL) < 0)
        s->n = 0;
}

static void end_job(uv_work_t *work)
{
    struct healer *healer = work->data;
    const struct healer_options *o = &healer->act.o;
    struct keep_lock *lock;
    const struct intent *intent = &healer->sweep.open[healer->sweep.at];
    healer->sweep.locked = keep_lock_container(o->state, intent->container, &lock, NULL, NULL) < 0;
    if (healer->sweep.locked)
        return;
    keep_intent_end(o->keep, intent->id, INTENT_FAILED, FACT_UNKNOWN, clock_wall_ms(),
                    "the engine has no such container any more", NULL);
    keep_unlock(lock);
}

static void step_done(uv_work_t *work, int status)
{
    struct healer *healer = work->data;
    (void)status;
    healer->unswept |= healer->sweep.locked;
    healer->sweep.at++;
    next(healer);
}

static void on_inspected(void *userdata, int result, const struct container *c,
                         const struct docker_details *details, const struct error *err)
{
    struct healer *healer = userdata;
    uv_work_t *work = &healer->sweep.work;
    (void)details;
    bool closing = healer->act.closing;
    bool gone = result == -ENOENT && err && err->failure != FAILURE_UNREACHABLE;
    if (result == 0 && !closing)
        healer_follow(healer, c);
    healer->unswept |= result < 0 && !gone;
    if (!gone || closing || uv_queue_work(healer->act.o.loop, work, end_job, step_done) < 0)
        step_done(work, 0);
}

/* The next one; or the end of it, also when the supervisor ends. */
static void next(struct healer *healer)
{
    struct sweep *s = &healer->sweep;
    bool closing = healer->act.closing; /* sense and engine may be gone then */
    while (!closing && s->at < s->n &&
           (sense_container(healer->act.o.sense, s->open[s->at].container) ||
            healer_run(healer, s->open[s->at].container)))
        s->at++;
    if (!closing && s->at < s->n) {
        docker_inspect(healer->act.o.docker, s->open[s->at].container, on_inspected, healer);
        return;
    }
    free(s->open);
    *s = (struct sweep){0};
}

static void read_done(uv_work_t *work, int status)
{
    (void)status;
    next(work->data);
}

void sweep(struct healer *healer)
{
    if (!healer->act.o.keep || healer->sweep.under_way)
        return;
    healer->sweep.work.data = healer;
    healer->sweep.under_way = true;
    healer->unswept = false;
    healer->swept_s = clock_boottime_s();
    if (uv_queue_work(healer->act.o.loop, &healer->sweep.work, read_job, read_done) < 0)
        next(healer);
}

/* ---- who is being stopped */

static double stop_window_s(const struct healer *healer, const struct container *c)
{
    return (double)act_grace_s(&healer->act, c) + life_margin_s;
}

static void ask_ring(struct healer *healer);

static void on_ring(void *userdata, const struct signals_sent *sent)
{
    struct healer *healer = userdata;
    healer->ring.under_way = false;
    if (healer->act.closing || !sent->known || sent->stops > 0)
        return; /* asked again in the next look: as long as one is being stopped, that is enough */
    places_of(&healer->places, healer->ring.id)->unsent_s = healer->ring.asked_s;
    ask_ring(healer);
}

/* The engine's ring knows of stops before our stream of events: of a person's, and of an earlier
 * supervisor's. One container after the other. */
static void ask_ring(struct healer *healer)
{
    const struct container *c = NULL;
    for (size_t i = 0; i < healer->places.n && !c; i++) {
        struct place *place = &healer->places.all[i];
        c = place->ring_wanted ? sense_container(healer->act.o.sense, place->id) : NULL;
        place->ring_wanted &= !c;
    }
    if (!c || !sense_engine_up(healer->act.o.sense))
        return;
    healer->ring.under_way = true;
    healer->ring.asked_s = clock_boottime_s();
    memcpy(healer->ring.id, c->id, sizeof healer->ring.id);
    signals_ask(healer->act.o.docker, c->id,
                clock_wall_ms() - (int64_t)(stop_window_s(healer, c) * 1000), on_ring, healer);
}

/* In this life: sent a signal within the stop grace and a margin, or about to be by us. Where that
 * is not known, it counts as sent. */
static bool is_stopping(struct healer *healer, const struct container *c)
{
    struct sense *sense = healer->act.o.sense;
    const struct run *run = healer_run(healer, c->id);
    if (run && (run->begun || run->recovering) &&
        (run->step == &step_restart || run->step == &step_stop))
        return true;
    double since_s = clock_boottime_s() - stop_window_s(healer, c);
    struct signals_sent sent = sense_signals(sense, c->id, since_s, true);
    if (sent.known || sent.stops > 0 || c->status != STATUS_RUNNING)
        return sent.stops > 0;
    struct place *place = places_of(&healer->places, c->id);
    place->ring_wanted = !sense_signals(sense, c->id, place->unsent_s, true).known;
    return place->ring_wanted;
}

void tell_stopping(struct healer *healer, const struct world *world)
{
    double from = config_settings(healer->act.o.config)->action_kill_switch;
    if (!healer->act.o.judge || from < 0 || pressure_in_use(&world->host) < from)
        return; /* the kill switch has a hold of some looks */
    for (size_t i = 0; i < world->n_containers; i++)
        judge_tell_stopping(healer->act.o.judge, world->containers[i].id,
                            is_stopping(healer, &world->containers[i]));
    if (!healer->ring.under_way)
        ask_ring(healer);
}
