#include "act/private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double retry_s = 2;
/* So long whoever works on a container needs at most, but for a long stop grace. */
static const double locked_long_s = 60;
/* It is tried every two seconds while it is wanted: what was seen longer ago was another time. */
static const double locked_again_s = 10;
/* What the engine did not answer of containers with open intents is asked again after this. */
static const double sweep_again_s = 60;

/* ---- the healer itself */

int healer_new(const struct healer_options *options, struct healer **ret_healer)
{
    struct healer *healer = calloc(1, sizeof *healer);
    if (!healer)
        return -ENOMEM;
    healer->o = *options;
    healer->act = (struct act){.loop = options->loop,
                               .config = options->config,
                               .docker = options->docker,
                               .sense = options->sense,
                               .keep = options->keep,
                               .state = options->state,
                               .throttles = &healer->throttles,
                               .told = healer_told,
                               .ended = healer_ended,
                               .userdata = healer};
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

/* Somebody else works on it: told once, and again as a warning when that lasts. */
static void locked_out(struct healer *healer, struct run *run, bool quiet)
{
    struct place *place = places_of(&healer->places, run->id);
    double now_s = clock_boottime_s();
    char text[600];
    place->not_before_s = now_s + retry_s;
    if (place->locked_s <= 0 || now_s > place->locked_last_s + locked_again_s) {
        place->locked_s = now_s;
        place->lock_warned = false;
    }
    place->locked_last_s = now_s;
    bool lasts = now_s - place->locked_s > locked_long_s;
    if (quiet || (place->locked_told && (!lasts || place->lock_warned)))
        return;
    if (fact_known(run->holder))
        snprintf(text, sizeof text, "another supervisor (pid %lld) works on it%s",
                 (long long)run->holder, lasts ? ", for more than a minute" : "");
    else
        snprintf(text, sizeof text, "%s%s", run->work_error.message,
                 lasts ? ", for more than a minute" : "");
    place->lock_warned = lasts;
    place->locked_told = true;
    struct heal_event event = heal_event_of_run(run, lasts ? HEAL_LOCKED_LONG : HEAL_LOCKED, text);
    healer_tell(healer, &event);
}

/* Takes the container's lock; run_enter does the rest. verdict NULL: it only comes to follow what
 * an earlier supervisor left open. */
static int begin(struct healer *healer, const struct container *c, const struct step *step,
                 const struct verdict *verdict, struct run **ret_run)
{
    if (!healer->o.keep)
        return -EROFS;
    struct run *run = run_new(&healer->act, c, step, verdict);
    if (!run)
        return -ENOMEM;
    int r = run_lock(run);
    if (r == -EWOULDBLOCK)
        locked_out(healer, run, !verdict);
    else if (r < 0)
        healer_told(healer, run, HEAL_NO_MEMORY_OF_IT, run->work_error.message);
    if (r < 0) {
        places_of(&healer->places, c->id)->not_before_s = clock_boottime_s() + retry_s;
        run_free(run);
        return r;
    }
    struct place *place = places_of(&healer->places, c->id);
    place->locked_s = 0;
    place->lock_warned = false;
    run->next = healer->runs;
    healer->runs = run;
    *ret_run = run;
    return 0;
}

void healer_follow(struct healer *healer, const struct container *c)
{
    struct run *run;
    if (!healer_run(healer, c->id) && begin(healer, c, &step_unload, NULL, &run) == 0)
        run_enter(run, STAGE_LOCK);
}

/* The kill switch wants its container. What is under way goes on, but an unload: that one may take
 * seconds, and what it was to bring back comes with the stop. */
static void yield(struct run *run)
{
    if (run->step != &step_unload || run->ending)
        return;
    run->yields = true;
    sense_fresh_cancel(run->act->sense, run->id); /* in each look: it may have begun another */
}

/* One raised verdict, by itself. */
static void consider(struct healer *healer, const struct verdict *v)
{
    const struct step *step = step_of[v->remedy];
    const struct container *c =
        step && v->state == VERDICT_RAISED ? sense_container(healer->o.sense, v->id) : NULL;
    if (!c)
        return;
    const char *no = forbidden(c, step);
    if (v->mode != MODE_ENFORCE || healer->o.dry_run || no) {
        if (v->changed)
            tell_would(healer, c, v, step, no ? no : "");
        return;
    }
    if (v->remedy == REMEDY_THROTTLE &&
        (!healer->throttles.known || throttles_find(&healer->throttles, v->id)))
        return; /* it stands; or whether it does is not known yet */
    if (step == &step_flush) {
        if (v->confirmed)
            flush_models(healer, c, v);
        return;
    }
    if (!sense_engine_up(healer->o.sense))
        return; /* no fresh look without it: it waits, and "engine lost" was said */
    const struct place *place = places_of(&healer->places, v->id);
    double now_s = clock_boottime_s();
    struct run *run = healer_run(healer, v->id);
    if (run && step->last_resort)
        yield(run);
    if (run || (now_s < place->not_before_s && !step->last_resort) ||
        now_s < place->rests[v->remedy].until_s)
        return;
    if (begin(healer, c, step, v, &run) == 0)
        run_enter(run, STAGE_LOCK);
}

void healer_consider(struct healer *healer, const struct world *world,
                     const struct judgement *judgement, bool automatic)
{
    healer->act.world = world;
    healer->act.judgement = judgement;
    places_look(&healer->places, world);
    for (size_t i = 0;
         i < world->n_containers && i < judgement->n_assessments && !healer->o.dry_run; i++)
        remember_footprint(healer, &world->containers[i], &judgement->assessments[i]);
    for (size_t i = 0; automatic && i < judgement->n_verdicts && !healer->act.closing; i++)
        consider(healer, &judgement->verdicts[i]);
    if (automatic && healer->unswept && sense_engine_up(healer->o.sense) &&
        clock_boottime_s() > healer->swept_s + sweep_again_s)
        sweep(healer);
}

void healer_recover(struct healer *healer)
{
    const struct world *world = healer->act.world;
    for (size_t i = 0; world && !healer->o.dry_run && i < world->n_containers; i++)
        healer_follow(healer, &world->containers[i]);
    if (world && !healer->o.dry_run && sense_engine_up(healer->o.sense))
        sweep(healer);
}

/* ---- a person's word */

struct wish {
    bool force;
    double wait_s;
    const char *reason; /* NULL: the verdict */
};

static int ask(struct healer *healer, const struct container *c, const struct verdict *v,
               const struct wish *wish)
{
    const struct step *step = step_of[v->remedy];
    const char *no = forbidden(c, step);
    struct run *run;
    if (healer->o.dry_run || no) {
        tell_would(healer, c, v, step, no ? no : "");
        return no ? -EPERM : 0;
    }
    if (healer_run(healer, c->id))
        return -EBUSY;
    int r = begin(healer, c, step, v, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->force = wish->force;
    run->wait_s = wish->wait_s;
    run->reason = wish->reason;
    run_enter(run, STAGE_LOCK);
    return 0;
}

/* For a reason, not for a verdict. */
static struct verdict no_verdict(const struct container *c, enum remedy remedy, const char *model)
{
    struct verdict v = {
        .kind = VERDICT_KINDS, .pid = FACT_UNKNOWN, .started_us = FACT_UNKNOWN, .remedy = remedy};
    snprintf(v.model, sizeof v.model, "%s", model);
    memcpy(v.id, c->id, sizeof v.id);
    return v;
}

int healer_heal(struct healer *healer, const struct verdict *verdict, bool force)
{
    const struct container *c = sense_container(healer->o.sense, verdict->id);
    if (!c || !step_of[verdict->remedy])
        return c ? -EINVAL : -ENOENT;
    return ask(healer, c, verdict, &(struct wish){.force = force});
}

int healer_unload(struct healer *healer, const struct container *container, const char *model,
                  double wait_s, bool force, const char *reason)
{
    struct verdict v = no_verdict(container, REMEDY_UNLOAD, model);
    return ask(healer, container, &v, &(struct wish){force, wait_s, reason});
}

int healer_restart(struct healer *healer, const struct container *container, const char *reason)
{
    struct verdict v = no_verdict(container, REMEDY_RESTART, "");
    return ask(healer, container, &v, &(struct wish){.reason = reason});
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
