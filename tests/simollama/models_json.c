#include "models.h"
#include "text.h"

#include <stdio.h>
#include <string.h>

json_t *model_details(const struct model *model)
{
    (void)model;
    return json_pack("{ss ss ss s[s] ss ss}", "parent_model", "", "format", "gguf", "family",
                     "llama", "families", "llama", "parameter_size", model->parameter_size,
                     "quantization_level", "F16");
}

json_t *models_tags(void)
{
    const struct model *list[MODELS_MAX];
    json_t *all = json_array();
    for (size_t i = 0, n = models_newest_first(list); i < n; i++) {
        char modified[TIME_TEXT_SIZE];
        time_text(list[i]->modified_ns, 0, modified);
        json_t *details = model_details(list[i]);
        json_t *one =
            json_pack("{ss ss ss sI ss so}", "name", list[i]->name, "model", list[i]->name,
                      "modified_at", modified, "size", (json_int_t)list[i]->size_bytes, "digest",
                      list[i]->digest, "details", details);
        if (sim_generation() == RUNNER_LLAMA) {
            json_object_set_new(details, "context_length", json_integer(list[i]->train_context));
            json_object_set_new(details, "embedding_length", json_integer(list[i]->embedding));
            json_object_set_new(one, "capabilities", json_pack("[s]", "completion"));
        }
        json_array_append_new(all, one);
    }
    return json_pack("{so}", "models", all);
}

json_t *model_v1(const struct model *model, const char *id)
{
    return json_pack("{ss ss sI ss}", "id", id, "object", "model", "created",
                     (json_int_t)(model->modified_ns / 1000000000), "owned_by", "library");
}

json_t *models_v1(void)
{
    const struct model *list[MODELS_MAX];
    json_t *all = json_array();
    for (size_t i = 0, n = models_newest_first(list); i < n; i++)
        json_array_append_new(all, model_v1(list[i], list[i]->name));
    return json_pack("{ss so}", "object", "list", "data", all);
}

static void add_tensor(json_t *all, const char *name, const char *type, json_t *dimensions)
{
    json_array_append_new(all,
                          json_pack("{ss ss so}", "name", name, "type", type, "shape", dimensions));
}

/* The tensors of a llama model, in the order that the version lists them: as in the file, or by
 * name. */
static json_t *tensors(const struct model *model)
{
    enum { EMBEDDING, UP, DOWN };
    static const struct {
        const char *name;
        int kind;
    } by_file[] = {{"attn_norm", -1},          {"attn_q", EMBEDDING},
                   {"attn_k", EMBEDDING},      {"attn_v", EMBEDDING},
                   {"attn_output", EMBEDDING}, {"ffn_norm", -1},
                   {"ffn_gate", UP},           {"ffn_up", UP},
                   {"ffn_down", DOWN}},
      by_name[] = {{"attn_k", EMBEDDING}, {"attn_norm", -1},     {"attn_output", EMBEDDING},
                   {"attn_q", EMBEDDING}, {"attn_v", EMBEDDING}, {"ffn_down", DOWN},
                   {"ffn_gate", UP},      {"ffn_norm", -1},      {"ffn_up", UP}};
    bool old = sim_generation() == RUNNER_OLLAMA;
    json_t *all = json_array();
    int wide = (int)model->embedding, feed = (int)model->feed_forward;
    if (!old)
        add_tensor(all, "output_norm.weight", "F32", json_pack("[i]", wide));
    add_tensor(all, "token_embd.weight", "F16", json_pack("[ii]", wide, 259));
    if (old)
        add_tensor(all, "output_norm.weight", "F32", json_pack("[i]", wide));
    for (unsigned layer = 0; layer < model->layers; layer++) {
        for (size_t i = 0; i < sizeof by_file / sizeof by_file[0]; i++) {
            char name[64];
            int kind = old ? by_file[i].kind : by_name[i].kind;
            snprintf(name, sizeof name, "blk.%u.%s.weight", layer,
                     old ? by_file[i].name : by_name[i].name);
            if (kind < 0)
                add_tensor(all, name, "F32", json_pack("[i]", wide));
            else
                add_tensor(all, name, "F16",
                           json_pack("[ii]", kind == DOWN ? feed : wide, kind == UP ? feed : wide));
        }
    }
    return all;
}

/* The vocabulary of the recordings' models: three marks and the 256 bytes. */
static void add_vocabulary(json_t *info)
{
    enum { MARKS = 3, TOKENS = MARKS + 256, TYPE_UNKNOWN = 2, TYPE_CONTROL, TYPE_BYTE = 6 };
    static const char *const marks[MARKS] = {"<unk>", "<s>", "</s>"};
    json_t *scores = json_array(), *types = json_array(), *tokens = json_array();
    for (int i = 0; i < TOKENS; i++) {
        char byte[8];
        snprintf(byte, sizeof byte, "<0x%02X>", (unsigned)(i - MARKS) & 0xff);
        json_array_append_new(scores, json_integer(0));
        json_array_append_new(types, json_integer(i == 0      ? TYPE_UNKNOWN
                                                  : i < MARKS ? TYPE_CONTROL
                                                              : TYPE_BYTE));
        json_array_append_new(tokens, json_string(i < MARKS ? marks[i] : byte));
    }
    json_object_set_new(info, "tokenizer.ggml.scores", scores);
    json_object_set_new(info, "tokenizer.ggml.token_type", types);
    json_object_set_new(info, "tokenizer.ggml.tokens", tokens);
}

static json_t *model_info(const struct model *model, bool verbose)
{
    json_t *info = json_pack("{ss si sI}", "general.architecture", "llama", "general.file_type", 1,
                             "general.parameter_count", (json_int_t)model->parameters);
    if (sim_generation() == RUNNER_LLAMA)
        json_object_set_new(info, "general.quantization_version", json_integer(2));
    json_t *rest = json_pack(
        "{si sf si si si si ss sn sn sn}", "llama.attention.head_count", (int)model->heads,
        "llama.attention.layer_norm_rms_epsilon", 1e-5, "llama.block_count", (int)model->layers,
        "llama.context_length", (int)model->train_context, "llama.embedding_length",
        (int)model->embedding, "llama.feed_forward_length", (int)model->feed_forward,
        "tokenizer.ggml.model", "llama", "tokenizer.ggml.scores", "tokenizer.ggml.token_type",
        "tokenizer.ggml.tokens");
    json_object_update(info, rest);
    json_decref(rest);
    if (verbose)
        add_vocabulary(info);
    return info;
}

json_t *model_show(const struct model *model, bool verbose)
{
    char path[BLOB_PATH_SIZE], modified[TIME_TEXT_SIZE], parameters[64] = "";
    model_blob_path(model, path);
    time_text(model->modified_ns, 0, modified);
    struct text file = {0};
    text_print(&file,
               "# Modelfile generated by \"ollama show\"\n"
               "# To build a new Modelfile based on this, replace FROM with:\n"
               "# FROM %s\n\nFROM %s\nTEMPLATE {{ .Prompt }}\n",
               model->name, path);
    if (model->num_ctx) {
        text_print(&file, "PARAMETER num_ctx %llu\n", (unsigned long long)model->num_ctx);
        snprintf(parameters, sizeof parameters, "%-30s %llu", "num_ctx",
                 (unsigned long long)model->num_ctx);
    }
    json_t *details = model_details(model);
    if (sim_generation() == RUNNER_OLLAMA)
        json_object_set_new(details, "parent_model", json_string(path));
    json_t *show = json_pack("{ss}", "modelfile", file.data);
    if (*parameters)
        json_object_set_new(show, "parameters", json_string(parameters));
    json_t *rest = json_pack("{ss so so so s[s] ss}", "template", "{{ .Prompt }}", "details",
                             details, "model_info", model_info(model, verbose), "tensors",
                             tensors(model), "capabilities", "completion", "modified_at", modified);
    json_object_update(show, rest);
    json_decref(rest);
    text_free(&file);
    return show;
}
