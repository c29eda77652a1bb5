#include "act/puller_private.h"

#include "base/clock.h"
#include "base/grow.h"
#include "sense/policy.h"

#include <stdlib.h>
#include <string.h>

const char *const wanted_pull_states[] = {"waits", "runs", "there", "done", "given-up"};

struct puller *puller_new(struct healer *healer,
                          void (*progress)(void *userdata, const struct wanted_pull *pull),
                          void *userdata)
{
    struct puller *puller = calloc(1, sizeof *puller);
    if (!puller)
        return NULL;
    puller->act = &healer->act;
    puller->progress = progress;
    puller->userdata = userdata;
    puller->at = PULLS_MAX;
    return puller;
}

void puller_free(struct puller *puller)
{
    if (!puller)
        return;
    disk_look_end(puller->disk);
    free(puller->pulls);
    free(puller->taken);
    free(puller);
}

const struct wanted_pull *puller_next(const struct puller *puller, const char *id,
                                      const struct wanted_pull *before)
{
    for (size_t i = before ? (size_t)(before - puller->pulls) + 1 : 0; i < puller->n; i++)
        if (!strcmp(puller->pulls[i].id, id))
            return &puller->pulls[i];
    return NULL;
}

static bool answers(const struct container *c)
{
    return c && c->status == STATUS_RUNNING && c->ollama.asked && c->ollama.reachable;
}

static void next(struct puller *puller)
{
    double now_s = clock_boottime_s();
    for (size_t i = 0; puller->pulls && i < puller->n && !puller_under_way(puller); i++) {
        const struct wanted_pull *pull = &puller->pulls[i];
        if (pull->state == WANTED_PULL_WAITS && now_s >= pull->due_s &&
            sense_ollama(puller->act->o.sense, pull->id) &&
            answers(world_container(puller->act->world, pull->id)))
            puller_try(puller, i);
    }
}

/* ---- what is wanted */

static bool has(const struct puller *puller, const char *id, const char *model)
{
    const struct wanted_pull *pull = NULL;
    while ((pull = puller_next(puller, id, pull)) != NULL)
        if (model_same(pull->model, model))
            return true;
    return false;
}

/* What is in the list of that container, and nothing else. */
static void want(struct puller *puller, const struct container *c, const char *list)
{
    char model[MODEL_NAME_SIZE];
    for (size_t i = 0; i < puller->n; i++)
        if (!strcmp(puller->pulls[i].id, c->id))
            puller->pulls[i].unwanted = !model_in_list(list, puller->pulls[i].model);
    while (model_list_next(&list, model, sizeof model)) {
        struct wanted_pull *pull =
            has(puller, c->id, model)
                ? NULL
                : array_more(&puller->pulls, &puller->n, PULLS_MAX, sizeof *pull);
        if (!pull)
            continue;
        *pull = (struct wanted_pull){.current = FACT_UNKNOWN, .total = FACT_UNKNOWN};
        memcpy(pull->id, c->id, sizeof pull->id);
        memcpy(pull->container, c->name, sizeof pull->container);
        memcpy(pull->model, model, sizeof pull->model);
    }
}

/* Once, and again after the settings changed. */
static void take(struct puller *puller, const struct container *c)
{
    struct settings s;
    for (size_t i = 0; i < puller->n_taken; i++)
        if (!strcmp(puller->taken[i].id, c->id))
            return;
    struct taken *taken =
        array_more(&puller->taken, &puller->n_taken, WORLD_CONTAINERS_MAX, sizeof *taken);
    if (!taken)
        return;
    memcpy(taken->id, c->id, sizeof taken->id);
    policy_for(puller->act->o.config, c, &s, NULL);
    want(puller, c, c->mode == MODE_ENFORCE ? s.models_pull : "");
}

/* Those that nobody wants, or whose container is gone; but not while one is under way. */
static void forget(struct puller *puller)
{
    const struct world *world = puller->act->world;
    size_t kept = 0;
    for (size_t i = 0; i < puller->n_taken; i++)
        if (world_container(world, puller->taken[i].id))
            puller->taken[kept++] = puller->taken[i];
    puller->n_taken = kept;
    if (puller_under_way(puller))
        return;
    kept = 0;
    for (size_t i = 0; puller->pulls && i < puller->n; i++)
        if (!puller->pulls[i].unwanted && world_container(world, puller->pulls[i].id))
            puller->pulls[kept++] = puller->pulls[i];
    puller->n = kept;
}

void puller_settings_changed(struct puller *puller)
{
    if (puller)
        puller->n_taken = 0;
}

void puller_look(struct puller *puller)
{
    const struct world *world = puller->act->world;
    if (puller->ending)
        return;
    forget(puller);
    for (size_t i = 0; i < world->n_containers; i++)
        if (answers(&world->containers[i]))
            take(puller, &world->containers[i]);
    if (puller_under_way(puller))
        puller_watch(puller);
    else
        next(puller);
}

const char *puller_pulling(const struct puller *puller)
{
    return puller && puller->request ? puller->pulls[puller->at].id : "";
}

bool puller_end(struct puller *puller)
{
    if (!puller)
        return false;
    puller->ending = true;
    if (puller->request)
        ollama_pull_stop(puller->request);
    return puller->request != NULL;
}
