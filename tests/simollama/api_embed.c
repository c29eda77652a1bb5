/* /api/embed, the older /api/embeddings, and /v1/embeddings. From 0.30 a model that is not for
 * embedding refuses, after it was loaded. */
#include "api.h"
#include "job.h"

#include <string.h>

#define EXTRA_TOKENS 4 /* around each further input */

/* A vector of about length one that depends on what was asked. */
static json_t *vector(const struct job *job, unsigned input)
{
    json_t *all = json_array();
    unsigned length = job->ticket.model.embedding;
    uint64_t seed = job->work.prompt_hash + input;
    for (unsigned i = 0; i < length; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        double value = (double)(int64_t)seed / 9.3e18; /* between -1 and 1 */
        json_array_append_new(all, json_real(value * 1.7 / (double)length * 8));
    }
    return all;
}

static void refuse_or_empty(struct job *job, int status, json_t *empty)
{
    if (sim_generation() == RUNNER_OLLAMA) {
        reply_json(job->conn, 200, job->dialect->family, empty);
        return;
    }
    json_decref(empty);
    reply_error(job->conn, status, job->dialect->family,
                "This server does not support embeddings. Start it with `--embeddings`");
}

static void embed_loaded(struct job *job)
{
    refuse_or_empty(job, 501, json_pack("{ss s[]}", "model", job->model, "embeddings"));
}

static void embed_end(struct job *job)
{
    json_t *vectors = json_array();
    for (unsigned i = 0; i < job->inputs; i++)
        json_array_append_new(vectors, vector(job, i));
    reply_json(job->conn, 200, FAMILY_NATIVE,
               json_pack("{ss so sI sI sI}", "model", job->model, "embeddings", vectors,
                         "total_duration", (json_int_t)(loop_now_ns() - job->start_ns),
                         "load_duration", (json_int_t)(job->loaded_ns - job->start_ns),
                         "prompt_eval_count", (json_int_t)job->prompt_tokens));
}

static void embeddings_loaded(struct job *job)
{
    refuse_or_empty(job, 500, json_pack("{s[]}", "embedding"));
}

static void embeddings_end(struct job *job)
{
    reply_json(job->conn, 200, FAMILY_NATIVE, json_pack("{so}", "embedding", vector(job, 0)));
}

static void v1_loaded(struct job *job)
{
    refuse_or_empty(job, 501,
                    json_pack("{ss s[] ss}", "object", "list", "data", "model", job->model));
}

static void v1_end(struct job *job)
{
    json_t *data = json_array();
    for (unsigned i = 0; i < job->inputs; i++)
        json_array_append_new(data, json_pack("{ss so si}", "object", "embedding", "embedding",
                                              vector(job, i), "index", (int)i));
    reply_json(job->conn, 200, FAMILY_OPENAI,
               json_pack("{ss so ss s{sI sI}}", "object", "list", "data", data, "model", job->model,
                         "usage", "prompt_tokens", (json_int_t)job->prompt_tokens, "total_tokens",
                         (json_int_t)job->prompt_tokens));
}

static const struct dialect embed_dialect = {FAMILY_NATIVE, embed_loaded, NULL, embed_end};
static const struct dialect embeddings_dialect = {FAMILY_NATIVE, embeddings_loaded, NULL,
                                                  embeddings_end};
static const struct dialect v1_dialect = {FAMILY_OPENAI, v1_loaded, NULL, v1_end};

/* A string or a list of them, one after another; how many there are. */
static unsigned gather(const json_t *input, struct text *all)
{
    if (json_is_string(input))
        text_append(all, json_string_value(input), json_string_length(input), HTTP_BODY_MAX);
    for (size_t i = 0; i < json_array_size(input); i++) {
        const json_t *one = json_array_get(input, i);
        if (json_is_string(one))
            text_append(all, json_string_value(one), json_string_length(one), HTTP_BODY_MAX);
    }
    return json_is_string(input) ? all->len > 0 : (unsigned)json_array_size(input);
}

static void answer(struct http_conn *conn, const struct dialect *dialect, const char *go_struct,
                   const char *field)
{
    struct request request;
    struct job_wish wish = {.model = ""};
    struct text all = {0};
    if (request_open(&request, conn, dialect->family, go_struct) < 0)
        return;
    if (request_string(&request, "model", &wish.model) == 0 &&
        request_keep_alive(&request, &wish.keep_set, &wish.keep_ns) == 0) {
        unsigned inputs = gather(request_field(&request, field), &all);
        wish.inputs = inputs ? inputs : 1;
        if (inputs && sim_generation() == RUNNER_OLLAMA) {
            wish.prompt = all.data;
            wish.prompt_len = all.len + (size_t)(inputs - 1) * EXTRA_TOKENS;
        }
        job_start(conn, dialect, &wish);
    }
    text_free(&all);
    request_close(&request);
}

void api_embed(struct http_conn *conn)
{
    answer(conn, &embed_dialect, "EmbedRequest", "input");
}

void api_embeddings(struct http_conn *conn)
{
    answer(conn, &embeddings_dialect, "EmbeddingRequest", "prompt");
}

void api_v1_embeddings(struct http_conn *conn)
{
    answer(conn, &v1_dialect, "EmbedRequest", "input");
}
