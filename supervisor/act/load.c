#include "act/load_private.h"
#include "base/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const long ask_ms = 10000;  /* /api/tags blocks until its cache is filled */
static const double idle_s = 10;   /* five seconds tell who is busy */
static const double locked_s = 60; /* a heal takes seconds; a restart its stop grace more */

int loader_new(const struct loader_options *options, struct loader **ret_loader)
{
    struct loader *loader = calloc(1, sizeof *loader);
    int r = loader ? runner_uses_new(&loader->uses) : -ENOMEM;
    if (r < 0) {
        free(loader);
        return r;
    }
    loader->o = *options;
    loader->act = &options->healer->act;
    *ret_loader = loader;
    return 0;
}

void loader_free(struct loader *loader)
{
    if (!loader)
        return;
    keep_unlock(loader->lock);
    runner_uses_free(loader->uses);
    free(loader);
}

void loader_set_history(struct loader *loader, struct keep_history *history)
{
    loader->o.history = history;
}

const char *loader_loading(const struct loader *loader)
{
    return loader->phase == LOAD_LOADING ? loader->wish.model : NULL;
}

const struct container *loader_container(const struct loader *loader)
{
    return loader->act->world ? world_container(loader->act->world, loader->wish.id) : NULL;
}

static fact held_now(const struct loader *loader)
{
    const struct container *c = loader_container(loader);
    return c ? container_held(c, &loader->act->world->host) : FACT_UNKNOWN;
}

void loader_end(struct loader *loader, enum load_end end, const char *format, ...)
{
    char text[sizeof loader->text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct load_report report = {.end = end,
                                 .id = loader->wish.id,
                                 .container = loader->name,
                                 .model = loader->model.name[0] ? loader->model.name
                                                                : loader->wish.model,
                                 .admission = loader->decided ? &loader->admission : NULL,
                                 .room = loader->decided ? &loader->room : NULL,
                                 .before = loader->before,
                                 .after = held_now(loader),
                                 .runner = FACT_UNKNOWN,
                                 .context = FACT_UNKNOWN,
                                 .size = FACT_UNKNOWN,
                                 .size_vram = FACT_UNKNOWN,
                                 .unloaded = loader->unloaded,
                                 .took_s = clock_boottime_s() - loader->begun_s,
                                 .load_s = loader->load_s,
                                 .probe_s = loader->probe_s,
                                 .text = text};
    const struct container *c = loader_container(loader);
    const struct model *m = c ? ollama_model(&c->ollama, report.model) : NULL;
    if ((end == LOAD_DONE || end == LOAD_THERE) && m) {
        const struct loaded_model *listed = loader_listed(loader, c);
        report.context = m->context_length;
        report.size = m->size;
        report.size_vram = loader->act->world->n_gpus > 0 ? m->size_vram : FACT_UNKNOWN;
        report.runner = listed ? listed->held : FACT_UNKNOWN;
    }
    loader_give_back(loader);
    loader->phase = LOAD_IDLE;
    loader->o.done(loader->o.userdata, &report);
}

static void wait_for(struct loader *loader, double patience_s, const char *text)
{
    double now_s = clock_boottime_s();
    if (loader->phase != LOAD_WAITING)
        loader->until_s = now_s + patience_s;
    loader->phase = LOAD_WAITING;
    snprintf(loader->text, sizeof loader->text, "%s", text);
    if (now_s > loader->until_s)
        loader_end(loader, LOAD_FAILED, "waited in vain: %s", text);
}

static void wait_for_lock(struct loader *loader, const char *text)
{
    if (loader->locked_until_s <= 0)
        loader->locked_until_s = clock_boottime_s() + locked_s;
    loader->phase = LOAD_WAITING;
    loader->until_s = loader->locked_until_s;
    wait_for(loader, 0, text);
}

/* What was seen is from before. */
static void locked(uv_work_t *work, int status)
{
    struct loader *loader = work->data;
    (void)status;
    if (loader->act->closing)
        return;
    if (loader->lock_result == -EWOULDBLOCK) {
        wait_for_lock(loader, loader->lock_error.message);
    } else if (loader->lock_result < 0) {
        loader_end(loader, LOAD_FAILED, "%s", loader->lock_error.message);
    } else {
        loader->locked_until_s = 0;
        loader_look_afresh(loader);
    }
}

static void take_lock(struct loader *loader)
{
    loader->locking.data = loader;
    loader->phase = LOAD_LOCKING;
    if (uv_queue_work(loader->act->o.loop, &loader->locking, loader_lock_job, locked) < 0)
        loader_end(loader, LOAD_FAILED, "not enough memory");
}

/* ---- is there room? */

static void unload_first(struct loader *loader, const struct container *c)
{
    const struct loaded_model *m = &loader->room.models[loader->admission.go[0]];
    if (!strcmp(loader->gone, m->name)) {
        loader_end(loader, LOAD_FAILED, "%.200s was unloaded to make room and is still there",
                   m->name);
        return;
    }
    if (loader->lock) { /* the unload takes it, with the next look */
        loader_give_back(loader);
        wait_for(loader, locked_s, "the room that was there is gone");
        return;
    }
    snprintf(loader->going, sizeof loader->going, "%s", m->name);
    int r = healer_unload(loader->o.healer, c, m->name, 0, false, "load");
    if (r == -EBUSY) {
        wait_for(loader, locked_s, "another remedy is under way in its container");
    } else if (r < 0) {
        loader_end(loader, LOAD_FAILED, "%.200s could not be unloaded to make room: %s", m->name,
                   strerror(-r));
    } else {
        loader->phase = LOAD_UNLOADING;
        snprintf(loader->text, sizeof loader->text, "unloading %s to make room", loader->going);
    }
}

static void decide(struct loader *loader)
{
    const struct container *c = loader_container(loader);
    if (!c || c->status != STATUS_RUNNING || strcmp(c->started_at, loader->started_at)) {
        loader_end(loader, LOAD_FAILED, "its container was %s meanwhile",
                   c ? "restarted or stopped" : "removed");
        return;
    }
    if (!c->ollama.reachable) {
        loader_end(loader, LOAD_FAILED, "its Ollama does not answer: %s", c->ollama.error);
        return;
    }
    const struct assessment *a = judgement_assessment(loader->act->judgement, c->id);
    loader_decide_room(loader, c, clock_boottime_s() > loader->idle_known_s);
    const struct admission *admission = &loader->admission;
    bool dry = loader->wish.dry_run;
    if (admission->answer == ADMISSION_THERE &&
        (dry || loader->wish.keep_alive_s == OLLAMA_KEEP_DEFAULT)) {
        loader_end(loader, LOAD_THERE, "it is loaded already");
    } else if (admission->answer == ADMISSION_WAIT) {
        wait_for(loader, idle_s * 2, admission->text);
    } else if (a && a->activity == ACTIVITY_LOADING && !dry) {
        wait_for(loader, loader->room.settings.leak_stalled_hold_s,
                 "another model is being loaded in its container");
    } else if (admission->answer == ADMISSION_REFUSED) {
        loader_end(loader, LOAD_REFUSED, "%s", admission->text);
    } else if (dry) {
        loader_end(loader, LOAD_WOULD, "%s", admission->text);
    } else if (admission->n_go) {
        unload_first(loader, c);
    } else if (loader->lock) {
        loader_record(loader);
    } else {
        take_lock(loader);
    }
}

/* For a fresh look, which is to be tried again: of them all only the first one's patience counts.
 */
static void wait_for_look(struct loader *loader, const char *text)
{
    if (loader->again)
        loader->phase = LOAD_WAITING;
    loader->again = true;
    wait_for(loader, idle_s * 2, text);
}

static void on_fresh(void *userdata, int result)
{
    struct loader *loader = userdata;
    if (result == -ECANCELED) /* the flow is ending */
        return;
    loader->again &= result < 0;
    if (loader->phase == LOAD_CONFIRMING)
        loader_confirm(loader);
    else if (loader->phase == LOAD_PROBING)
        loader_probed(loader);
    else if (loader->phase == LOAD_LOOKING && result == -ENOENT)
        loader_end(loader, LOAD_FAILED, "its container is gone");
    else if (loader->phase == LOAD_LOOKING && result < 0)
        wait_for_look(loader, "the engine does not say how its container is");
    else if (loader->phase == LOAD_LOOKING)
        decide(loader);
}

void loader_look_afresh(struct loader *loader)
{
    loader->text[0] = '\0';
    if (loader->phase != LOAD_CONFIRMING && loader->phase != LOAD_PROBING)
        loader->phase = LOAD_LOOKING;
    int r = sense_fresh(loader->act->o.sense, loader->wish.id, on_fresh, loader);
    if (r == -ENOENT)
        loader_end(loader, LOAD_FAILED, "its container is gone");
    else if (r < 0 && loader->phase == LOAD_LOOKING)
        wait_for_look(loader, "another look is under way");
}

/* ---- the beginning */

static void on_model(void *userdata, int result, const struct ollama_model *model,
                     const struct error *err)
{
    struct loader *loader = userdata;
    if (loader->phase != LOAD_ASKING)
        return;
    if (result == -ECANCELED) {
        loader_cut_off(loader);
    } else if (result < 0) {
        loader_end(loader, LOAD_FAILED, "%s", err->message);
    } else {
        loader->model = *model;
        loader_look_afresh(loader);
    }
}

int loader_begin(struct loader *loader, const struct load_wish *wish)
{
    if (loader->phase != LOAD_IDLE)
        return -EBUSY;
    double now_s = clock_boottime_s();
    *loader = (struct loader){.o = loader->o,
                              .act = loader->act,
                              .uses = loader->uses,
                              .wish = *wish,
                              .phase = LOAD_ASKING,
                              .begun_s = now_s,
                              .probe_s = -1,
                              .idle_known_s = now_s + idle_s};
    loader->before = held_now(loader);
    ollama_model_init(&loader->model);
    const struct container *c = loader_container(loader);
    struct ollama_client *client = sense_ollama(loader->act->o.sense, wish->id);
    if (c) {
        memcpy(loader->name, c->name, sizeof loader->name);
        memcpy(loader->started_at, c->started_at, sizeof loader->started_at);
        healer_key_of(loader->act->o.config, c, loader->key);
    }
    if (c && client)
        ollama_ask_model(client, wish->model, ask_ms, on_model, loader);
    else
        loader_end(loader, LOAD_FAILED, "%s",
                   c ? "where its Ollama answers is unknown" : "its container is gone");
    return 0;
}

/* ---- what comes from outside */

static void tell_progress(struct loader *loader)
{
    const struct container *c = loader_container(loader);
    fact runners = c ? loader_of_runners(c) : FACT_UNKNOWN;
    struct load_progress progress = {.phase = loader->phase,
                                     .model = loader->model.name[0] ? loader->model.name
                                                                    : loader->wish.model,
                                     .text = loader->text,
                                     .grown = FACT_UNKNOWN,
                                     .expected = FACT_UNKNOWN};
    if (loader->phase == LOAD_LOADING && fact_known(runners) && fact_known(loader->runner_before)) {
        progress.grown = runners > loader->runner_before ? runners - loader->runner_before : 0;
        progress.expected = loader->admission.need.bytes;
    }
    if (loader->o.progress)
        loader->o.progress(loader->o.userdata, &progress);
}

/* The unload that makes room is over. */
static void after_unload(struct loader *loader, const struct heal_event *event)
{
    if (event->kind == HEAL_DONE || event->kind == HEAL_NOT_DONE || event->kind == HEAL_DROPPED) {
        loader->unloaded += event->kind == HEAL_DONE;
        loader->locked_until_s = 0;
        memcpy(loader->gone, loader->going, sizeof loader->gone);
        loader_look_afresh(loader);
    } else if (event->kind == HEAL_LOCKED) {
        wait_for_lock(loader, event->text);
    } else if (event->kind == HEAL_RECOVERED) {
        loader->phase = LOAD_LOOKING;
        wait_for(loader, locked_s, event->text);
    } else if (event->kind != HEAL_ACTING) {
        loader_end(loader, LOAD_FAILED, "%.200s was to make room: %s", loader->going, event->text);
    }
}

void loader_heal(struct loader *loader, const struct heal_event *event)
{
    if (loader->phase == LOAD_UNLOADING && !strcmp(event->id, loader->wish.id) &&
        (!event->model[0] || !strcmp(event->model, loader->going)))
        after_unload(loader, event);
}

void loader_look(struct loader *loader)
{
    runner_uses_look(loader->uses, loader->act->world);
    if (loader->phase == LOAD_WAITING && loader->again)
        loader_look_afresh(loader);
    else if (loader->phase == LOAD_WAITING)
        decide(loader);
    else if (loader->phase == LOAD_LOADING)
        loader_watch(loader);
    else if (loader->phase == LOAD_CONFIRMING ||
             (loader->phase == LOAD_PROBING && loader->probe_s >= 0))
        loader_look_afresh(loader);
    if (loader->phase != LOAD_IDLE)
        tell_progress(loader);
}
