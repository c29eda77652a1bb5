/* What is asked about now: health, the world, its verdicts, the ledger, the configuration. */
#include "base/clock.h"
#include "base/config.h"
#include "judge/ledger_json.h"
#include "sense/json_put.h"
#include "tell/api/openapi.h"
#include "tell/serve/serve_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what several tables need */

const struct api_member no_members[] = {{0}};
const struct api_member container_parameter[] = {
    {.name = "container",
     .type = API_STRING,
     .about = "this one: its name, or how its id begins (12 digits or more)",
     .filled = true,
     .optional = true},
    {0}};

bool serve_seen(struct serve *serve, struct api_call *call, struct state *ret_state)
{
    if (serve->o.look(serve->o.userdata, ret_state))
        return true;
    api_problem(call, 503, "the first look is not over: ask again in a second");
    return false;
}

const struct container *serve_named(struct api_call *call, const struct world *world,
                                    const char *named)
{
    enum { ID_BEGINS = 12 };
    size_t length = strlen(named);
    char detail[320];
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (strcmp(c->name, named) == 0 ||
            (length >= ID_BEGINS && strncmp(c->id, named, length) == 0))
            return c;
    }
    snprintf(detail, sizeof detail, "no container \"%.200s\" is supervised here", named);
    api_problem(call, 404, detail);
    return NULL;
}

int serve_answer_text(struct api_call *call, const char *type, const char *text, size_t length)
{
    const struct net_field fields[] = {{"Content-Type", type}, {"Cache-Control", "no-store"}};
    return net_answer(call->exchange, 200, fields, 2, text, length);
}

const char *serve_ill(struct serve *serve, char *text, size_t size)
{
    enum { BEATS_S = 15 }; /* as `supervisor health` */
    double interval_s = config_settings(serve->o.config)->interval_s;
    double most_s = 3 * interval_s > BEATS_S ? 3 * interval_s : BEATS_S;
    double age_s = clock_boottime_s() - serve->looked_s;
    const char *forgets = serve->o.forgets(serve->o.userdata);
    if (serve->looked_s <= 0)
        snprintf(text, size, "it has not looked yet");
    else if (age_s > most_s)
        snprintf(text, size, "its last look is %.0f s old", age_s);
    else if (forgets[0])
        snprintf(text, size, "nothing can be remembered: %s", forgets);
    else
        return NULL;
    return text;
}

/* ---- self */

static const struct api_member health_members[] = {
    {.name = "status",
     .type = API_STRING,
     .about = "healthy: it looks, and can remember what it does",
     .choices = (const char *const[]){"healthy", "unhealthy", NULL}},
    {.name = "why", .type = API_STRING, .about = "why not", .optional = true},
    {.name = "version", .type = API_STRING, .about = "of this program"},
    {.name = "look_age_s",
     .type = API_NUMBER,
     .about = "seconds since the last look",
     .optional = true},
    {.name = "engine",
     .type = API_STRING,
     .about = "whether the container engine is reached",
     .choices = (const char *const[]){"reached", "not reached", NULL}},
    {.name = "level",
     .type = API_STRING,
     .about = "the pressure on memory, all together: low, medium, high, critical, unknown",
     .optional = true},
    {0}};
static const struct api_schema health_schema = {"Health", "How the supervisor itself is.",
                                                health_members, false};
static const struct api_answer health_answers[] = {
    {.status = 200, .about = "all is well", .schema = &health_schema},
    {.status = 503, .about = "it is not: why", .schema = &health_schema},
    {0}};

static json_t *health_json(struct serve *serve, const char *why)
{
    struct state state;
    json_t *json = json_pack("{s:s, s:s, s:s}", "status", why ? "unhealthy" : "healthy", "version",
                             SUPERVISOR_VERSION, "engine",
                             serve->o.engine_up(serve->o.userdata) ? "reached" : "not reached");
    put_text(json, "why", why);
    if (serve->looked_s > 0)
        put_real(json, "look_age_s", clock_boottime_s() - serve->looked_s);
    if (serve->o.look(serve->o.userdata, &state))
        put_text(json, "level", pressure_name(state.judgement->level));
    return json;
}

static void health(void *userdata, struct api_call *call)
{
    char text[600];
    const char *why = serve_ill(userdata, text, sizeof text);
    api_answer(call, why ? 503 : 200, health_json(userdata, why));
}

static void ready(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    char text[600];
    const char *why = serve_ill(serve, text, sizeof text);
    if (!why && !serve->o.engine_up(serve->o.userdata))
        why = "the container engine is not reached";
    api_answer(call, why ? 503 : 200, health_json(serve, why));
}

static const struct api_schema openapi_schema = {"Description", "OpenAPI 3.1 of this API.",
                                                 no_members, true};
static const struct api_answer openapi_answers[] = {
    {.status = 200, .about = "the description", .schema = &openapi_schema}, {0}};

json_t *serve_describe(const struct api_route *routes, size_t n, const char *families)
{
    return api_openapi(routes, n, families, "supervisor", SUPERVISOR_VERSION,
                       "Keeps Ollama in Docker healthy in the memory it has. Sizes are bytes, "
                       "durations seconds, unless a name says otherwise; what is absent is "
                       "unknown, null is known to be none.");
}

static void describe(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    api_answer(call, 200, serve_describe(serve->routes, serve->api.n_routes, serve->families));
}

const struct api_route routes_self[] = {
    {NET_GET, "/health", "health", "self", "Whether the supervisor itself is well.", API_READS,
     NULL, NULL, health_answers, health},
    {NET_GET, "/ready", "ready", "self", "The same, and that the container engine is reached.",
     API_READS, NULL, NULL, health_answers, ready},
    {NET_GET, "/openapi.json", "describe", "self", "All routes that there are, as OpenAPI 3.1.",
     API_READS, NULL, NULL, openapi_answers, describe},
    {0}};

/* ---- the world */

static const struct api_member world_members[] = {
    {.name = "time", .type = API_STRING, .about = "wall clock of the look, RFC 3339"},
    {.name = "monotonic", .type = API_NUMBER, .about = "the same, in seconds since boot"},
    {.name = "level", .type = API_STRING, .about = "the pressure, all together"},
    {.name = "host", .type = API_OBJECT, .about = "the machine's memory"},
    {.name = "models", .type = API_OBJECT, .about = "what all models hold, and their budget"},
    {.name = "containers", .type = API_OBJECT, .about = "one entry a container", .list = true},
    {.name = "verdicts", .type = API_OBJECT, .about = "what is suspected or raised", .list = true},
    {0}};
static const struct api_schema world_schema = {
    "World", "One look at everything; docs/world.md has each member.", world_members, true};
static const struct api_answer world_answers[] = {
    {.status = 200, .about = "the last look", .schema = &world_schema}, {0}};

static void world(void *userdata, struct api_call *call)
{
    struct state state;
    if (!serve_seen(userdata, call, &state))
        return;
    char *text = state_to_text(&state, NULL);
    if (text)
        serve_answer_text(call, "application/json", text, strlen(text));
    else
        api_problem(call, 500, "no memory is left for the answer");
    free(text);
}

static const struct api_member verdict_members[] = {
    {.name = "container", .type = API_STRING, .about = "absent: the host", .optional = true},
    {.name = "verdict", .type = API_STRING, .about = "its kind; docs/judgement.md has them all"},
    {.name = "state",
     .type = API_STRING,
     .about = "suspect: it has not held long enough",
     .choices = (const char *const[]){"suspect", "raised", NULL}},
    {.name = "severity",
     .type = API_STRING,
     .about = "how grave",
     .choices = (const char *const[]){"info", "warning", "critical", NULL}},
    {.name = "since", .type = API_NUMBER, .about = "since when, in seconds since boot"},
    {.name = "raised",
     .type = API_NUMBER,
     .about = "when it was raised, in seconds since boot",
     .optional = true},
    {.name = "hold_s", .type = API_NUMBER, .about = "for how long it must hold to be raised"},
    {.name = "evidence", .type = API_OBJECT, .about = "the numbers that it rests on, by name"},
    {.name = "remedy", .type = API_STRING, .about = "what is done about it, or none"},
    {.name = "why", .type = API_STRING, .about = "one sentence", .optional = true},
    {.name = "missing", .type = API_STRING, .about = "what is not known", .optional = true},
    {.name = "model", .type = API_STRING, .about = "the model it is about", .optional = true},
    {.name = "pid", .type = API_INTEGER, .about = "the process it is about", .optional = true},
    {.name = "acted", .type = API_STRING, .about = "what was done last", .optional = true},
    {0}};
static const struct api_schema verdict_schema = {"Verdict", "What is wrong, and why that is said.",
                                                 verdict_members, false};
static const struct api_answer verdicts_answers[] = {
    {.status = 200, .about = "those that stand", .schema = &verdict_schema, .list = true}, {0}};

/* The id of the container that was asked for, NULL for all; false: the call is answered. */
static bool asked_for(struct api_call *call, const struct state *state, const char **ret_id)
{
    const char *named = api_text(call, "container");
    const struct container *c = named ? serve_named(call, state->world, named) : NULL;
    *ret_id = c ? c->id : NULL;
    return !named || c;
}

static void verdicts(void *userdata, struct api_call *call)
{
    struct state state;
    const char *id;
    if (serve_seen(userdata, call, &state) && asked_for(call, &state, &id))
        api_answer(call, 200, state_verdicts(&state, id));
}

/* ---- the ledger */

static const struct api_member explained_members[] = {
    {.name = "name", .type = API_STRING, .about = "of the container"},
    {.name = "id", .type = API_STRING, .about = "of the container"},
    {.name = "activity", .type = API_STRING, .about = "what it is doing", .optional = true},
    {.name = "held",
     .type = API_INTEGER,
     .about = "bytes that nobody can take back",
     .optional = true},
    {.name = "limit",
     .type = API_INTEGER,
     .about = "bytes; null: none",
     .nullable = true,
     .optional = true},
    {.name = "ledger",
     .type = API_OBJECT,
     .about = "the parts; those with held true add up to held",
     .list = true},
    {.name = "verdicts",
     .type = API_OBJECT,
     .about = "what stands of it",
     .schema = &verdict_schema,
     .list = true},
    {.name = "ruled_out",
     .type = API_OBJECT,
     .about = "each other kind, with the reason why it does not stand",
     .list = true},
    {0}};
static const struct api_schema explained_schema = {
    "Explained", "What a container holds, part by part, and what was ruled out.", explained_members,
    false};
static const struct api_answer explain_answers[] = {
    {.status = 200, .about = "one a container", .schema = &explained_schema, .list = true}, {0}};

static json_t *explained(const struct state *state, size_t i, struct ledger *ledger)
{
    const struct container *c = &state->world->containers[i];
    const struct assessment *a = judgement_assessment(state->judgement, c->id);
    json_t *parts = json_array();
    ledger_of(state->world, c, NULL, NULL, ledger);
    for (size_t k = 0; k < ledger->n_parts; k++)
        json_array_append_new(parts, ledger_part_to_json(&ledger->parts[k]));
    json_t *json =
        json_pack("{s:s, s:s, s:s*, s:o, s:o, s:o}", "name", c->name, "id", c->id, "activity",
                  a ? activity_name(a->activity) : NULL, "ledger", parts, "verdicts",
                  state_verdicts(state, c->id), "ruled_out",
                  a && a->activity != ACTIVITY_STOPPED ? state_ruled_out(a) : json_array());
    put_fact(json, "held", ledger->held);
    put_fact(json, "limit", cgroup_bound(&c->cgroup));
    return json;
}

static void explain(void *userdata, struct api_call *call)
{
    struct state state;
    const char *id;
    struct ledger *ledger;
    if (!serve_seen(userdata, call, &state) || !asked_for(call, &state, &id))
        return;
    json_t *list = (ledger = malloc(sizeof *ledger)) ? json_array() : NULL;
    for (size_t i = 0; list && i < state.world->n_containers; i++) {
        const struct container *c = &state.world->containers[i];
        if (id ? strcmp(c->id, id) == 0 : c->status == STATUS_RUNNING)
            json_array_append_new(list, explained(&state, i, ledger));
    }
    free(ledger);
    api_answer(call, 200, list);
}

/* ---- the configuration */

static const struct api_schema config_schema = {
    "Configuration", "Sections of settings, each with value, origin and variable.", no_members,
    true};
static const struct api_answer config_answers[] = {
    {.status = 200, .about = "all settings, without secrets", .schema = &config_schema}, {0}};

static void config(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    api_answer(call, 200, config_to_json(serve->o.config));
}

static const struct api_answer stream_answers[] = {
    {.status = 200,
     .about = "events `world`, `verdict`, `outcome`; `dropped` ends it for a slow reader",
     .type = "text/event-stream"},
    {.status = 503, .about = "too many read already"},
    {0}};
static const struct api_member stream_parameters[] = {
    {.name = "only",
     .type = API_STRING,
     .about = "these events alone",
     .choices = (const char *const[]){"world", "verdict", "outcome", NULL},
     .optional = true},
    {0}};

const struct api_route routes_api[] = {
    {NET_GET, "/api/v1/world", "world", "api",
     "The last look at everything, with its verdicts, as `supervisor status --json`.", API_READS,
     NULL, NULL, world_answers, world},
    {NET_GET, "/api/v1/verdicts", "verdicts", "api", "What is wrong, with its evidence.", API_READS,
     container_parameter, NULL, verdicts_answers, verdicts},
    {NET_GET, "/api/v1/explain", "explain", "api",
     "What a container holds, and what rules the other verdicts out.", API_READS,
     container_parameter, NULL, explain_answers, explain},
    {NET_GET, "/api/v1/config", "config", "api",
     "Every setting, its value, where it comes from, without secrets.", API_READS, NULL, NULL,
     config_answers, config},
    {NET_GET, "/api/v1/stream", "stream", "events",
     "Worlds (once a second at most), changes of verdicts and what remedies did, as they happen.",
     API_READS, stream_parameters, NULL, stream_answers, stream_begin},
    {0}};
