#include "act/private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int healer_new(const struct healer_options *options, struct healer **ret_healer)
{
    struct healer *healer = calloc(1, sizeof *healer);
    if (!healer)
        return -ENOMEM;
    healer->o = *options;
    clock_boot_id(config_settings(options->config)->procfs, healer->boot_id,
                  sizeof healer->boot_id);
    *ret_healer = healer;
    return 0;
}

struct place *place_of(struct healer *healer, const char *id)
{
    for (size_t i = 0; i < healer->n_places; i++)
        if (!strcmp(healer->places[i].id, id))
            return &healer->places[i];
    static struct place nowhere; /* memory spent: forgetting is safe, keep has what matters */
    struct place *places = realloc(healer->places, (healer->n_places + 1) * sizeof *places);
    if (!places)
        return &nowhere;
    healer->places = places;
    struct place *place = &places[healer->n_places++];
    *place = (struct place){.footprint = FACT_UNKNOWN};
    snprintf(place->id, sizeof place->id, "%s", id);
    return place;
}

static struct run *run_of(const struct healer *healer, const char *id)
{
    for (struct run *run = healer->runs; run; run = run->next)
        if (!strcmp(run->id, id))
            return run;
    return NULL;
}

void healer_key(const char *name, const char *enable, char *key, size_t size)
{
    snprintf(key, size, "%.200s%s%.20s", name, enable ? "+" : "", enable ? enable : "");
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
    for (size_t i = 0; i < healer->n_places; i++)
        if (!strcmp(healer->places[i].id, id))
            return healer->places[i].acted;
    return "";
}

static const struct step *step_for(enum remedy remedy)
{
    switch (remedy) {
    case REMEDY_RESTART:
        return &step_restart;
    case REMEDY_KILL_RUNNER:
        return &step_kill;
    case REMEDY_UNLOAD:
        return &step_unload;
    case REMEDY_LIMIT:
        return &step_limit;
    case REMEDY_RECLAIM:
        return &step_reclaim;
    case REMEDY_HIGH:
        return &step_high;
    case REMEDY_THROTTLE:
        return &step_throttle;
    case REMEDY_FLUSH:
        return &step_flush;
    case REMEDY_STOP:
        return &step_stop;
    case REMEDY_NONE:
    case REMEDY_WAIT:
        break;
    }
    return NULL;
}

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
    struct run run = {.healer = healer,
                      .step = step,
                      .verdict = *v,
                      .reason = v->kind == VERDICT_KINDS ? "asked" : NULL,
                      .began_s = clock_boottime_s(),
                      .before = FACT_UNKNOWN,
                      .expected = FACT_UNKNOWN,
                      .page_cache_before = FACT_UNKNOWN,
                      .page_cache_after = FACT_UNKNOWN};
    run.intent.attempt = FACT_UNKNOWN;
    memcpy(run.id, c->id, sizeof run.id);
    memcpy(run.name, c->name, sizeof run.name);
    memcpy(run.model, v->model, sizeof run.model);
    run.before = container_held(c, &healer->world->host);
    run_tell(&run, HEAL_WOULD_ACT, FACT_UNKNOWN, text);
}

/* The kill switch wants its container. What is under way goes on, but an unload: that one may take
 * seconds, and what it was to bring back comes with the stop. */
static void yield(struct run *run)
{
    if (run->step != &step_unload || run->ending)
        return;
    run->yields = true;
    sense_fresh_cancel(run->healer->o.sense, run->id); /* in each look: it may have begun another */
}

void healer_consider(struct healer *healer, const struct world *world,
                     const struct judgement *judgement, bool automatic)
{
    healer->world = world;
    healer->judgement = judgement;
    for (size_t i = 0;
         i < world->n_containers && i < judgement->n_assessments && !healer->o.dry_run; i++)
        remember_footprint(healer, &world->containers[i], &judgement->assessments[i]);
    for (size_t i = 0; automatic && i < judgement->n_verdicts && !healer->closing; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        const struct step *step = step_for(v->remedy);
        const struct container *c =
            step && v->state == VERDICT_RAISED ? sense_container(healer->o.sense, v->id) : NULL;
        if (!c)
            continue;
        const char *no = forbidden(c, step);
        if (v->mode != MODE_ENFORCE || healer->o.dry_run || no) {
            if (v->changed)
                tell_would(healer, c, v, step, no ? no : "");
            continue;
        }
        if (v->remedy == REMEDY_THROTTLE &&
            (!healer->throttles_known || throttled_find(healer, v->id)))
            continue; /* it stands; or whether it does is not known yet */
        if (step == &step_flush) {
            if (v->confirmed)
                flush_models(healer, c, v);
            continue;
        }
        const struct place *place = place_of(healer, v->id);
        double now_s = clock_boottime_s();
        if (!sense_engine_up(healer->o.sense))
            continue; /* no fresh look without it: it waits, and "engine lost" was said */
        struct run *run = run_of(healer, v->id);
        if (run && step->last_resort)
            yield(run);
        if (run || (now_s < place->not_before_s && !step->last_resort) ||
            now_s < place->rests[v->remedy].until_s)
            continue;
        if (run_begin(healer, c, step, v, &run) == 0)
            run_gate(run);
    }
}

void healer_recover(struct healer *healer)
{
    for (size_t i = 0; healer->world && !healer->o.dry_run && i < healer->world->n_containers;
         i++) {
        const struct container *c = &healer->world->containers[i];
        struct run *run;
        if (!run_of(healer, c->id) && run_begin(healer, c, &step_unload, NULL, &run) == 0)
            run_gate(run);
    }
    if (healer->world && !healer->o.dry_run && sense_engine_up(healer->o.sense))
        sweep(healer);
}

int healer_heal(struct healer *healer, const struct verdict *verdict, bool force)
{
    const struct container *c = sense_container(healer->o.sense, verdict->id);
    const struct step *step = step_for(verdict->remedy);
    struct run *run;
    if (!c || !step)
        return c ? -EINVAL : -ENOENT;
    const char *no = forbidden(c, step);
    if (healer->o.dry_run || no) {
        tell_would(healer, c, verdict, step, no ? no : "");
        return no ? -EPERM : 0;
    }
    if (run_of(healer, verdict->id))
        return -EBUSY;
    int r = run_begin(healer, c, step, verdict, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->force = force;
    run_gate(run);
    return 0;
}

int healer_unload(struct healer *healer, const struct container *container, const char *model,
                  double wait_s, bool force, const char *reason)
{
    struct verdict v = {.kind = VERDICT_KINDS,
                        .pid = FACT_UNKNOWN,
                        .started_us = FACT_UNKNOWN,
                        .remedy = REMEDY_UNLOAD};
    snprintf(v.model, sizeof v.model, "%s", model);
    snprintf(v.id, sizeof v.id, "%s", container->id);
    if (healer->o.dry_run) {
        tell_would(healer, container, &v, &step_unload, "");
        return 0;
    }
    if (run_of(healer, container->id))
        return -EBUSY;
    struct run *run;
    int r = run_begin(healer, container, &step_unload, &v, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->force = force;
    run->wait_s = wait_s;
    run->reason = reason;
    run_gate(run);
    return 0;
}

int healer_restart(struct healer *healer, const struct container *container, const char *reason)
{
    struct verdict v = {.kind = VERDICT_KINDS,
                        .pid = FACT_UNKNOWN,
                        .started_us = FACT_UNKNOWN,
                        .remedy = REMEDY_RESTART};
    snprintf(v.id, sizeof v.id, "%s", container->id);
    const char *no = forbidden(container, &step_restart);
    if (healer->o.dry_run || no) {
        tell_would(healer, container, &v, &step_restart, no ? no : "");
        return no ? -EPERM : 0;
    }
    if (run_of(healer, container->id))
        return -EBUSY;
    struct run *run;
    int r = run_begin(healer, container, &step_restart, &v, &run);
    if (r < 0)
        return r;
    run->asked = true;
    run->reason = reason;
    run_gate(run);
    return 0;
}

void healer_free(struct healer *healer)
{
    if (!healer)
        return;
    healer->closing = true;
    for (struct run *run = healer->runs, *next; run; run = next) {
        next = run->next;
        uv_timer_stop(&run->timer);
        atomic_store(&run->stop, true);
        if (!run->working && !run->request_under_way)
            run_free(run);
    }
}

void healer_delete(struct healer *healer)
{
    if (!healer)
        return;
    free(healer->places);
    while (healer->throttled)
        throttled_remove(healer, healer->throttled);
    free(healer);
}
