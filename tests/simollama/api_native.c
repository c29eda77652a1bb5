/* /api/generate and /api/chat. */
#include "api.h"
#include "job.h"

#include <string.h>

#define CONTEXT_IDS_MAX 65536

/* {"model", "created_at", "response" or "message"}, the beginning of every answer. */
static json_t *beginning(const char *model, bool chat, const char *piece)
{
    json_t *json = json_pack("{ss so}", "model", model, "created_at", created_at());
    if (chat)
        json_object_set_new(json, "message",
                            json_pack("{ss ss}", "role", "assistant", "content", piece));
    else
        json_object_set_new(json, "response", json_string(piece));
    return json;
}

static json_t *nothing_generated(const char *model, bool chat, const char *reason)
{
    json_t *json = beginning(model, chat, "");
    json_object_set_new(json, "done", json_true());
    json_object_set_new(json, "done_reason", json_string(reason));
    return json;
}

/* Token ids that go back in as a conversation's context. */
static json_t *context_ids(const struct job *job)
{
    json_t *ids = json_array();
    uint64_t n = job->prompt_tokens + job->tokens_done;
    for (uint64_t i = 0; i < n && i < CONTEXT_IDS_MAX; i++)
        json_array_append_new(ids,
                              json_integer((json_int_t)((job->work.prompt_hash + i * 7) % 259)));
    return ids;
}

static void end(struct job *job, bool chat)
{
    uint64_t now_ns = loop_now_ns();
    json_t *json = beginning(job->model, chat, job->answer.len ? job->answer.data : "");
    json_object_set_new(json, "done", json_true());
    json_object_set_new(json, "done_reason", json_string(job_done_reason(job)));
    if (!chat)
        json_object_set_new(json, "context", context_ids(job));
    json_t *numbers = json_pack(
        "{sI sI sI sI sI sI}", "total_duration", (json_int_t)(now_ns - job->start_ns),
        "load_duration", (json_int_t)(job->loaded_ns - job->start_ns), "prompt_eval_count",
        (json_int_t)job->prompt_tokens, "prompt_eval_duration",
        (json_int_t)(job->prompt_ns - job->loaded_ns), "eval_count", (json_int_t)job->tokens_done,
        "eval_duration", (json_int_t)(now_ns - job->prompt_ns));
    json_object_update(json, numbers);
    json_decref(numbers);
    if (job->stream) {
        job_line(job, json);
        http_end(job->conn);
    } else {
        reply_json(job->conn, 200, FAMILY_NATIVE, json);
    }
}

static void token(struct job *job, bool chat, const char *piece)
{
    json_t *json = beginning(job->model, chat, piece);
    json_object_set_new(json, "done", json_false());
    job_line(job, json);
}

static void generate_loaded(struct job *job)
{
    reply_json(job->conn, 200, FAMILY_NATIVE, nothing_generated(job->model, false, "load"));
}

static void generate_token(struct job *job, const char *piece)
{
    token(job, false, piece);
}

static void generate_end(struct job *job)
{
    end(job, false);
}

static void chat_loaded(struct job *job)
{
    reply_json(job->conn, 200, FAMILY_NATIVE, nothing_generated(job->model, true, "load"));
}

static void chat_token(struct job *job, const char *piece)
{
    token(job, true, piece);
}

static void chat_end(struct job *job)
{
    end(job, true);
}

static const struct dialect generate_dialect = {FAMILY_NATIVE, generate_loaded, generate_token,
                                                generate_end};
static const struct dialect chat_dialect = {FAMILY_NATIVE, chat_loaded, chat_token, chat_end};

/* The contents of all messages, one after another; whether there were images among them. */
static bool gather(const json_t *messages, struct text *prompt)
{
    bool images = false;
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const char *content = json_string_value(field_of(message, "content"));
        if (content)
            text_append(prompt, content, strlen(content), HTTP_BODY_MAX);
        if (json_array_size(field_of(message, "images")) > 0)
            images = true;
    }
    return images;
}

static int read_wish(struct request *request, struct job_wish *wish)
{
    if (request_string(request, "model", &wish->model) < 0 ||
        request_bool(request, "stream", &wish->stream) < 0 ||
        request_keep_alive(request, &wish->keep_set, &wish->keep_ns) < 0)
        return -1;
    const json_t *options = request_field(request, "options");
    wish->num_predict = (int64_t)json_number_value(field_of(options, "num_predict"));
    wish->num_ctx = (int64_t)json_number_value(field_of(options, "num_ctx"));
    return 0;
}

/* A wish without a prompt and with keep_alive 0 unloads, at once and whatever happens. */
static void start(struct http_conn *conn, bool chat, const struct job_wish *wish)
{
    const struct model *model = models_find(wish->model);
    if (model && !wish->prompt && wish->keep_set && wish->keep_ns == 0) {
        json_t *json = nothing_generated(wish->model, chat, "unload");
        sched_unload(model);
        reply_json(conn, 200, FAMILY_NATIVE, json);
        return;
    }
    job_start(conn, chat ? &chat_dialect : &generate_dialect, wish);
}

void api_generate(struct http_conn *conn)
{
    struct request request;
    struct job_wish wish = {.model = "", .stream = true};
    const char *prompt = "";
    if (request_open(&request, conn, FAMILY_NATIVE, "GenerateRequest") < 0)
        return;
    if (read_wish(&request, &wish) == 0 && request_string(&request, "prompt", &prompt) == 0) {
        if (*prompt) {
            wish.prompt = prompt;
            wish.prompt_len = strlen(prompt);
        }
        start(conn, false, &wish);
    }
    request_close(&request);
}

void api_chat(struct http_conn *conn)
{
    struct request request;
    struct job_wish wish = {.model = "", .stream = true};
    struct text prompt = {0};
    if (request_open(&request, conn, FAMILY_NATIVE, "ChatRequest") < 0)
        return;
    if (read_wish(&request, &wish) == 0) {
        const json_t *messages = request_field(&request, "messages");
        bool images = gather(messages, &prompt);
        if (json_array_size(messages) > 0) {
            wish.prompt = prompt.data ? prompt.data : "";
            wish.prompt_len = prompt.len;
        }
        if (images && sim_generation() == RUNNER_LLAMA && models_find(wish.model))
            reply_error(
                conn, 400, FAMILY_NATIVE,
                "{\"error\":{\"code\":400,\"message\":\"Multimodal data provided, but model "
                "does not support multimodal requests.\",\"type\":\"invalid_request_error\"}}");
        else
            start(conn, true, &wish);
    }
    text_free(&prompt);
    request_close(&request);
}
