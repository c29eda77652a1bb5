#include "api.h"
#include "models.h"
#include "request.h"
#include "sched.h"
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PS_CHECK_MS 2

void api_tags(struct http_conn *conn)
{
    reply_json(conn, 200, FAMILY_NATIVE, models_tags());
}

void api_v1_models(struct http_conn *conn)
{
    reply_json(conn, 200, FAMILY_OPENAI, models_v1());
}

/* From 0.30 on the full name is told where a model to be shown is missing. */
static void not_found(struct http_conn *conn, enum family family, const char *name)
{
    char full[MODEL_NAME_SIZE], message[MODEL_NAME_SIZE + 64];
    snprintf(full, sizeof full, "%s", name);
    if (sim_generation() == RUNNER_LLAMA)
        model_full_name(name, full);
    snprintf(message, sizeof message, "model '%s' not found", full);
    reply_error(conn, 404, family, message);
}

void api_v1_model(struct http_conn *conn)
{
    const char *id = conn->path + sizeof V1_MODEL_PREFIX - 1;
    const struct model *model = models_find(id);
    if (model)
        reply_json(conn, 200, FAMILY_OPENAI, model_v1(model, id));
    else
        not_found(conn, FAMILY_OPENAI, id);
}

void api_show(struct http_conn *conn)
{
    struct request request;
    const char *name = NULL;
    bool verbose = false;
    if (request_open(&request, conn, FAMILY_NATIVE, "ShowRequest") < 0)
        return;
    if (request_string(&request, "name", &name) == 0 &&
        request_string(&request, "model", &name) == 0 &&
        request_bool(&request, "verbose", &verbose) == 0) {
        const struct model *model = name ? models_find(name) : NULL;
        if (!name || !*name)
            reply_error(conn, 400, FAMILY_NATIVE, "model is required");
        else if (model)
            reply_json(conn, 200, FAMILY_NATIVE, model_show(model, verbose));
        else
            not_found(conn, FAMILY_NATIVE, name);
    }
    request_close(&request);
}

/* When a runner expires, as base and addition (their sum may be beyond int64_t). */
static void expiry(const struct runner *runner, int64_t *ret_base_ns, int64_t *ret_plus_ns)
{
    bool ended = runner->idle_since_ns != 0;
    *ret_base_ns = ended ? runner->idle_since_ns : loop_wall_ns();
    *ret_plus_ns = ended ? runner->expires_after_ns : runner->keep_ns;
}

static int latest_first(const void *a, const void *b)
{
    int64_t base_x, plus_x, base_y, plus_y;
    expiry(*(const struct runner *const *)a, &base_x, &plus_x);
    expiry(*(const struct runner *const *)b, &base_y, &plus_y);
    double x = (double)base_x + (double)plus_x, y = (double)base_y + (double)plus_y;
    return x < y ? 1 : x > y ? -1 : 0;
}

static json_t *listed(const struct runner *runner)
{
    char expires[TIME_TEXT_SIZE];
    int64_t base_ns, plus_ns;
    expiry(runner, &base_ns, &plus_ns);
    time_text(base_ns, plus_ns, expires);
    int64_t size = model_listed_size(&runner->model, runner->context),
            weights = (int64_t)runner->model.size_bytes;
    int64_t vram = !settings.amx ? 0 : weights < size ? weights : size;
    return json_pack("{ss ss sI ss so ss sI sI}", "name", runner->model.name, "model",
                     runner->model.name, "size", (json_int_t)size, "digest", runner->model.digest,
                     "details", model_details(&runner->model), "expires_at", expires, "size_vram",
                     (json_int_t)vram, "context_length", (json_int_t)runner->context);
}

static void ps_again(struct timer *timer)
{
    api_ps(owner_of(timer, struct http_conn, timer));
}

void api_ps(struct http_conn *conn)
{
    /* The real one holds a lock while a runner is being killed. */
    if (sched_settling()) {
        conn->timer.fire = ps_again;
        loop_arm(&conn->timer, PS_CHECK_MS);
        return;
    }
    const struct runner *list[MODELS_MAX];
    size_t n = 0;
    for (const struct runner *r = sched_runners(); r && n < MODELS_MAX; r = r->next)
        if (r->state != RUNNER_LOADING)
            list[n++] = r;
    qsort(list, n, sizeof *list, latest_first);
    json_t *models = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(models, listed(list[i]));
    reply_json(conn, 200, FAMILY_NATIVE, json_pack("{so}", "models", models));
}

void api_copy(struct http_conn *conn)
{
    struct request request;
    const char *source = "", *destination = "";
    char message[MODEL_NAME_SIZE + 64];
    if (request_open(&request, conn, FAMILY_NATIVE, "CopyRequest") < 0)
        return;
    if (request_string(&request, "source", &source) == 0 &&
        request_string(&request, "destination", &destination) == 0) {
        const struct model *model = models_find(source);
        if (!model) {
            snprintf(message, sizeof message, "model \"%.*s\" not found", MODEL_NAME_SIZE, source);
            reply_error(conn, 404, FAMILY_NATIVE, message);
        } else if (!models_copy(model, destination)) {
            reply_error(conn, 400, FAMILY_NATIVE, "destination is invalid");
        } else {
            reply_empty(conn);
        }
    }
    request_close(&request);
}

void api_delete(struct http_conn *conn)
{
    struct request request;
    const char *name = "";
    if (request_open(&request, conn, FAMILY_NATIVE, "DeleteRequest") < 0)
        return;
    if (request_string(&request, "name", &name) == 0 &&
        request_string(&request, "model", &name) == 0) {
        struct model *model = models_find(name);
        char message[MODEL_NAME_SIZE + 64];
        if (model) {
            models_delete(model);
            reply_empty(conn);
        } else {
            snprintf(message, sizeof message, "model '%.*s' not found", MODEL_NAME_SIZE, name);
            reply_error(conn, 404, FAMILY_NATIVE, message);
        }
    }
    request_close(&request);
}
