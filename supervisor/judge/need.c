/* What a model will take: measured before, else by its metadata, else by the table, else by its
 * name. */
#include "judge/admission.h"
#include "judge/ledger.h"

#include <stdlib.h>

static const fact context_default = 4096; /* Ollama's without VRAM */
/* Beside weights, KV cache and buffers; measured on a model of 0.2 MB. */
static const fact llama_server_bytes = (fact)5 << 19, ollama_runner_bytes = (fact)5 << 20;
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
    *ret_server = (struct admission_server){
        .context = number(c, "OLLAMA_CONTEXT_LENGTH", context_default),
        .parallel = number(c, "OLLAMA_NUM_PARALLEL", 1),
        .kv_scale = footprint_kv_scale(ledger_kv_type(c)),
        .runner = ledger_runs_llama_server(c, NULL) ? llama_server_bytes : ollama_runner_bytes};
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
    need->compute = fact_add(compute, server->runner);
    need->kv = footprint_kv(kv_per_token, need->context, need->parallel, server->kv_scale);
    need->bytes = fact_add(fact_add(need->weights, need->kv), need->compute);
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
        fact compute = fact_known(model->graph) ? footprint_buffers(model->graph, need->context)
                                                : compute_of(model->file);
        fill(need, model->file, fact_known(kv) ? kv : 0, compute, server);
    } else if (known.source != FOOTPRINT_UNKNOWN) {
        need->source = known.source == FOOTPRINT_KNOWN ? NEED_TABLE : NEED_NAME;
        fill(need, known.weights, known.kv_per_token, known.compute, server);
    } else if (!fact_known(model->learned)) {
        return;
    }
    if (fact_known(model->learned)) {
        need->source = NEED_LEARNED;
        need->bytes = model->learned;
    } else if (server->vram > 0 && fact_known(need->bytes)) {
        need->vram =
            server->vram < need->weights + need->kv ? server->vram : need->weights + need->kv;
        need->bytes -= need->vram;
    }
    need->wanted = fact_add(need->bytes, fact_scale(need->bytes, margin_percent / 100));
    if (!fact_known(need->wanted)) { /* figures that no machine has */
        need->source = NEED_UNKNOWN;
        need->bytes = FACT_UNKNOWN;
    }
}
