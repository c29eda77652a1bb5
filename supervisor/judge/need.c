/* What a model will take: measured before, else by its metadata, else by the table, else by its
 * name (row B7). */
#include "judge/admission.h"

#include <stdlib.h>
#include <strings.h>

static const fact context_default = 4096; /* Ollama's without VRAM (facts on Ollama, 2) */
static const fact compute_least = (fact)32 << 20;

const char *need_source_name(enum need_source source)
{
    static const char *const names[] = {"unknown",
                                        "runs elsewhere",
                                        "what was measured before",
                                        "its metadata",
                                        "the table of known models",
                                        "its name"};
    return names[source];
}

/* A number above 0 of the container's environment. */
static fact number(const struct container *c, const char *name, fact otherwise)
{
    const char *text = container_env(c, name);
    char *end;
    long long value = text ? strtoll(text, &end, 10) : 0;
    return text && end != text && *end == '\0' && value > 0 && value < INT32_MAX ? (fact)value
                                                                                 : otherwise;
}

void admission_server_of(const struct container *c, struct admission_server *ret_server)
{
    const char *type = container_env(c, "OLLAMA_KV_CACHE_TYPE");
    /* Measured: q8_0 takes 0.531 of f16; q4_0 has 4.5 bits of 16 (facts on Ollama, 2). */
    double scale = !type                           ? 1
                   : strcasecmp(type, "q8_0") == 0 ? 0.532
                   : strcasecmp(type, "q4_0") == 0 ? 0.282
                                                   : 1;
    *ret_server =
        (struct admission_server){.context = number(c, "OLLAMA_CONTEXT_LENGTH", context_default),
                                  .parallel = number(c, "OLLAMA_NUM_PARALLEL", 1),
                                  .kv_scale = scale};
}

/* llama.cpp's buffers: as the table has them for models of that size, for tiny ones less: some
 * MiB for a model of 200 MB (measured). */
static fact compute_of(fact weights)
{
    fact most = weights >= (fact)12 << 30 ? (fact)640 << 20 : (fact)320 << 20;
    fact compute = weights / 8;
    return compute < compute_least ? compute_least : compute > most ? most : compute;
}

static void fill(struct need *need, fact weights, fact kv_per_token, fact compute,
                 const struct admission_server *server)
{
    need->weights = weights;
    need->compute = compute;
    need->kv = (fact)((double)(kv_per_token * need->context * need->parallel) * server->kv_scale);
    need->bytes = need->weights + need->kv + need->compute;
}

void need_of(const struct admission_model *model, const struct admission_server *server,
             double margin_percent, struct need *ret_need)
{
    struct footprint known = footprint_of(model->name);
    struct need *need = ret_need;
    *need = (struct need){.weights = FACT_UNKNOWN,
                          .kv = FACT_UNKNOWN,
                          .compute = FACT_UNKNOWN,
                          .bytes = FACT_UNKNOWN,
                          .wanted = FACT_UNKNOWN,
                          .margin_percent = margin_percent,
                          .context = fact_known(model->context) ? model->context : server->context,
                          .parallel = server->parallel,
                          .parameters = model->parameters};
    if (fact_known(model->trained) && model->trained > 0 && need->context > model->trained)
        need->context = model->trained;
    if (!fact_known(need->parameters) && known.parameters > 0)
        need->parameters = (fact)known.parameters;
    if (model->cloud) {
        need->source = NEED_NONE;
        need->bytes = need->wanted = 0;
        return;
    }
    if (fact_known(model->file)) {
        need->source = NEED_METADATA;
        fact kv = fact_known(model->kv_per_token) ? model->kv_per_token : known.kv_per_token;
        fill(need, model->file, fact_known(kv) ? kv : 0, compute_of(model->file), server);
    } else if (known.source != FOOTPRINT_UNKNOWN) {
        need->source = known.source == FOOTPRINT_KNOWN ? NEED_TABLE : NEED_NAME;
        fill(need, known.weights, known.kv_per_token, known.compute, server);
    } else if (!fact_known(model->learned)) {
        return;
    }
    fact estimated = need->bytes;
    if (fact_known(model->learned)) {
        need->source = NEED_LEARNED;
        need->bytes = model->learned;
    } else if (server->vram > 0) {
        need->vram =
            server->vram < need->weights + need->kv ? server->vram : need->weights + need->kv;
        need->bytes -= need->vram;
    }
    if (fact_known(estimated) && need->bytes > estimated) {
        /* It has grown beyond a load by its requests, as a prompt cache does: the most that it
         * ever held has its margin in it. */
        fact with_margin = estimated + (fact)((double)estimated * margin_percent / 100);
        need->wanted = need->bytes > with_margin ? need->bytes : with_margin;
        return;
    }
    need->wanted = need->bytes + (fact)((double)need->bytes * margin_percent / 100);
}
