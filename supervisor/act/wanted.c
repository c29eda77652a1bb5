#include "act/wanted.h"

#include "sense/ollama_load.h"
#include "sense/policy.h"
#include <stdio.h>
#include <string.h>

struct listing {
    const struct container *container;
    struct wanted_model *models;
    size_t from, n, max; /* from: where this container's begin */
};

static void add(struct listing *to, const char *list, const char *tier, int64_t keep_alive_s)
{
    char name[MODEL_NAME_SIZE];
    while (model_list_next(&list, name, sizeof name)) {
        bool met = to->n == to->max;
        for (size_t i = to->from; i < to->n; i++)
            met |= model_same(to->models[i].model, name);
        if (met)
            continue;
        struct wanted_model *m = &to->models[to->n++];
        *m = (struct wanted_model){.keep_alive_s = keep_alive_s};
        memcpy(m->id, to->container->id, sizeof m->id);
        memcpy(m->container, to->container->name, sizeof m->container);
        memcpy(m->model, name, sizeof m->model);
        snprintf(m->tier, sizeof m->tier, "%s", tier);
    }
}

size_t wanted_list(const struct config *config, const struct container *container,
                   int64_t keep_alive_s, struct wanted_model *models, size_t n, size_t max)
{
    struct listing to = {container, models, n, n, max};
    struct settings settings;
    size_t n_tiers;
    const struct tier *tiers = config_tiers(config, &n_tiers);
    policy_for(config, container, &settings, NULL);
    for (int rank = TIER_ULTRA_FAST; rank <= TIER_OTHER; rank++)
        for (size_t i = 0; i < n_tiers; i++)
            if (tier_rank(tiers[i].name) == (enum tier_rank)rank)
                add(&to, tiers[i].models, tiers[i].name, keep_alive_s);
    int64_t pinned_s = keep_alive_s == OLLAMA_KEEP_DEFAULT ? OLLAMA_KEEP_FOREVER : keep_alive_s;
    for (size_t i = n; i < to.n; i++) /* one of a tier that is pinned too */
        if (model_in_list(settings.models_pin, models[i].model))
            models[i].keep_alive_s = pinned_s;
    add(&to, settings.models_pin, "pinned", pinned_s);
    return to.n;
}
