/* What is asked to be done, in our own words: each is an operation. */
#include "act/wanted.h"
#include "base/model_name.h"
#include "sense/ollama_load.h"
#include "tell/serve/operations.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const struct api_call *call, const char *name)
{
    return json_string_value(json_object_get(call->body, name));
}

/* Ends runners, or loads what does not fit: more than Ollama lets anybody do. false: the call is
 * answered. */
static bool may_force(struct serve *serve, struct api_call *call, bool *ret_force)
{
    struct access_caller caller;
    *ret_force = json_is_true(json_object_get(call->body, "force"));
    if (!*ret_force)
        return true;
    admit_caller(serve, call, &caller);
    if (!caller.admin)
        api_problem(call, 403, "`force` needs a token of http.token");
    return caller.admin;
}

/* ---- unload */

void operation_unload(struct serve *serve, struct api_call *call, const char *model,
                      const char *container, bool force, operation_answer *answer)
{
    struct operation *op =
        operation_new(serve, call, model ? "unload" : "flush", container, answer);
    if (!op)
        return;
    op->force = force;
    operation_add_unloads(op, model);
    operation_begin(op);
}

static void unload(void *userdata, struct api_call *call)
{
    bool force;
    if (may_force(userdata, call, &force))
        operation_unload(userdata, call, text_of(call, "model"), text_of(call, "container"), force,
                         operation_answer_it);
}

static void flush(void *userdata, struct api_call *call)
{
    operation_unload(userdata, call, NULL, text_of(call, "container"), false, operation_answer_it);
}

static void optimize(void *userdata, struct api_call *call)
{
    struct operation *op =
        operation_new(userdata, call, "optimize", text_of(call, "container"), operation_answer_it);
    if (!op)
        return;
    op->optimizes = true;
    operation_begin(op);
}

/* ---- load */

void operation_load(struct serve *serve, struct api_call *call, const char *model,
                    const char *container, int64_t keep_alive_s, bool force,
                    operation_answer *answer)
{
    struct load_wish wish = {.keep_alive_s = keep_alive_s, .force = force};
    struct operation *op;
    if (strlen(model) >= sizeof wish.model)
        api_problem(call, 422, "no model has so long a name");
    else if ((op = operation_new(serve, call, "load", container, answer)) != NULL) {
        if (op->n_targets > 1) {
            operation_drop(op);
            api_problem(call, 422,
                        "several containers are enforced: say which one is meant by `container`");
            return;
        }
        memcpy(wish.id, op->targets[0].id, sizeof wish.id);
        snprintf(wish.model, sizeof wish.model, "%s", model);
        operation_add_load(op, &wish);
        operation_begin(op);
    }
}

static void load(void *userdata, struct api_call *call)
{
    const json_t *keep = json_object_get(call->body, "keep_alive_s");
    bool force;
    if (may_force(userdata, call, &force))
        operation_load(userdata, call, text_of(call, "model"), text_of(call, "container"),
                       keep ? json_integer_value(keep) : OLLAMA_KEEP_DEFAULT, force,
                       operation_answer_it);
}

/* What the tiers and pins want at hand, in all targets. */
static void add_wanted(struct operation *op)
{
    struct wanted_model wanted[OPERATION_LOADS_MAX];
    for (size_t i = 0; i < op->n_targets; i++) {
        const struct container *c = operation_target(op, i);
        size_t n = c ? wanted_list(op->serve->o.config, c, OLLAMA_KEEP_DEFAULT, wanted, 0,
                                   OPERATION_LOADS_MAX)
                     : 0;
        for (size_t k = 0; k < n; k++) {
            struct load_wish wish = {.keep_alive_s = wanted[k].keep_alive_s, .keep_others = true};
            memcpy(wish.id, wanted[k].id, sizeof wish.id);
            snprintf(wish.model, sizeof wish.model, "%s", wanted[k].model);
            operation_add_load(op, &wish);
        }
        if (c && n == 0)
            operation_say(op, c->name, "", "done", "no model is wanted at hand: no tier, no pin");
    }
}

void operation_preload(struct serve *serve, struct api_call *call, const char *container,
                       bool flushed, operation_answer *answer)
{
    struct operation *op =
        operation_new(serve, call, flushed ? "emergency-restart" : "preload", container, answer);
    if (!op)
        return;
    if (flushed)
        operation_add_unloads(op, NULL);
    add_wanted(op);
    operation_begin(op);
}

static void preload(void *userdata, struct api_call *call)
{
    operation_preload(userdata, call, text_of(call, "container"), false, operation_answer_it);
}

/* ---- restart */

static void restart(void *userdata, struct api_call *call)
{
    struct operation *op =
        operation_new(userdata, call, "restart", text_of(call, "container"), operation_answer_it);
    if (!op)
        return;
    const struct container *c = operation_target(op, 0);
    if (c)
        operation_add_restart(op, c);
    operation_begin(op);
}

/* ---- operations */

static void operations(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    json_t *list = json_array();
    struct operation *op;
    TAILQ_FOREACH(op, &serve->operations, link)
    json_array_append_new(list, operation_json(op));
    api_answer(call, 200, list);
}

static void operation(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    int64_t number = api_whole(call, "id", 0);
    struct operation *op;
    TAILQ_FOREACH(op, &serve->operations, link)
    {
        if (op->number == number) {
            api_answer(call, 200, operation_json(op));
            return;
        }
    }
    api_problem(call, 404, "there is no such operation, or it was too long ago");
}

/* ---- the table */

#define CONTAINER                                                                                  \
    {.name = "container",                                                                          \
     .type = API_STRING,                                                                           \
     .about = "in this one; else in those that are enforced, or in the only one there is",         \
     .filled = true,                                                                               \
     .optional = true}
#define MODEL                                                                                      \
    {.name = "model", .type = API_STRING, .about = "its name", .filled = true, .longest = 255}
#define FORCE(its_about)                                                                           \
    {.name = "force", .type = API_BOOLEAN, .about = (its_about), .optional = true}

static const struct api_member unload_members[] = {
    MODEL, CONTAINER, FORCE("ends the runner that does not go; needs a token"), {0}};
static const struct api_schema unload_wish = {"Unload", "What is to be unloaded.", unload_members,
                                              false};
static const struct api_member load_members[] = {MODEL,
                                                 CONTAINER,
                                                 {.name = "keep_alive_s",
                                                  .type = API_INTEGER,
                                                  .about = "how long it stays unused; seconds",
                                                  .bounded = true,
                                                  .min = 1,
                                                  .max = 1e9,
                                                  .optional = true},
                                                 FORCE("although it does not fit; needs a token"),
                                                 {0}};
static const struct api_schema load_wish = {"Load", "What is to be loaded.", load_members, false};
static const struct api_member where_members[] = {CONTAINER, {0}};
static const struct api_schema where_wish = {"Where", "In which container.", where_members, false};
static const struct api_member restart_members[] = {
    {.name = "container", .type = API_STRING, .about = "its name or id", .filled = true}, {0}};
static const struct api_schema restart_wish = {"Restart", "What is to be restarted.",
                                               restart_members, false};

static const struct api_member result_members[] = {
    {.name = "container", .type = API_STRING, .about = "where"},
    {.name = "model", .type = API_STRING, .about = "absent: the container", .optional = true},
    {.name = "result",
     .type = API_STRING,
     .about = "pending: it is busy, and goes when that ends; refused: there is no room",
     .choices = (const char *const[]){"done", "pending", "refused", "failed", NULL}},
    {.name = "text", .type = API_STRING, .about = "one sentence"},
    {.name = "before", .type = API_INTEGER, .about = "bytes held before", .optional = true},
    {.name = "after", .type = API_INTEGER, .about = "bytes held after", .optional = true},
    {.name = "runner", .type = API_INTEGER, .about = "bytes its runner holds", .optional = true},
    {.name = "load_s", .type = API_NUMBER, .about = "how long the load took", .optional = true},
    {.name = "missing", .type = API_INTEGER, .about = "bytes that are short", .optional = true},
    {0}};
static const struct api_schema result_schema = {"Result", "What became of one.", result_members,
                                                false};
static const struct api_member operation_members[] = {
    {.name = "id", .type = API_INTEGER, .about = "its number, since the supervisor's start"},
    {.name = "what", .type = API_STRING, .about = "unload, flush, load …"},
    {.name = "state",
     .type = API_STRING,
     .about = "how far it is, or how it ended",
     .choices = (const char *const[]){"under-way", "done", "pending", "failed", NULL}},
    {.name = "who", .type = API_STRING, .about = "the token's name, or the address"},
    {.name = "began", .type = API_STRING, .about = "RFC 3339"},
    {.name = "took_s", .type = API_NUMBER, .about = "absent: it is under way", .optional = true},
    {.name = "freed", .type = API_INTEGER, .about = "bytes that came back"},
    {.name = "results",
     .type = API_OBJECT,
     .about = "so far",
     .schema = &result_schema,
     .list = true},
    {0}};
const struct api_schema operation_schema = {"Operation", "What was asked to be done.",
                                            operation_members, false};
static const struct api_answer operation_answers[] = {
    {.status = 200, .about = "all of it is done", .schema = &operation_schema},
    OPERATION_BEGUN,
    {.status = 409, .about = "busy, or there is no room", .schema = &operation_schema},
    {.status = 502, .about = "some of it failed", .schema = &operation_schema},
    {0}};
static const struct api_answer list_answers[] = {
    {.status = 200, .about = "the oldest first", .schema = &operation_schema, .list = true}, {0}};
static const struct api_answer one_answers[] = {
    {.status = 200, .about = "as far as it is", .schema = &operation_schema}, {0}};
static const struct api_member id_parameter[] = {{.name = "id",
                                                  .type = API_INTEGER,
                                                  .about = "its number",
                                                  .bounded = true,
                                                  .min = 1,
                                                  .max = 9e15},
                                                 {0}};

const struct api_route routes_operations[] = {
    {NET_POST, "/api/v1/unload", "unload", "api", "Unloads a model, and shows what came back.",
     API_ACTS, NULL, &unload_wish, operation_answers, unload},
    {NET_POST, "/api/v1/flush", "flush", "api", "Unloads all models.", API_ACTS, NULL, &where_wish,
     operation_answers, flush},
    {NET_POST, "/api/v1/optimize", "optimize", "api",
     "Unloads idle models as far as the pressure asks.", API_ACTS, NULL, &where_wish,
     operation_answers, optimize},
    {NET_POST, "/api/v1/load", "load", "api",
     "Loads a model if there is room; idle ones that are not protected go for it.", API_ACTS, NULL,
     &load_wish, operation_answers, load},
    {NET_POST, "/api/v1/preload", "preload", "api", "Loads what is wanted at hand: tiers and pins.",
     API_ACTS, NULL, &where_wish, operation_answers, preload},
    {NET_POST, "/api/v1/restart", "restart", "api", "Restarts a container.", API_ADMIN, NULL,
     &restart_wish, operation_answers, restart},
    {NET_GET, "/api/v1/operations", "operations", "api", "What was asked to be done lately.",
     API_READS, NULL, NULL, list_answers, operations},
    {NET_GET, "/api/v1/operations/{id}", "operation", "api", "One of them.", API_READS,
     id_parameter, NULL, one_answers, operation},
    {0}};
