/* /api/memory (of the router) and the paths of the hardware optimizer (port 8523): their fields and
 * units; a GB is 10^9 bytes. */
#include "base/clock.h"
#include "sense/json_put.h"
#include "sense/ollama_load.h"
#include "tell/serve/scope.h"

#include <stdio.h>
#include <string.h>

/* ---- how operations end, in the words of these */

/* The names of the models that went. */
static json_t *gone(const struct operation *op)
{
    json_t *list = json_array(), *one;
    size_t i;
    json_array_foreach(op->rows, i, one)
    {
        json_t *model = json_object_get(one, "model");
        if (model && strncmp(json_string_value(json_object_get(one, "text")), "unloaded", 8) == 0)
            json_array_append(list, model);
    }
    return list;
}

/* What could not be done, or "". */
static const char *failure(const struct operation *op)
{
    size_t i;
    json_t *one;
    json_array_foreach(op->rows, i, one)
    {
        if (strcmp(json_string_value(json_object_get(one, "result")), "done") != 0)
            return json_string_value(json_object_get(one, "text"));
    }
    return "";
}

static json_t *released(const struct operation *op, int status)
{
    json_t *json = json_pack("{s:b, s:o, s:f, s:I, s:f, s:I}", "success", status == 200,
                             "models_unloaded", gone(op), "memory_released_gb", scope_gb(op->freed),
                             "memory_released_bytes", (json_int_t)op->freed, "duration_seconds",
                             op->took_s, "operation", (json_int_t)op->number);
    put_text(json, "error", failure(op));
    return json;
}

static void answer_released(struct api_call *call, const struct operation *op, int status)
{
    api_answer(call, status, released(op, status));
}

static void answer_loaded(struct api_call *call, const struct operation *op, int status)
{
    json_t *json = released(op, status);
    const json_t *one = json_array_get(op->rows, json_array_size(op->rows) - 1);
    json_int_t before = json_integer_value(json_object_get(one, "before"));
    json_int_t after = json_integer_value(json_object_get(one, "after"));
    if (json_object_get(one, "before"))
        put_gb(json, "memory_before_gb", before);
    if (json_object_get(one, "after"))
        put_gb(json, "memory_after_gb", after);
    put_text(json, "message", json_string_value(json_object_get(one, "text")));
    api_answer(call, status, json);
}

/* ---- /api/memory */

static json_t *loaded_models(const struct scope *s)
{
    const struct world *w = s->state.world;
    json_t *list = json_array();
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        for (size_t k = 0; scope_has(s, c) && k < c->ollama.n_models; k++) {
            const struct model *m = &c->ollama.models[k];
            json_t *one = json_pack("{s:s, s:s}", "name", m->name, "container", c->name);
            put_gb(one, "size_gb", m->size);
            put_known(one, "size_bytes", m->size);
            put_text(one, "expires_at", m->expires_at);
            json_array_append_new(list, one);
        }
    }
    return list;
}

/* The only one that is loaded; null. */
static json_t *active(const json_t *models)
{
    json_t *name = json_object_get(json_array_get(models, 0), "name");
    return json_array_size(models) == 1 ? json_incref(name) : json_null();
}

static void status(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    struct scope s;
    if (!scope_of(serve, call, &s))
        return;
    const struct host *h = &s.state.world->host;
    char when[32];
    clock_format(serve->unloaded_wall_ms, when, sizeof when);
    json_t *system = json_object(), *models = loaded_models(&s);
    put_gb(system, "total_gb", h->total);
    put_gb(system, "available_gb", h->available);
    put_real(system, "pressure_percent", pressure_in_use(h));
    json_t *ollama = json_pack("{s:O}", "loaded_models", models);
    put_gb(ollama, "total_loaded_gb", s.models);
    json_t *router = json_pack("{s:o, s:o}", "active_member", active(models), "last_unload",
                               serve->unloaded_wall_ms ? json_string(when) : json_null());
    json_decref(models);
    api_answer(call, 200,
               json_pack("{s:o, s:o, s:o, s:s?}", "system", system, "ollama", ollama, "router",
                         router, "container", s.one ? s.one->name : NULL));
}

static void flush(void *userdata, struct api_call *call)
{
    operation_unload(userdata, call, NULL, api_text(call, "container"), false, answer_released);
}

static void unload(void *userdata, struct api_call *call)
{
    operation_unload(userdata, call, api_text(call, "model_id"), api_text(call, "container"), false,
                     answer_released);
}

static void load(void *userdata, struct api_call *call)
{
    operation_load(userdata, call, api_text(call, "model_id"), api_text(call, "container"),
                   OLLAMA_KEEP_DEFAULT, false, answer_loaded);
}

/* ---- port 8523 */

static json_t *host_json(const struct host *h)
{
    json_t *json = json_object();
    put_known(json, "cpu_count", h->cpus);
    put_gb(json, "memory_total_gb", h->total);
    put_gb(json, "memory_available_gb", h->available);
    put_real(json, "memory_percent", pressure_in_use(h));
    put_gb(json, "swap_total_gb", h->swap_total);
    put_gb(json, "swap_used_gb", h->swap_used);
    return json;
}

static void resources(void *userdata, struct api_call *call)
{
    struct scope s;
    if (!scope_of(userdata, call, &s))
        return;
    const struct world *w = s.state.world;
    json_t *containers = json_array(), *json = host_json(&w->host);
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        fact held = container_held(c, &w->host), bound = cgroup_bound(&c->cgroup);
        json_t *one =
            json_pack("{s:s, s:s}", "name", c->name, "status", container_status_name(c->status));
        put_gb(one, "memory_gb", held);
        put_known(one, "memory_bytes", held);
        if (fact_known(bound) && bound > 0) {
            put_gb(one, "limit_gb", bound);
            if (fact_known(held) && held >= 0)
                put_real(one, "memory_percent", 100.0 * (double)held / (double)bound);
        }
        json_array_append_new(containers, one);
    }
    json_object_set_new(json, "level", json_string(pressure_name(s.state.judgement->level)));
    json_object_set_new(json, "containers", containers);
    json_object_set_new(json, "loaded_models", loaded_models(&s));
    api_answer(call, 200, json);
}

static void optimize(void *userdata, struct api_call *call)
{
    struct operation *op = scope_is_get(call)
                               ? operation_new(userdata, call, "optimize",
                                               api_text(call, "container"), answer_released)
                               : NULL;
    if (!op)
        return;
    op->optimizes = true;
    operation_begin(op);
}

static void scale_down(void *userdata, struct api_call *call)
{
    if (scope_is_get(call))
        flush(userdata, call);
}

/* ---- the table */

static const struct api_member model_parameter[] = {MODEL_PARAMETERS("model_id"), {0}};

static const struct api_member status_members[] = {
    {.name = "system", .type = API_OBJECT, .about = "total_gb, available_gb, pressure_percent"},
    {.name = "ollama", .type = API_OBJECT, .about = "loaded_models, total_loaded_gb"},
    {.name = "router",
     .type = API_OBJECT,
     .about = "active_member: the only loaded model; last_unload: RFC 3339"},
    {.name = "container",
     .type = API_STRING,
     .about = "which one it is about; null: all together",
     .nullable = true},
    {0}};
static const struct api_schema status_schema = {"MemoryStatus", "Memory of host and models.",
                                                status_members, false};
static const struct api_member released_members[] = {
    {.name = "success", .type = API_BOOLEAN, .about = "all of it is done"},
    {.name = "models_unloaded", .type = API_STRING, .about = "those that went", .list = true},
    {.name = "memory_released_gb", .type = API_NUMBER, .about = "10^9 bytes that came back"},
    {.name = "memory_released_bytes", .type = API_INTEGER, .about = "the same, in bytes"},
    {.name = "duration_seconds", .type = API_NUMBER, .about = "how long it took"},
    {.name = "operation", .type = API_INTEGER, .about = "its number: /api/v1/operations/{id}"},
    {.name = "memory_before_gb", .type = API_NUMBER, .about = "of a load", .optional = true},
    {.name = "memory_after_gb", .type = API_NUMBER, .about = "of a load", .optional = true},
    {.name = "message", .type = API_STRING, .about = "of a load", .optional = true},
    {.name = "error", .type = API_STRING, .about = "why not", .optional = true},
    {0}};
static const struct api_schema released_schema = {"Released", "What came back.", released_members,
                                                  false};
static const struct api_schema resources_schema = {
    "Resources", "The host, its containers and their models.", no_members, true};
static const struct api_answer status_answers[] = {
    {.status = 200, .about = "as last seen", .schema = &status_schema}, {0}};
static const struct api_answer resources_answers[] = {
    {.status = 200, .about = "as last seen", .schema = &resources_schema}, {0}};
static const struct api_answer released_answers[] = {
    {.status = 200, .about = "done", .schema = &released_schema},
    OPERATION_BEGUN,
    {.status = 409, .about = "busy, or there is no room", .schema = &released_schema},
    {.status = 502, .about = "some of it failed", .schema = &released_schema},
    {0}};

const struct api_route routes_memory[] = {
    {NET_GET, "/api/memory/status", "memoryStatus", "memory", "Memory of host and models.",
     API_READS, container_parameter, NULL, status_answers, status},
    {NET_POST, "/api/memory/flush", "memoryFlush", "memory", "Unloads all models.", API_ACTS,
     container_parameter, NULL, released_answers, flush},
    {NET_DELETE, "/api/memory/models/{model_id}", "memoryUnload", "memory", "Unloads a model.",
     API_ACTS, model_parameter, NULL, released_answers, unload},
    {NET_POST, "/api/memory/models/{model_id}/load", "memoryLoad", "memory",
     "Loads a model if there is room.", API_ACTS, model_parameter, NULL, released_answers, load},
    {NET_GET, "/resources", "resources", "resources", "The host, its containers and their models.",
     API_READS, container_parameter, NULL, resources_answers, resources},
    {NET_GET, "/optimize", "optimizeNow", "resources",
     "Unloads idle models as far as the pressure asks.", API_ACTS, container_parameter, NULL,
     released_answers, optimize},
    {NET_POST, "/optimize", "optimizeNowByPost", "resources", "The same.", API_ACTS,
     container_parameter, NULL, released_answers, optimize},
    {NET_GET, "/emergency-scale-down", "scaleDown", "resources", "Unloads all models.", API_ACTS,
     container_parameter, NULL, released_answers, scale_down},
    {NET_POST, "/emergency-scale-down", "scaleDownByPost", "resources", "The same.", API_ACTS,
     container_parameter, NULL, released_answers, scale_down},
    {0}};
