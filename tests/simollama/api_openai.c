/* /v1/chat/completions and /v1/completions. */
#include "api.h"
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ID_SIZE 32

static json_t *usage(const struct job *job)
{
    return json_pack("{sI sI sI}", "prompt_tokens", (json_int_t)job->prompt_tokens,
                     "completion_tokens", (json_int_t)job->tokens_done, "total_tokens",
                     (json_int_t)job->prompt_tokens + (json_int_t)job->tokens_done);
}

/* What every answer and chunk begins with. */
static json_t *beginning(const struct job *job, const char *prefix, const char *object)
{
    char id[ID_SIZE];
    snprintf(id, sizeof id, "%s-%llu", prefix, (unsigned long long)(job->id * 37 % 1000));
    return json_pack("{ss ss sI ss ss}", "id", id, "object", object, "created",
                     (json_int_t)time(NULL), "model", job->model, "system_fingerprint",
                     "fp_ollama");
}

static void chat_chunk(struct job *job, json_t *delta, const char *finish_reason)
{
    json_t *json = beginning(job, "chatcmpl", "chat.completion.chunk");
    json_object_set_new(
        json, "choices",
        json_pack("[{si so ss?}]", "index", 0, "delta", delta, "finish_reason", finish_reason));
    job_event(job, NULL, json);
}

static json_t *delta(const char *piece, bool with_role)
{
    return with_role ? json_pack("{ss ss}", "role", "assistant", "content", piece)
                     : json_pack("{ss}", "content", piece);
}

static void chat_token(struct job *job, const char *piece)
{
    /* From 0.30 the role is told once. */
    bool with_role = sim_generation() == RUNNER_OLLAMA || job->tokens_done == 1;
    chat_chunk(job, delta(piece, with_role), NULL);
}

static void stream_over(struct job *job, json_t *with_usage)
{
    static const char last[] = "data: [DONE]\n\n";
    if (job->usage) {
        json_object_set_new(with_usage, "choices", json_array());
        json_object_set_new(with_usage, "usage", usage(job));
        job_event(job, NULL, with_usage);
    } else {
        json_decref(with_usage);
    }
    http_write(job->conn, last, sizeof last - 1);
    http_end(job->conn);
}

static void chat_end(struct job *job)
{
    const char *reason = job_done_reason(job);
    if (job->stream) {
        chat_chunk(job, sim_generation() == RUNNER_OLLAMA ? delta("", true) : json_object(),
                   reason);
        stream_over(job, beginning(job, "chatcmpl", "chat.completion.chunk"));
        return;
    }
    json_t *json = beginning(job, "chatcmpl", "chat.completion");
    json_object_set_new(json, "choices",
                        json_pack("[{si s{ss ss} ss}]", "index", 0, "message", "role", "assistant",
                                  "content", job->answer.len ? job->answer.data : "",
                                  "finish_reason", reason));
    json_object_set_new(json, "usage", usage(job));
    reply_json(job->conn, 200, FAMILY_OPENAI, json);
}

static void text_chunk(struct job *job, const char *piece, const char *finish_reason)
{
    json_t *json = beginning(job, "cmpl", "text_completion");
    json_object_set_new(
        json, "choices",
        json_pack("[{ss si ss?}]", "text", piece, "index", 0, "finish_reason", finish_reason));
    job_event(job, NULL, json);
}

static void text_token(struct job *job, const char *piece)
{
    text_chunk(job, piece, NULL);
}

static void text_end(struct job *job)
{
    const char *reason = job_done_reason(job);
    if (job->stream) {
        text_chunk(job, "", reason);
        stream_over(job, beginning(job, "cmpl", "text_completion"));
        return;
    }
    json_t *json = beginning(job, "cmpl", "text_completion");
    json_object_set_new(json, "choices",
                        json_pack("[{ss si ss}]", "text", job->answer.len ? job->answer.data : "",
                                  "index", 0, "finish_reason", reason));
    json_object_set_new(json, "usage", usage(job));
    reply_json(job->conn, 200, FAMILY_OPENAI, json);
}

/* A request without a prompt only loads; it is answered as one that generated nothing. */
static const struct dialect chat_dialect = {FAMILY_OPENAI, chat_end, chat_token, chat_end};
static const struct dialect text_dialect = {FAMILY_OPENAI, text_end, text_token, text_end};

static int read_wish(struct request *request, struct job_wish *wish)
{
    const json_t *stream_options = request_field(request, "stream_options");
    wish->usage = json_is_true(field_of(stream_options, "include_usage"));
    if (request_string(request, "model", &wish->model) < 0 ||
        request_bool(request, "stream", &wish->stream) < 0 ||
        request_number(request, "max_tokens", &wish->num_predict) < 0)
        return -1;
    return 0;
}

/* A message's content is text, or a list of parts of which some are text. */
static void gather(const json_t *content, struct text *prompt)
{
    if (json_is_string(content))
        text_append(prompt, json_string_value(content), json_string_length(content), HTTP_BODY_MAX);
    for (size_t i = 0; i < json_array_size(content); i++) {
        const char *text = json_string_value(field_of(json_array_get(content, i), "text"));
        if (text)
            text_append(prompt, text, strlen(text), HTTP_BODY_MAX);
    }
}

void api_v1_chat(struct http_conn *conn)
{
    struct request request;
    struct job_wish wish = {.model = ""};
    struct text prompt = {0};
    if (request_open(&request, conn, FAMILY_OPENAI, "ChatCompletionRequest") < 0)
        return;
    if (read_wish(&request, &wish) == 0) {
        const json_t *messages = request_field(&request, "messages");
        for (size_t i = 0; i < json_array_size(messages); i++)
            gather(field_of(json_array_get(messages, i), "content"), &prompt);
        wish.prompt = prompt.data ? prompt.data : "";
        wish.prompt_len = prompt.len;
        if (json_array_size(messages) == 0) /* in the native framing, as recorded */
            reply_json(conn, 400, FAMILY_NATIVE,
                       error_json(400, FAMILY_OPENAI, "[] is too short - 'messages'"));
        else
            job_start(conn, &chat_dialect, &wish);
    }
    text_free(&prompt);
    request_close(&request);
}

void api_v1_completions(struct http_conn *conn)
{
    struct request request;
    struct job_wish wish = {.model = ""};
    const char *prompt = "";
    if (request_open(&request, conn, FAMILY_OPENAI, "CompletionRequest") < 0)
        return;
    if (read_wish(&request, &wish) == 0 && request_string(&request, "prompt", &prompt) == 0) {
        wish.prompt = *prompt ? prompt : NULL;
        wish.prompt_len = strlen(prompt);
        job_start(conn, &text_dialect, &wish);
    }
    request_close(&request);
}
