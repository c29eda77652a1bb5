/* /llm/production, the paths of the operational runbook: its fields and units (a GB is 10^9 bytes),
 * from what the daemon saw last. */
#include "base/clock.h"
#include "base/model_name.h"
#include "sense/json_put.h"
#include "sense/ollama_load.h"
#include "tell/serve/scope.h"

#include <stdio.h>
#include <string.h>

/* ---- models and memory */

static json_t *model_json(const struct scope *s, const struct container *c, const struct model *m,
                          const struct config *config)
{
    size_t n;
    const struct tier *tiers = config_tiers(config, &n);
    enum tier_rank tier = tier_of(tiers, n, m->name);
    json_t *one = json_pack("{s:s, s:s, s:s, s:b}", "name", m->name, "container", c->name, "tier",
                            tier_rank_name(tier), "protected", tier_protected(tier));
    (void)s;
    put_gb(one, "sizeGB", m->size);
    put_known(one, "sizeBytes", m->size);
    put_gb(one, "vramGB", m->size_vram);
    put_known(one, "contextLength", m->context_length);
    put_text(one, "expiresAt", m->expires_at);
    return one;
}

static json_t *models_json(const struct scope *s, const struct config *config)
{
    const struct world *w = s->state.world;
    json_t *list = json_array();
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        for (size_t k = 0; scope_has(s, c) && k < c->ollama.n_models; k++)
            json_array_append_new(list, model_json(s, c, &c->ollama.models[k], config));
    }
    return list;
}

static bool is_loaded(const struct scope *s, const char *model)
{
    const struct world *w = s->state.world;
    for (size_t i = 0; i < w->n_containers; i++)
        for (size_t k = 0; k < w->containers[i].ollama.n_models; k++)
            if (scope_has(s, &w->containers[i]) &&
                model_same(w->containers[i].ollama.models[k].name, model))
                return true;
    return false;
}

/* Each model of the three tiers, and whether it is loaded. */
static json_t *tiers_json(const struct scope *s, const struct config *config)
{
    size_t n;
    const struct tier *tiers = config_tiers(config, &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const char *models = tiers[i].models;
        char name[MODEL_NAME_SIZE];
        while (tier_protected(tier_rank(tiers[i].name)) &&
               model_list_next(&models, name, sizeof name))
            json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "tier", tiers[i].name, "model",
                                                  name, "loaded", is_loaded(s, name)));
    }
    return list;
}

static json_t *stats_json(const struct scope *s, const struct config *config)
{
    const struct settings *settings = config_settings(config);
    fact budget = settings->memory_max_model_memory;
    json_t *json = json_pack("{s:s, s:i, s:o, s:s?}", "memoryPressure", pressure_name(s->level),
                             "loadedModels", (int)s->n_models, "threeTierModels",
                             tiers_json(s, config), "container", s->one ? s->one->name : NULL);
    put_gb(json, "usedMemoryGB", s->held);
    put_known(json, "usedMemoryBytes", s->held);
    put_gb(json, "limitGB", s->limit);
    put_gb(json, "maxModelMemoryGB", budget);
    put_gb(json, "modelMemoryGB", s->models);
    put_gb(json, "hostTotalGB", s->state.world->host.total);
    put_gb(json, "hostAvailableGB", s->state.world->host.available);
    if (fact_known(s->held) && s->held >= 0 && fact_known(s->limit) && s->limit > 0)
        put_real(json, "usagePercent", 100.0 * (double)s->held / (double)s->limit);
    return json;
}

static void stats(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    struct scope s;
    if (scope_of(serve, call, &s))
        api_answer(call, 200, stats_json(&s, serve->o.config));
}

static void models(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    struct scope s;
    if (scope_of(serve, call, &s))
        api_answer(call, 200,
                   json_pack("{s:o, s:i, s:s?}", "models", models_json(&s, serve->o.config),
                             "count", (int)s.n_models, "container", s.one ? s.one->name : NULL));
}

/* ---- what is asked to be done */

static void answer_done(struct api_call *call, const struct operation *op, int status)
{
    const json_t *last = json_array_get(op->rows, json_array_size(op->rows) - 1);
    json_t *json = json_pack("{s:b, s:s, s:O, s:f, s:I, s:f, s:I}", "success", status == 200,
                             "operation", op->what, "results", op->rows, "memoryFreedGB",
                             scope_gb(op->freed), "memoryFreedBytes", (json_int_t)op->freed,
                             "durationSeconds", op->took_s, "id", (json_int_t)op->number);
    put_text(json, "message",
             last ? json_string_value(json_object_get(last, "text")) : "there was nothing to do");
    api_answer(call, status, json);
}

static void load(void *userdata, struct api_call *call)
{
    operation_load(userdata, call, api_text(call, "modelName"), api_text(call, "container"),
                   OLLAMA_KEEP_DEFAULT, false, answer_done);
}

static void unload(void *userdata, struct api_call *call)
{
    operation_unload(userdata, call, api_text(call, "modelName"), api_text(call, "container"),
                     false, answer_done);
}

static void optimize(void *userdata, struct api_call *call)
{
    struct operation *op =
        operation_new(userdata, call, "optimize", api_text(call, "container"), answer_done);
    if (!op)
        return;
    op->optimizes = true;
    operation_begin(op);
}

static void preload(void *userdata, struct api_call *call)
{
    operation_preload(userdata, call, api_text(call, "container"), false, answer_done);
}

static void emergency(void *userdata, struct api_call *call)
{
    operation_preload(userdata, call, api_text(call, "container"), true, answer_done);
}

/* ---- health */

static json_t *health_json(struct serve *serve, const struct scope *s)
{
    const struct world *w = s->state.world;
    json_t *list = json_array();
    bool all = true;
    char text[600];
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        if (!scope_has(s, c))
            continue;
        json_t *one =
            json_pack("{s:s, s:b}", "container", c->name, "connected", c->ollama.reachable);
        put_real(one, "responseTimeMs", c->ollama.reachable ? c->ollama.latency_ms : -1);
        put_text(one, "version", c->ollama.version);
        put_text(one, "error", c->ollama.error);
        json_array_append_new(list, one);
        all &= c->ollama.reachable;
    }
    const char *ill = serve_ill(serve, text, sizeof text);
    return json_pack("{s:s, s:b, s:o, s:s, s:s?}", "status",
                     ill                                ? "critical"
                     : all && json_array_size(list) > 0 ? "healthy"
                                                        : "degraded",
                     "ollamaConnected", all && json_array_size(list) > 0, "containers", list,
                     "memoryPressure", pressure_name(s->level), "why", ill);
}

static void health(void *userdata, struct api_call *call)
{
    struct scope s;
    if (scope_of(userdata, call, &s))
        api_answer(call, 200, health_json(userdata, &s));
}

static json_t *model_health_json(const struct scope *s)
{
    const struct world *w = s->state.world;
    json_t *list = json_array();
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        for (size_t k = 0; scope_has(s, c) && k < c->ollama.n_models; k++) {
            const char *name = c->ollama.models[k].name, *why = NULL;
            for (size_t v = 0; v < s->state.judgement->n_verdicts; v++) {
                const struct verdict *verdict = &s->state.judgement->verdicts[v];
                if (verdict->state == VERDICT_RAISED && strcmp(verdict->id, c->id) == 0 &&
                    (strcmp(verdict->model, name) == 0 || verdict->kind == VERDICT_UNREACHABLE) &&
                    strcmp(alert_type(verdict_kind_name(verdict->kind)), "memory-pressure") != 0)
                    why = verdict->why;
            }
            json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:s?}", "name", name,
                                                  "container", c->name, "healthy",
                                                  !why && c->ollama.reachable, "why", why));
        }
    }
    return list;
}

static void model_health(void *userdata, struct api_call *call)
{
    struct scope s;
    if (scope_of(userdata, call, &s))
        api_answer(call, 200, json_pack("{s:o}", "models", model_health_json(&s)));
}

static void alerts(void *userdata, struct api_call *call)
{
    struct scope s;
    size_t critical;
    if (!scope_of(userdata, call, &s))
        return;
    json_t *list = scope_alerts(&s, &critical);
    api_answer(call, 200,
               json_pack("{s:o, s:i, s:i}", "alerts", list, "count", (int)json_array_size(list),
                         "critical", (int)critical));
}

/* ---- operations */

static void status(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    struct scope s;
    size_t critical;
    char now[32];
    if (!scope_of(serve, call, &s))
        return;
    json_t *list = scope_alerts(&s, &critical);
    clock_format(clock_wall_ms(), now, sizeof now);
    api_answer(call, 200,
               json_pack("{s:s, s:s, s:o, s:o, s:o}", "status",
                         critical                    ? "critical"
                         : json_array_size(list) > 0 ? "degraded"
                                                     : "operational",
                         "timestamp", now, "health", health_json(serve, &s), "memory",
                         stats_json(&s, serve->o.config), "alerts", list));
}

/* What is wrong and what to do about it, a sentence each. */
static void add_issues(const json_t *alerts, json_t *issues, json_t *recommendations)
{
    size_t i;
    json_t *one;
    char text[900];
    json_array_foreach(alerts, i, one)
    {
        const char *container = json_string_value(json_object_get(one, "container"));
        const char *why = json_string_value(json_object_get(one, "message"));
        snprintf(text, sizeof text, "%s: %s: %s", container ? container : "host",
                 json_string_value(json_object_get(one, "verdict")), why ? why : "");
        json_array_append_new(issues, json_string(text));
        snprintf(text, sizeof text, "%s: %s", json_string_value(json_object_get(one, "verdict")),
                 json_string_value(json_object_get(one, "runbook")));
        json_array_append_new(recommendations, json_string(text));
    }
}

static void diagnostics(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    struct scope s;
    size_t critical;
    char text[600];
    if (!scope_of(serve, call, &s))
        return;
    json_t *list = scope_alerts(&s, &critical), *issues = json_array(),
           *recommendations = json_array();
    const char *ill = serve_ill(serve, text, sizeof text);
    add_issues(list, issues, recommendations);
    if (ill)
        json_array_append_new(issues, json_string(ill));
    api_answer(call, 200,
               json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "overallHealth",
                         critical || ill             ? "critical"
                         : json_array_size(list) > 0 ? "degraded"
                                                     : "healthy",
                         "issues", issues, "recommendations", recommendations, "memoryStats",
                         stats_json(&s, serve->o.config), "health", health_json(serve, &s),
                         "alerts", list));
}

/* ---- the table */

static const struct api_member load_parameters[] = {MODEL_PARAMETERS("modelName"), {0}};
static const struct api_member hint_members[] = {
    {.name = "taskComplexity",
     .type = API_STRING,
     .about = "a hint; taken, not used",
     .optional = true},
    {.name = "priority", .type = API_STRING, .about = "a hint; taken, not used", .optional = true},
    {0}};
static const struct api_schema hints = {"LoadHints", "Hints of the caller.", hint_members, true};

static const struct api_member done_members[] = {
    {.name = "success", .type = API_BOOLEAN, .about = "all of it is done"},
    {.name = "operation", .type = API_STRING, .about = "what it was"},
    {.name = "message", .type = API_STRING, .about = "one sentence", .optional = true},
    {.name = "results", .type = API_OBJECT, .about = "one a model", .list = true},
    {.name = "memoryFreedGB", .type = API_NUMBER, .about = "10^9 bytes that came back"},
    {.name = "memoryFreedBytes", .type = API_INTEGER, .about = "the same, in bytes"},
    {.name = "durationSeconds", .type = API_NUMBER, .about = "how long it took"},
    {.name = "id", .type = API_INTEGER, .about = "its number: /api/v1/operations/{id}"},
    {0}};
static const struct api_schema done_schema = {"Done", "What was done.", done_members, false};
static const struct api_answer done_answers[] = {
    {.status = 200, .about = "done", .schema = &done_schema},
    OPERATION_BEGUN,
    {.status = 409, .about = "busy, or there is no room", .schema = &done_schema},
    {.status = 502, .about = "some of it failed", .schema = &done_schema},
    {0}};

#define OPEN(its_name, its_about) {its_name, its_about, no_members, true}
#define SEEN(its_schema)          {{.status = 200, .about = "as last seen", .schema = &(its_schema)}, {0}}
static const struct api_schema stats_schema = OPEN("MemoryStats", "Memory and its pressure."),
                               models_schema = OPEN("LoadedModels", "Models that are loaded."),
                               health_schema = OPEN("OllamaHealth", "Whether each Ollama answers."),
                               model_schema = OPEN("ModelHealth", "How each loaded model is."),
                               alerts_schema = OPEN("Alerts", "What stands."),
                               status_schema = OPEN("Status", "All of it in short."),
                               diagnostics_schema =
                                   OPEN("Diagnostics", "What is wrong, and what to "
                                                       "do about it.");
static const struct api_answer stats_answers[] = SEEN(stats_schema),
                               models_answers[] = SEEN(models_schema),
                               health_answers[] = SEEN(health_schema),
                               model_answers[] = SEEN(model_schema),
                               alerts_answers[] = SEEN(alerts_schema),
                               status_answers[] = SEEN(status_schema),
                               diagnostics_answers[] = SEEN(diagnostics_schema);

#define ASKS(path, id, about, answers, serve)                                                      \
    {NET_GET,   "/llm/production/" path, id,   "runbook", about,                                   \
     API_READS, container_parameter,     NULL, answers,   serve}
#define DOES(method, path, id, about, parameters, body, serve)                                     \
    {method,       "/llm/production/" path,                                                        \
     id,           "runbook",                                                                      \
     about,        API_ACTS,                                                                       \
     parameters,   body,                                                                           \
     done_answers, serve}

const struct api_route routes_runbook[] = {
    ASKS("memory/stats", "runbookStats", "Memory and its pressure.", stats_answers, stats),
    ASKS("memory/models", "runbookModels", "Models that are loaded.", models_answers, models),
    DOES(NET_POST, "memory/load/{modelName}", "runbookLoad", "Loads a model if there is room.",
         load_parameters, &hints, load),
    DOES(NET_DELETE, "memory/unload/{modelName}", "runbookUnload", "Unloads a model.",
         load_parameters, NULL, unload),
    DOES(NET_POST, "memory/optimize", "runbookOptimize",
         "Unloads idle models as far as the pressure asks.", container_parameter, NULL, optimize),
    DOES(NET_POST, "memory/preload-three-tier", "runbookPreload",
         "Loads what is wanted at hand: tiers and pins.", container_parameter, NULL, preload),
    ASKS("monitoring/health", "runbookHealth", "Whether each Ollama answers.", health_answers,
         health),
    {NET_POST, "/llm/production/monitoring/health-check", "runbookHealthCheck", "runbook",
     "The same: each is asked every supervisor.poll anyway.", API_READS, container_parameter, NULL,
     health_answers, health},
    ASKS("monitoring/models", "runbookModelHealth", "How each loaded model is.", model_answers,
         model_health),
    ASKS("monitoring/alerts", "runbookAlerts", "What stands.", alerts_answers, alerts),
    ASKS("operations/status", "runbookStatus", "All of it in short.", status_answers, status),
    ASKS("operations/diagnostics", "runbookDiagnostics", "What is wrong, and what to do about it.",
         diagnostics_answers, diagnostics),
    DOES(NET_POST, "operations/emergency-restart", "runbookEmergency",
         "Unloads all models, then loads what is wanted at hand. No container is restarted.",
         container_parameter, NULL, emergency),
    {0}};
