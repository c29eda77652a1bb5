#include "models.h"
#include "loop.h"
#include "models_recorded.h"
#include "text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LEN_MAX    100 /* with its tag it fits MODEL_NAME_SIZE */
#define DEFAULT_VERSION "0.33.0"
#define DEFAULT_CTX     4096 /* without VRAM (server/routes.go) */
#define CUSTOM_KV       (32u << 10)
#define CUSTOM_TRAIN    131072
static struct model models[MODELS_MAX];
static size_t model_count;

const char *sim_version(void)
{
    static char version[32];
    const char *set = getenv("SIMOLLAMA_VERSION");
    if (!*version) {
        const char *dot = set ? strchr(set, '.') : NULL;
        snprintf(version, sizeof version, "%s%s", set && *set ? set : DEFAULT_VERSION,
                 dot && !strchr(dot + 1, '.') ? ".0" : "");
    }
    return version;
}

enum generation sim_generation(void)
{
    const char *dot = strchr(sim_version(), '.');
    return dot && strtoul(dot + 1, NULL, 10) < 30 && *sim_version() == '0' ? RUNNER_OLLAMA
                                                                           : RUNNER_LLAMA;
}

static struct model *add(const char *name)
{
    if (model_count == MODELS_MAX)
        return NULL;
    struct model *model = &models[model_count++];
    *model = (struct model){.modified_ns = loop_wall_ns()};
    snprintf(model->name, sizeof model->name, "%s", name);
    return model;
}

static void add_recorded(const struct recorded_model *recorded)
{
    const struct recorded_generation *by = &recorded->by[sim_generation()];
    struct model *model = add(recorded->name);
    snprintf(model->parameter_size, sizeof model->parameter_size, "%s", recorded->parameter_size);
    model->parameters = recorded->parameters;
    model->layers = recorded->layers;
    model->heads = recorded->heads;
    model->embedding = recorded->embedding;
    model->feed_forward = recorded->feed_forward;
    model->train_context = recorded->train_context;
    model->num_ctx = RECORDED_NUM_CTX;
    model->anon_bytes = recorded->anon_bytes;
    if (sim_generation() == RUNNER_OLLAMA)
        model->anon_bytes += OLD_RUNNER_EXTRA_BYTES;
    model->kv_bytes = recorded->kv_bytes;
    snprintf(model->digest, sizeof model->digest, "%s", by->digest);
    snprintf(model->blob, sizeof model->blob, "%s", by->blob);
    model->size_bytes = model->file_bytes = by->size_bytes;
    model->listed_bytes = by->listed_bytes;
    model->listed_per_token = by->listed_per_token;
    model->listed_at_twice = by->listed_at_8192;
}

static void made_up_digest(const char *name, const char *kind, char digest[65])
{
    char part[MODEL_NAME_SIZE + 32];
    for (int i = 0; i < 4; i++) {
        int n = snprintf(part, sizeof part, "%s %s %d", kind, name, i);
        snprintf(digest + (size_t)i * 16, 17, "%016llx",
                 (unsigned long long)text_hash(part, (size_t)n));
    }
}

static uint64_t server_context(void)
{
    const char *text = getenv("OLLAMA_CONTEXT_LENGTH");
    uint64_t context = text ? strtoull(text, NULL, 10) : 0;
    return context ? context : DEFAULT_CTX;
}

/* "name=ANON[:FILE]" */
static void add_custom(const char *item)
{
    char name[MODEL_NAME_SIZE], digest[65];
    const char *equals = strchr(item, '=');
    if (!equals || (size_t)(equals - item) >= sizeof name)
        die("SIMOLLAMA_MODELS: \"%s\" is not name=ANON[:FILE]", item);
    snprintf(name, sizeof name, "%.*s", (int)(equals - item), item);
    char sizes[64], full[MODEL_NAME_SIZE];
    snprintf(sizes, sizeof sizes, "%s", equals + 1);
    char *colon = strchr(sizes, ':');
    if (colon)
        *colon++ = '\0';
    uint64_t anon, file;
    model_full_name(name, full);
    if (!*full || bytes_parse(sizes, &anon) < 0)
        die("SIMOLLAMA_MODELS: \"%s\" is not name=ANON[:FILE]", item);
    file = anon;
    if (colon && bytes_parse(colon, &file) < 0)
        die("SIMOLLAMA_MODELS: \"%s\" is not name=ANON[:FILE]", item);
    if (models_find(full))
        models_delete(models_find(full));
    struct model *model = add(full);
    if (!model)
        die("SIMOLLAMA_MODELS: more than %d models", MODELS_MAX);
    made_up_digest(full, "manifest", model->digest);
    made_up_digest(full, "blob", digest);
    snprintf(model->blob, sizeof model->blob, "sha256-%s", digest);
    model->size_bytes = file ? file : anon;
    model->file_bytes = file;
    model->parameters = model->size_bytes / 2;
    snprintf(model->parameter_size, sizeof model->parameter_size, "%.1fB",
             (double)model->parameters / 1e9);
    model->layers = 8;
    model->heads = 16;
    model->embedding = 1024;
    model->feed_forward = 2816;
    model->train_context = CUSTOM_TRAIN;
    model->kv_bytes = CUSTOM_KV;
    /* ANON is what it holds at the default context. */
    uint64_t kv = CUSTOM_KV * server_context();
    model->anon_bytes = anon > kv ? anon - kv : 0;
    if (anon <= kv)
        model->kv_bytes = anon / server_context();
    bool old = sim_generation() == RUNNER_OLLAMA;
    model->listed_bytes = (int64_t)(old && !model->anon_bytes ? anon : model->anon_bytes);
    /* 0.24 lists the weights alone on a CPU, without the KV cache. */
    model->listed_per_token = old ? 0 : model->kv_bytes;
    model->listed_at_twice =
        model->listed_bytes + (int64_t)(model->listed_per_token * LISTED_BEND * 2);
}

/* The item of a list "name=…,name=…" into item; false: it has none of that name. */
static bool find_item(const char *list, const char *name, char *item, size_t size)
{
    char full[MODEL_NAME_SIZE], its[MODEL_NAME_SIZE];
    model_full_name(name, full);
    while (list && *list) {
        size_t len = strcspn(list, ",");
        snprintf(its, sizeof its, "%.*s", (int)strcspn(list, "=,"), list);
        snprintf(item, size, "%.*s", (int)len, list);
        model_full_name(its, its);
        if (*full && !strcmp(its, full))
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

uint64_t models_pullable(const char *name)
{
    char item[MODEL_NAME_SIZE + 64];
    uint64_t bytes;
    if (!find_item(getenv("SIMOLLAMA_PULLS"), name, item, sizeof item))
        return 0;
    char *size = strrchr(item, ':') > strchr(item, '=') ? strrchr(item, ':') : strchr(item, '=');
    return size && bytes_parse(size + 1, &bytes) == 0 ? bytes : 0;
}

void models_pulled(const char *name)
{
    char item[MODEL_NAME_SIZE + 64];
    if (find_item(getenv("SIMOLLAMA_PULLS"), name, item, sizeof item))
        add_custom(item);
}

void models_start(void)
{
    for (size_t i = 0; i < RECORDED_MODELS; i++)
        add_recorded(&recorded_models[i]);
    const char *list = getenv("SIMOLLAMA_MODELS");
    while (list && *list) {
        char item[MODEL_NAME_SIZE + 64];
        size_t len = strcspn(list, ",");
        snprintf(item, sizeof item, "%.*s", (int)len, list);
        if (len)
            add_custom(item);
        list += len + (list[len] == ',');
    }
}

void model_full_name(const char *name, char full[MODEL_NAME_SIZE])
{
    static const char *const prefixes[] = {"registry.ollama.ai/", "library/"};
    char lower[MODEL_NAME_SIZE];
    size_t n = 0;
    for (; name[n] && n + 1 < sizeof lower; n++)
        lower[n] = (char)tolower((unsigned char)name[n]);
    lower[n] = '\0';
    const char *rest = lower;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (!strncmp(rest, prefixes[i], strlen(prefixes[i])))
            rest += strlen(prefixes[i]);
    size_t len = strlen(rest);
    if (!len || name[n] || len > NAME_LEN_MAX)
        full[0] = '\0';
    else
        snprintf(full, MODEL_NAME_SIZE, "%.*s%s", NAME_LEN_MAX, rest,
                 strchr(rest, ':') ? "" : ":latest");
}

struct model *models_find(const char *name)
{
    char full[MODEL_NAME_SIZE];
    model_full_name(name, full);
    for (size_t i = 0; i < model_count; i++)
        if (!strcmp(models[i].name, full))
            return &models[i];
    return NULL;
}

bool models_copy(const struct model *from, const char *name)
{
    struct model copy = *from; /* the catalogue may move */
    model_full_name(name, copy.name);
    copy.modified_ns = loop_wall_ns();
    struct model *to = *copy.name ? models_find(copy.name) : NULL;
    if (!to && *copy.name)
        to = add(copy.name);
    if (to)
        *to = copy;
    return to != NULL;
}

void models_renew(struct model *model)
{
    char was[65], digest[65];
    snprintf(was, sizeof was, "%s", model->digest);
    made_up_digest(was, "manifest", model->digest);
    made_up_digest(was, "blob", digest);
    snprintf(model->blob, sizeof model->blob, "sha256-%s", digest);
    model->modified_ns = loop_wall_ns();
}

void models_delete(struct model *model)
{
    size_t at = (size_t)(model - models);
    memmove(model, model + 1, (model_count - at - 1) * sizeof *model);
    model_count--;
}

uint64_t model_context(const struct model *model, uint64_t num_ctx)
{
    if (!num_ctx)
        num_ctx = model->num_ctx ? model->num_ctx : server_context();
    return num_ctx > model->train_context ? model->train_context : num_ctx;
}

uint64_t model_runner_anon(const struct model *model, uint64_t context)
{
    return model->anon_bytes + model->kv_bytes * context;
}

int64_t model_listed_size(const struct model *model, uint64_t context)
{
    int64_t at_bend = model->listed_bytes + (int64_t)model->listed_per_token * LISTED_BEND;
    int64_t above = (int64_t)context - LISTED_BEND;
    if (above <= 0)
        return at_bend + above * (int64_t)model->listed_per_token;
    return at_bend +
           (int64_t)((double)(model->listed_at_twice - at_bend) * (double)above / LISTED_BEND);
}

void model_blob_path(const struct model *model, char path[BLOB_PATH_SIZE])
{
    snprintf(path, BLOB_PATH_SIZE, BLOB_DIR "/%s", model->blob);
}

static int newest_first(const void *a, const void *b)
{
    const struct model *x = *(const struct model *const *)a, *y = *(const struct model *const *)b;
    return x->modified_ns < y->modified_ns ? 1 : x->modified_ns > y->modified_ns ? -1 : 0;
}

size_t models_newest_first(const struct model *list[MODELS_MAX])
{
    for (size_t i = 0; i < model_count; i++)
        list[i] = &models[i];
    qsort(list, model_count, sizeof *list, newest_first);
    return model_count;
}
