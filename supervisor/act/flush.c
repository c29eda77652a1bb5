/* The flush: fire and forget, for a host that is all but out of memory. */
#include "act/private.h"
#include "base/clock.h"

#include <stdio.h>

static const long request_ms = 10000;
static const double again_s = 10; /* what was loaded meanwhile is told so, too */

const struct step step_flush = {.name = "flush"};

static void nobody_waits(void *userdata, int result, const struct error *err)
{
    (void)userdata, (void)result, (void)err;
}

void flush_models(struct healer *healer, const struct container *c, const struct verdict *verdict)
{
    struct place *place = places_of(&healer->places, c->id);
    struct ollama_client *client = sense_ollama(healer->act.o.sense, c->id);
    double now_s = clock_boottime_s();
    if (!client || now_s < place->rests[REMEDY_FLUSH].until_s)
        return;
    place->rests[REMEDY_FLUSH].until_s = now_s + again_s;
    for (size_t i = 0; i < c->ollama.n_models; i++)
        ollama_unload(client, c->ollama.models[i].name, request_ms, nobody_waits, NULL);
    char text[80];
    snprintf(text, sizeof text, "%zu model%s told to go; nobody waits for the answers",
             c->ollama.n_models, c->ollama.n_models == 1 ? " is" : "s are");
    struct heal_event event = heal_event_of(
        HEAL_ACTING, c->id, c->name, verdict_kind_name(verdict->kind), step_flush.name, text);
    event.evidence = verdict;
    event.before = container_held(c, &healer->act.world->host);
    healer_tell(healer, &event);
}
