/* Listed models: which are known, when the time of each is over, and whose runner is which. */
#include "base/clock.h"
#include "base/grow.h"
#include "base/size.h"
#include "judge/look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct known_model *history_model(struct history *history, const char *name)
{
    for (size_t i = 0; i < history->n_models; i++)
        if (!strcmp(history->models[i].name, name))
            return &history->models[i];
    return NULL;
}

static struct known_model *add(struct history *history, const char *name)
{
    struct known_model *known =
        array_more(&history->models, &history->n_models, MODELS_KNOWN_MAX, sizeof *known);
    if (!known)
        return NULL; /* in the next look, then */
    known->expires_ms = -1;
    snprintf(known->name, sizeof known->name, "%s", name);
    matters_reset(known->own);
    return known;
}

/* Ollama's own; and for ever, which is the longest time that its language knows. */
static const double keep_default_s = 300, keep_forever_s = 9223372036.854775807;

bool model_lease(const struct world *world, const struct container *c, const struct model *model,
                 struct lease *ret_lease)
{
    int64_t expires_ms;
    const char *keep = container_env(c, "OLLAMA_KEEP_ALIVE");
    double keep_s = keep_default_s;
    if (clock_parse(model->expires_at, &expires_ms) < 0)
        return false;
    if (keep && keep[0] == '-')
        keep_s = keep_forever_s;
    else if (world->time_ms < 0 || (keep && keep[0] && duration_parse(keep, &keep_s, NULL) < 0))
        keep_s = -1e12;
    double left_s = (double)(expires_ms - world->time_ms) / 1000;
    *ret_lease = (struct lease){.expires_ms = expires_ms,
                                .left_s = left_s + c->ollama.age_ms / 1000,
                                .asked_s = world->monotonic_s - c->ollama.age_ms / 1000,
                                .ended_s = world->monotonic_s + left_s - keep_s};
    return true;
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

struct runner *model_runner(const struct look *look, const struct model *model)
{
    const struct process *p = runner_of_blob(look->container, model->blob);
    for (size_t i = 0; p && i < look->history->n_runners; i++)
        if (look->history->runners[i].now == p)
            return &look->history->runners[i];
    return NULL;
}

void models_clear(struct look *look)
{
    struct history *h = look->history;
    for (; h->n_models > 0; h->n_models--)
        look_clear(look, h->models[h->n_models - 1].own, FACT_UNKNOWN, FACT_UNKNOWN,
                   h->models[h->n_models - 1].name);
}

void models_look(struct look *look)
{
    struct history *h = look->history;
    const struct ollama *o = &look->container->ollama;
    for (size_t i = 0; i < h->n_models; i++)
        h->models[i].now = NULL;
    if (look->answered != TRI_TRUE)
        return;
    for (size_t i = 0; i < o->n_models; i++) {
        struct known_model *known = history_model(h, o->models[i].name);
        bool new_one = !known;
        if (new_one && !(known = add(h, o->models[i].name)))
            continue;
        known->now = &o->models[i];
        take_expiry(look, known, new_one, &o->models[i]);
    }
    h->list_seen = true;
    for (size_t i = 0; i < h->n_models;) {
        if (h->models[i].now) {
            i++;
            continue;
        }
        look_clear(look, h->models[i].own, FACT_UNKNOWN, FACT_UNKNOWN, h->models[i].name);
        h->models[i] = h->models[--h->n_models];
    }
}
