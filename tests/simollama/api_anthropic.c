/* /v1/messages. */
#include "api.h"
#include "job.h"

#include <stdio.h>
#include <string.h>

#define ID_SIZE 64

static const char *stop_reason(const struct job *job)
{
    return job->limited ? "max_tokens" : "end_turn";
}

static json_t *usage(const struct job *job)
{
    return json_pack("{sI sI}", "input_tokens", (json_int_t)job->prompt_tokens, "output_tokens",
                     (json_int_t)job->tokens_done);
}

static json_t *message(const struct job *job, json_t *content)
{
    char id[ID_SIZE];
    snprintf(id, sizeof id, "msg_%08llx%016llx", (unsigned long long)job->id,
             (unsigned long long)text_hash(&job->start_ns, sizeof job->start_ns));
    return json_pack("{ss ss ss ss so}", "id", id, "type", "message", "role", "assistant", "model",
                     job->model, "content", content);
}

/* The events before the first token. */
static void open_stream(struct job *job)
{
    text_print(&job->conn->extra, "Cache-Control: no-cache\r\nConnection: keep-alive\r\n");
    json_t *start = message(job, json_array());
    json_object_set_new(
        start, "usage",
        json_pack("{sI si}", "input_tokens", (json_int_t)job->prompt_tokens, "output_tokens", 0));
    job_event(job, "message_start",
              json_pack("{ss so}", "type", "message_start", "message", start));
    job_event(job, "content_block_start",
              json_pack("{ss si s{ss ss}}", "type", "content_block_start", "index", 0,
                        "content_block", "type", "text", "text", ""));
}

static void token(struct job *job, const char *piece)
{
    if (!job->started)
        open_stream(job);
    job_event(job, "content_block_delta",
              json_pack("{ss si s{ss ss}}", "type", "content_block_delta", "index", 0, "delta",
                        "type", "text_delta", "text", piece));
}

static void end(struct job *job)
{
    if (!job->stream) {
        json_t *json = message(job, json_pack("[{ss ss}]", "type", "text", "text",
                                              job->answer.len ? job->answer.data : ""));
        json_object_set_new(json, "stop_reason", json_string(stop_reason(job)));
        json_object_set_new(json, "usage", usage(job));
        reply_json(job->conn, 200, FAMILY_ANTHROPIC, json);
        return;
    }
    if (!job->started)
        open_stream(job);
    job_event(job, "content_block_stop",
              json_pack("{ss si}", "type", "content_block_stop", "index", 0));
    job_event(job, "message_delta",
              json_pack("{ss s{ss} so}", "type", "message_delta", "delta", "stop_reason",
                        stop_reason(job), "usage", usage(job)));
    job_event(job, "message_stop", json_pack("{ss}", "type", "message_stop"));
    http_end(job->conn);
}

static const struct dialect dialect = {FAMILY_ANTHROPIC, end, token, end};

void api_v1_messages(struct http_conn *conn)
{
    struct request request;
    struct job_wish wish = {.model = ""};
    struct text prompt = {0};
    if (request_open(&request, conn, FAMILY_ANTHROPIC, "MessagesRequest") < 0)
        return;
    if (request_string(&request, "model", &wish.model) == 0 &&
        request_bool(&request, "stream", &wish.stream) == 0 &&
        request_number(&request, "max_tokens", &wish.num_predict) == 0) {
        const json_t *messages = request_field(&request, "messages");
        for (size_t i = 0; i < json_array_size(messages); i++) {
            const char *content =
                json_string_value(field_of(json_array_get(messages, i), "content"));
            if (content)
                text_append(&prompt, content, strlen(content), HTTP_BODY_MAX);
        }
        wish.prompt = prompt.data ? prompt.data : "";
        wish.prompt_len = prompt.len;
        if (!*wish.model)
            reply_error(conn, 400, FAMILY_ANTHROPIC, "model is required");
        else if (wish.num_predict <= 0)
            reply_error(conn, 400, FAMILY_ANTHROPIC, "max_tokens is required and must be positive");
        else if (json_array_size(messages) == 0)
            reply_error(conn, 400, FAMILY_ANTHROPIC, "messages is required");
        else
            job_start(conn, &dialect, &wish);
    }
    text_free(&prompt);
    request_close(&request);
}
