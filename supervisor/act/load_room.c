/* Loading: what the model needs, and what room there is for it. */
#include "act/load_private.h"
#include "judge/ledger.h"

#include <stdio.h>

static const fact vram_margin = (fact)1 << 30; /* each GPU's, which llama.cpp leaves free */

static fact vram_free(const struct loader *loader)
{
    const struct docker_details *details = sense_details(loader->o.sense, loader->wish.id);
    fact free_vram = 0;
    for (size_t i = 0; details && details->gpu && i < loader->world->n_gpus; i++) {
        const struct gpu *gpu = &loader->world->gpus[i];
        if (fact_known(gpu->vram_total) && fact_known(gpu->vram_used) &&
            gpu->vram_total - gpu->vram_used > vram_margin)
            free_vram += gpu->vram_total - gpu->vram_used - vram_margin;
    }
    return free_vram;
}

/* What its runner held at most in such a server, if it was ever seen to. */
static fact learned(const struct loader *loader, const struct container *c,
                    const struct admission_model *model, const struct admission_server *server)
{
    struct need need;
    need_of(model, server, 0, &need); /* for its context */
    struct history_footprint f = {.digest = loader->model.digest,
                                  .context = need.context,
                                  .parallel = ledger_parallel(c),
                                  .kv_type = ledger_kv_type(c),
                                  .model = model->name,
                                  .held = FACT_UNKNOWN};
    if (!loader->o.history || keep_history_footprint(loader->o.history, &f, NULL) < 0)
        return FACT_UNKNOWN;
    return f.held;
}

void loader_room_of(struct loader *loader, const struct container *c, struct room *ret_room)
{
    struct room_options options = {.world = loader->world,
                                   .container = c,
                                   .judgement = loader->judgement,
                                   .config = loader->o.config,
                                   .uses = loader->uses,
                                   .last_used_ms = keep_history_last_used_ms,
                                   .userdata = loader->o.history};
    room_of(&options, ret_room);
}

void loader_decide_room(struct loader *loader, const struct container *c, bool no_waiting)
{
    const struct ollama_model *m = &loader->model;
    struct admission_model model = {.file = m->file,
                                    .kv_per_token = m->kv_per_token,
                                    .parameters = m->parameters,
                                    .context = m->context,
                                    .trained = m->trained,
                                    .learned = FACT_UNKNOWN,
                                    .cloud = m->cloud};
    snprintf(model.name, sizeof model.name, "%s", m->name);
    struct admission_server server;
    admission_server_of(c, &server);
    server.vram = vram_free(loader);
    model.learned = learned(loader, c, &model, &server);
    loader_room_of(loader, c, &loader->room);
    struct admission_wish wish = {.model = &model,
                                  .server = &server,
                                  .force = loader->wish.force,
                                  .keep_others = loader->wish.keep_others,
                                  .no_waiting = no_waiting};
    admission_decide(&wish, &loader->room, &loader->admission);
    loader->decided = true;
}
