#include "act/private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the engine did not answer of containers with open intents is asked again after this. */
static const double sweep_again_s = 60;

/* An engine may show any number of containers at one time: so many are looked through for what was
 * left open, and so many are changed, before the next. */
enum { RECOVERED_AT_ONCE = 16, CHANGES_AT_ONCE = 32 };

/* ---- the healer itself */

int healer_new(const struct healer_options *options, struct healer **ret_healer)
{
    struct healer *healer = calloc(1, sizeof *healer);
    if (!healer)
        return -ENOMEM;
    healer->act = (struct act){.o = *options,
                               .throttles = &healer->throttles,
                               .told = healer_told,
                               .ended = healer_ended,
                               .userdata = healer};
    healer->unfollowed = true;
    clock_boot_id(config_settings(options->config)->procfs, healer->act.boot_id,
                  sizeof healer->act.boot_id);
    *ret_healer = healer;
    return 0;
}

struct run *healer_run(const struct healer *healer, const char *id)
{
    for (struct run *run = healer->runs; run; run = run->next)
        if (!strcmp(run->id, id))
            return run;
    return NULL;
}

void healer_key(const char *name, const char *enable, char *key, size_t size)
{
    bool on; /* however it is written, so that a hold is found again */
    bool is = enable && switch_parse(enable, &on, NULL) == 0;
    snprintf(key, size, "%.200s%s", name, !is ? "" : on ? "+true" : "+false");
}

void healer_key_of(const struct config *config, const struct container *c, char *key)
{
    healer_key(c->name, container_label(c, config_settings(config)->docker_label), key,
               CONTAINER_NAME_SIZE);
}

size_t healer_busy(const struct healer *healer)
{
    size_t n = 0;
    for (struct run *run = healer->runs; run; run = run->next)
        n++;
    return n;
}

const char *healer_acted(const struct healer *healer, const char *id)
{
    const struct place *place = places_find(&healer->places, id);
    return place ? place->acted : "";
}

const struct step *const step_of[REMEDIES] = {
    [REMEDY_RESTART] = &step_restart,   [REMEDY_KILL_RUNNER] = &step_kill,
    [REMEDY_UNLOAD] = &step_unload,     [REMEDY_LIMIT] = &step_limit,
    [REMEDY_RECLAIM] = &step_reclaim,   [REMEDY_HIGH] = &step_high,
    [REMEDY_THROTTLE] = &step_throttle, [REMEDY_FLUSH] = &step_flush,
    [REMEDY_STOP] = &step_stop,
};

/* Why a remedy is not for us to take; NULL: it may be taken. */
static const char *forbidden(const struct container *c, const struct step *step)
{
    if ((step == &step_restart || step == &step_stop) && c->swarm_task != 0)
        return c->swarm_task == 1 ? "it is a Swarm task: its life is the manager's business"
                                  : "whether it is a Swarm task is unknown";
    if (step == &step_stop && c->auto_remove != 0)
        return c->auto_remove == 1 ? "its stop would delete it (--rm)"
                                   : "whether its stop would delete it is unknown";
    return NULL;
}

static void tell_would(struct healer *healer, const struct container *c, const struct verdict *v,
                       const struct step *step, const char *text)
{
    const char *verdict = v->kind == VERDICT_KINDS ? "asked" : verdict_kind_name(v->kind);
    struct heal_event event =
        heal_event_of(HEAL_WOULD_ACT, c->id, c->name, verdict, step->name, text);
    event.evidence = v;
    event.model = v->model;
    if (healer->act.world)
        event.before = container_held(c, &healer->act.world->host);
    healer_tell(healer, &event);
}

/* ---- a run begun */

/* For whoever asks for a reason, or only comes to follow what an earlier supervisor left open. */
static const struct verdict no_verdict = {
    .kind = VERDICT_KINDS, .pid = FACT_UNKNOWN, .started_us = FACT_UNKNOWN};

static int begin(struct healer *healer, const struct container *c, const struct step *step,
                 const struct verdict *verdict, struct run **ret_run)
{
    if (!healer->act.o.keep)
        return -EROFS;
    struct run *run = run_new(&healer->act, c, step, verdict);
    if (!run)
        return -ENOMEM;
    run->next = healer->runs;
    healer->runs = run;
    *ret_run = run;
    return 0;
}

void healer_follow(struct healer *healer, const struct container *c)
{
    struct run *run;
    if (!healer_run(healer, c->id) && begin(healer, c, &step_unload, &no_verdict, &run) == 0)
        run_enter(run, STAGE_LOCK);
}

/* The kill switch wants its container. What is under way goes on, but an unload: that one may take
 * seconds, and what it was to bring back comes with the stop. */
static void yield(struct run *run)
{
    if (run->step != &step_unload || run->ending)
        return;
    run->yields = true;
    sense_fresh_cancel(run->act->o.sense, run->id,
                       run); /* in each look: it may have begun another */
}

/* One raised verdict, by itself. */
static void consider(struct healer *healer, const struct verdict *v, bool remembered)
{
    const struct step *step = step_of[v->remedy];
    const struct container *c =
        step && v->state == VERDICT_RAISED ? sense_container(healer->act.o.sense, v->id) : NULL;
    if (!c)
        return;
    const char *no = forbidden(c, step);
    if (v->mode != MODE_ENFORCE || healer->act.o.dry_run || no) {
        if (v->changed)
            tell_would(healer, c, v, step, no ? no : "");
        return;
    }
    if (!remembered)
        return;
    if (v->remedy == REMEDY_THROTTLE &&
        (!healer->throttles.known || throttles_find(&healer->throttles, v->id)))
        return; /* it stands; or whether it does is not known yet */
    if (step == &step_flush) {
        if (v->confirmed)
            flush_models(healer, c, v);
        return;
    }
    if (!sense_engine_up(healer->act.o.sense))
        return; /* no fresh look without it: it waits, and "engine lost" was said */
    const struct place *place = places_of(&healer->places, v->id);
    double now_s = clock_boottime_s();
    struct run *run = healer_run(healer, v->id);
    if (run && step->last_resort)
        yield(run);
    if (run || (now_s < place->not_before_s && !step->last_resort) ||
        now_s < place->rests[v->remedy].until_s ||
        ((step == &step_limit || step == &step_high) && healer_busy(healer) >= CHANGES_AT_ONCE))
        return;
    if (begin(healer, c, step, v, &run) == 0)
        run_enter(run, STAGE_LOCK);
}

void healer_consider(struct healer *healer, const struct world *world,
                     const struct judgement *judgement, bool automatic, bool remembered)
{
    healer->act.world = world;
    healer->act.judgement = judgement;
    places_look(&healer->places, world);
    tell_stopping(healer, world);
    for (size_t i = 0;
         i < world->n_containers && i < judgement->n_assessments && !healer->act.o.dry_run; i++)
        remember_footprint(healer, &world->containers[i], &judgement->assessments[i]);
    for (size_t i = 0; automatic && i < judgement->n_verdicts && !healer->act.closing; i++)
        consider(healer, &judgement->verdicts[i], remembered);
    if (automatic && remembered && healer->unswept && sense_engine_up(healer->act.o.sense) &&
        clock_boottime_s() > healer->swept_s + sweep_again_s)
        sweep(healer);
}

void healer_recover(struct healer *healer)
{
    const struct world *world = healer->act.world;
    if (!healer->unfollowed || clock_boottime_s() < healer->follow_s || healer->act.o.dry_run)
        return;
    size_t busy = healer_busy(healer);
    for (size_t i = 0; i < world->n_containers; i++) {
        struct place *place = places_of(&healer->places, world->containers[i].id);
        if (place->followed)
            continue;
        if (busy >= RECOVERED_AT_ONCE)
            return; /* with the next look */
        place->followed = true;
        healer_follow(healer, &world->containers[i]);
        busy++;
    }
    healer->unfollowed = false;
    if (sense_engine_up(healer->act.o.sense))
        sweep(healer);
}

void healer_found(struct healer *healer, const struct container *c)
{
    places_of(&healer->places, c->id)->followed = false;
    healer->unfollowed = true;
    healer->follow_s = 0;
}

/* ---- a person's word */

static int ask(struct healer *healer, const struct container *c, const struct verdict *v,
               double wait_s, bool force, const char *reason)
{
    const struct step *step = step_of[v->remedy];
    const char *no = forbidden(c, step);
    struct run *run;
    if (healer->act.o.dry_run || no) {
        tell_would(healer, c, v, step, no ? no : "");
        return no ? -EPERM : 0;
    }
    if (healer_run(healer, c->id))
        return -EBUSY;
    int r = begin(healer, c, step, v, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->force = force;
    run->wait_s = wait_s;
    run->reason = reason;
    run_enter(run, STAGE_LOCK);
    return 0;
}

int healer_heal(struct healer *healer, const struct verdict *verdict, bool force)
{
    const struct container *c = sense_container(healer->act.o.sense, verdict->id);
    if (!c || !step_of[verdict->remedy])
        return c ? -EINVAL : -ENOENT;
    return ask(healer, c, verdict, 0, force, NULL);
}

int healer_unload(struct healer *healer, const struct container *container, const char *model,
                  double wait_s, bool force, const char *reason)
{
    struct verdict v = no_verdict;
    v.remedy = REMEDY_UNLOAD;
    snprintf(v.model, sizeof v.model, "%s", model);
    return ask(healer, container, &v, wait_s, force, reason);
}

int healer_restart(struct healer *healer, const struct container *container, const char *reason)
{
    struct verdict v = no_verdict;
    v.remedy = REMEDY_RESTART;
    return ask(healer, container, &v, 0, false, reason);
}

void healer_free(struct healer *healer)
{
    if (!healer)
        return;
    healer->act.closing = true;
    for (struct run *run = healer->runs, *next; run; run = next) {
        next = run->next;
        run_close(run);
    }
    healer->runs = NULL;
}

void healer_delete(struct healer *healer)
{
    if (!healer)
        return;
    places_clear(&healer->places);
    while (healer->throttles.first)
        throttles_remove(&healer->throttles, healer->throttles.first);
    free(healer);
}
