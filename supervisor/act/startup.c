#include "act/startup.h"

#include "act/private.h"
#include "base/grow.h"
#include "sense/policy.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STARTUP_MODELS_MAX = 64 }; /* more are left loaded, which is no harm */

/* Idle or not is known after five seconds of looking; a container that does not tell for so long is
 * left as it is. */
static const double patience_s = 60;

struct left { /* a model that was loaded when the supervisor started */
    char id[CONTAINER_ID_SIZE], started_at[48], model[CONTAINER_NAME_SIZE];
};

struct startup {
    struct healer *healer;
    bool listed;
    double until_s;      /* boottime */
    struct left *models; /* owned */
    size_t n;
};

struct startup *startup_new(struct healer *healer)
{
    struct startup *startup = calloc(1, sizeof *startup);
    if (startup)
        startup->healer = healer;
    return startup;
}

void startup_free(struct startup *startup)
{
    if (!startup)
        return;
    free(startup->models);
    free(startup);
}

static void list(struct startup *startup, const struct world *world)
{
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        struct settings s;
        policy_for(startup->healer->act.o.config, c, &s, NULL);
        bool ours = s.models_startup_unload && c->mode == MODE_ENFORCE &&
                    c->status == STATUS_RUNNING && c->ollama.reachable;
        for (size_t k = 0; ours && k < c->ollama.n_models; k++) {
            struct left *l =
                array_more(&startup->models, &startup->n, STARTUP_MODELS_MAX, sizeof *l);
            if (!l)
                return;
            memcpy(l->id, c->id, sizeof l->id);
            memcpy(l->started_at, c->started_at, sizeof l->started_at);
            memcpy(l->model, c->ollama.models[k].name, sizeof l->model);
        }
    }
}

static void tell_dropped(const struct startup *startup, const struct left *l,
                         const struct container *c, const char *text)
{
    struct heal_event event =
        heal_event_of(HEAL_DROPPED, l->id, c->name, "startup", "unload", text);
    event.model = l->model;
    const struct healer_options *o = &startup->healer->act.o;
    o->tell(o->userdata, &event);
}

/* Whether nothing is left to do about it. */
static bool settle(const struct startup *startup, const struct left *l, const struct container *c,
                   const struct assessment *a, double now_s)
{
    if (strcmp(c->started_at, l->started_at) || c->status != STATUS_RUNNING ||
        (a->answered && !ollama_model(&c->ollama, l->model)))
        return true;
    if (a->activity == ACTIVITY_BUSY || a->activity == ACTIVITY_LOADING) {
        tell_dropped(startup, l, c, "it is in use: left loaded");
        return true;
    }
    if (a->activity == ACTIVITY_LOADED && a->not_busy) {
        int r = healer_unload(startup->healer, c, l->model, 0, false, "startup");
        return r != -EBUSY; /* one at a time */
    }
    if (now_s < startup->until_s)
        return false;
    tell_dropped(startup, l, c, "whether it is in use is unknown: left loaded");
    return true;
}

void startup_look(struct startup *startup)
{
    const struct world *world = startup->healer->act.world;
    if (!startup->listed && !sense_settled(startup->healer->act.o.sense))
        return;
    if (!startup->listed) {
        startup->listed = true;
        startup->until_s = world->monotonic_s + patience_s;
        list(startup, world);
    }
    for (size_t i = 0; startup->models && i < startup->n;) {
        const struct left *l = &startup->models[i];
        const struct container *c = world_container(world, l->id);
        const struct assessment *a = judgement_assessment(startup->healer->act.judgement, l->id);
        if (c && a && !settle(startup, l, c, a, world->monotonic_s))
            i++;
        else
            startup->models[i] = startup->models[--startup->n];
    }
}
