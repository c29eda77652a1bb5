/* Loading: what the model needs, and what room there is for it. */
#include "act/load_private.h"
#include "judge/ledger.h"

#include <stdio.h>
#include <string.h>

static const fact vram_margin = (fact)1 << 30; /* each GPU's, which llama.cpp leaves free */

static fact vram_free(const struct loader *loader)
{
    const struct docker_details *details = sense_details(loader->act->o.sense, loader->wish.id);
    fact free_vram = 0;
    for (size_t i = 0; details && details->gpu && i < loader->act->world->n_gpus; i++) {
        const struct gpu *gpu = &loader->act->world->gpus[i];
        if (fact_known(gpu->vram_total) && fact_known(gpu->vram_used) &&
            gpu->vram_total - gpu->vram_used > vram_margin)
            free_vram += gpu->vram_total - gpu->vram_used - vram_margin;
    }
    return free_vram;
}

/* What its runner held after a load in such a server, if it was ever seen to. */
static fact learned(const struct loader *loader, const struct container *c,
                    const struct admission_model *model, const struct admission_server *server)
{
    struct need need;
    need_of(model, server, 0, &need); /* for its context */
    struct history_footprint f = {.digest = loader->model.digest,
                                  .context = need.context,
                                  .parallel = ledger_parallel(c),
                                  .kv_type = ledger_kv_type(c),
                                  .version = c->ollama.version,
                                  .gpu = server->vram > 0,
                                  .model = model->name,
                                  .held = FACT_UNKNOWN};
    if (!loader->o.history || keep_history_footprint(loader->o.history, &f, NULL) < 0)
        return FACT_UNKNOWN;
    return f.held;
}

static void take_room(struct loader *loader, const struct container *c)
{
    struct room_options options = {.world = loader->act->world,
                                   .container = c,
                                   .judgement = loader->act->judgement,
                                   .config = loader->act->o.config,
                                   .uses = loader->uses,
                                   .last_used_ms = keep_history_last_used_ms,
                                   .userdata = loader->o.history};
    room_of(&options, &loader->room);
}

const struct loaded_model *loader_listed(struct loader *loader, const struct container *c)
{
    take_room(loader, c);
    return room_model(&loader->room, loader->model.name, loader->model.digest);
}

void loader_decide_room(struct loader *loader, const struct container *c, bool no_waiting)
{
    const struct ollama_model *m = &loader->model;
    struct admission_model model = {.file = m->file,
                                    .kv_per_token = m->shape.kv_per_token,
                                    .graph = m->shape.graph,
                                    .parameters = m->parameters,
                                    .context = m->context,
                                    .trained = m->trained,
                                    .learned = FACT_UNKNOWN,
                                    .cloud = m->cloud};
    snprintf(model.name, sizeof model.name, "%s", m->name);
    snprintf(model.digest, sizeof model.digest, "%s", m->digest);
    struct admission_server server;
    admission_server_of(c, &server);
    server.vram = vram_free(loader);
    model.learned = learned(loader, c, &model, &server);
    take_room(loader, c);
    struct admission_wish wish = {.model = &model,
                                  .server = &server,
                                  .force = loader->wish.force,
                                  .keep_others = loader->wish.keep_others,
                                  .no_waiting = no_waiting};
    admission_decide(&wish, &loader->room, &loader->admission);
    loader->decided = true;
}
