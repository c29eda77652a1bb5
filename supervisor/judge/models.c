/* Verdicts about one listed model: ghost-model and oversize-model, and idle-model in idle.c
 * (docs/judgement.md). */
#include "base/clock.h"
#include "judge/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double ghost_hold_s = 10;
/* A standing verdict's connections are read this often. */
static const double patience_s = 10;

struct known_model *history_model(struct history *history, const char *name)
{
    for (size_t i = 0; i < history->n_models; i++)
        if (!strcmp(history->models[i].name, name))
            return &history->models[i];
    return NULL;
}

static struct known_model *add(struct history *history, const char *name)
{
    if (history->n_models == MODELS_KNOWN_MAX)
        return NULL;
    struct known_model *models = realloc(history->models, (history->n_models + 1) * sizeof *models);
    if (!models)
        return NULL; /* in the next look, then */
    history->models = models;
    struct known_model *known = &models[history->n_models++];
    *known = (struct known_model){.expires_ms = -1};
    snprintf(known->name, sizeof known->name, "%s", name);
    condition_reset(&known->ghost.condition);
    condition_reset(&known->oversize.condition);
    condition_reset(&known->idle.condition);
    return known;
}

void models_slip(struct history *history, int64_t ms)
{
    for (size_t i = 0; i < history->n_models; i++)
        history->models[i].slip_ms += ms;
}

/* Its expires_at is another one than before: what happened to the old one is no matter. */
static void take_expiry(const struct look *look, struct known_model *known, bool new_one,
                        const struct model *model)
{
    if (!new_one && !strcmp(known->expires_at, model->expires_at))
        return;
    memcpy(known->expires_at, model->expires_at, sizeof known->expires_at);
    if (clock_parse(known->expires_at, &known->expires_ms) < 0)
        known->expires_ms = -1;
    known->slip_ms = 0;
    known->found_over =
        new_one && !look->history->list_seen && look->world->time_ms > known->expires_ms;
}

enum tri model_haunted(const struct look *look, const struct model *model)
{
    const struct container *c = look->container;
    bool all_known = true;
    if (!model->blob[0] || !c->processes_known)
        return TRI_UNKNOWN;
    for (size_t i = 0; i < c->n_processes; i++) {
        if (!process_is_live_runner(&c->processes[i]))
            continue;
        if (!strcmp(c->processes[i].blob, model->blob))
            return TRI_FALSE;
        all_known &= c->processes[i].blob[0] != 0;
    }
    return all_known ? TRI_TRUE : TRI_UNKNOWN;
}

static struct verdict *settle(struct look *look, const struct known_model *known,
                              enum verdict_kind kind, struct matter *matter, enum tri value,
                              double hold_s)
{
    bool all_now, contradicted;
    condition_take(&matter->condition, value, look->now_s, look->now_s, look->allowance_s);
    double since_s = conditions_since(&matter->condition, 1, &all_now, &contradicted);
    struct verdict *v =
        look_settle(look, kind, &matter->standing, since_s, all_now, contradicted, false, hold_s);
    if (v)
        snprintf(v->model, sizeof v->model, "%s", known->name);
    if (v && value == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "loaded models or processes");
    return v;
}

static void settle_ghost(struct look *look, struct known_model *known, const struct model *model,
                         enum tri ghost)
{
    double hold_s = ghost_hold_s > 2 * look->poll_s ? ghost_hold_s : 2 * look->poll_s;
    struct verdict *v = settle(look, known, VERDICT_GHOST_MODEL, &known->ghost, ghost, hold_s);
    if (!v)
        return;
    if (model)
        verdict_add_fact(v, "size", UNIT_BYTES, model->size);
    verdict_add(v, "models", UNIT_COUNT, (double)look->container->ollama.n_models);
    verdict_add(v, "runners", UNIT_COUNT, (double)look->live_runners);
    snprintf(v->why, sizeof v->why,
             "it is listed as loaded, but its runner is gone; the next request loads it again");
}

/* Whether it may be unloaded now; its size and its runner must be known for that. */
static bool may_unload(struct look *look, const struct model *model, const struct process *p,
                       struct verdict *v)
{
    struct runner *r = p ? history_runner(look->history, p) : NULL;
    verdict_add_fact(v, "runner", UNIT_BYTES, p ? process_held(p) : FACT_UNKNOWN);
    if (!r || v->state != VERDICT_RAISED || !fact_known(model->size) ||
        model->size < look->history->settings.models_small_model ||
        runner_rests(look, r) != TRI_TRUE)
        return false;
    v->pid = r->pid;
    v->started_us = r->started_us;
    look_want_connections(look, patience_s);
    verdict_add_fact(v, "connections", UNIT_COUNT, look->connections);
    return look_connected(look, patience_s) == TRI_FALSE;
}

static void settle_oversize(struct look *look, struct known_model *known, const struct model *model)
{
    const struct settings *s = &look->history->settings;
    enum tri oversize = !fact_known(s->models_max_parameters) || !model ? TRI_FALSE
                        : !fact_known(model->parameters)                ? TRI_UNKNOWN
                        : model->parameters > s->models_max_parameters  ? TRI_TRUE
                                                                        : TRI_FALSE;
    struct verdict *v =
        settle(look, known, VERDICT_OVERSIZE_MODEL, &known->oversize, oversize, 2 * look->poll_s);
    if (!v)
        return;
    verdict_add_fact(v, "max_parameters", UNIT_COUNT, s->models_max_parameters);
    if (!model)
        return;
    verdict_add_fact(v, "parameters", UNIT_COUNT, model->parameters);
    verdict_add_fact(v, "size", UNIT_BYTES, model->size);
    bool may = may_unload(look, model, runner_of_blob(look->container, model->blob), v);
    look_remedy(v, &known->oversize.standing, may ? REMEDY_UNLOAD : REMEDY_NONE);
    v->confirmed &= may && look->connections_age_s == 0;
    bool small = fact_known(model->size) && model->size < s->models_small_model;
    snprintf(v->why, sizeof v->why, "it has more parameters than models.max_parameters allows; %s",
             small ? "it is small (models.small_model) and is left alone"
                   : "it is unloaded when it is idle");
}

/* The list cannot be believed now: nothing is contradicted, but no hold goes on for long. */
static void unseen(struct look *look, struct known_model *known)
{
    settle_ghost(look, known, NULL, TRI_UNKNOWN);
    settle(look, known, VERDICT_OVERSIZE_MODEL, &known->oversize, TRI_UNKNOWN, 2 * look->poll_s);
    judge_idle(look, known, NULL, TRI_UNKNOWN);
}

static void gone(struct look *look, struct known_model *known)
{
    settle_ghost(look, known, NULL, TRI_FALSE);
    settle_oversize(look, known, NULL);
    judge_idle(look, known, NULL, TRI_FALSE);
}

void clear_models(struct look *look)
{
    for (size_t i = 0; i < look->history->n_models; i++)
        gone(look, &look->history->models[i]);
    look->history->n_models = 0;
}

void judge_models(struct look *look)
{
    struct history *h = look->history;
    const struct ollama *o = &look->container->ollama;
    for (size_t i = 0; look->answered != TRI_TRUE && i < h->n_models; i++)
        unseen(look, &h->models[i]);
    if (look->answered != TRI_TRUE)
        return;
    for (size_t i = 0; i < h->n_models; i++)
        h->models[i].met = false;
    for (size_t i = 0; i < o->n_models; i++) {
        struct known_model *known = history_model(h, o->models[i].name);
        bool new_one = !known;
        if (new_one && !(known = add(h, o->models[i].name)))
            continue;
        known->met = true;
        take_expiry(look, known, new_one, &o->models[i]);
        settle_ghost(look, known, &o->models[i], model_haunted(look, &o->models[i]));
        settle_oversize(look, known, &o->models[i]);
        judge_idle(look, known, &o->models[i], TRI_TRUE);
    }
    h->list_seen = true;
    for (size_t i = 0; i < h->n_models;) {
        if (h->models[i].met) {
            i++;
            continue;
        }
        gone(look, &h->models[i]);
        h->models[i] = h->models[--h->n_models];
    }
}
