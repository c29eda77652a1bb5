/* /v1/responses, whole answers only. */
#include "api.h"
#include "job.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define ID_SIZE 32

static void end(struct job *job)
{
    char id[ID_SIZE], message_id[ID_SIZE];
    snprintf(id, sizeof id, "resp_%llu", (unsigned long long)(job->id * 7919 % 1000000));
    snprintf(message_id, sizeof message_id, "msg_%llu",
             (unsigned long long)(job->id * 6947 % 1000000));
    json_t *text = json_pack("{ss ss s[] s[]}", "type", "output_text", "text",
                             job->answer.len ? job->answer.data : "", "annotations", "logprobs");
    json_t *output = json_pack("{ss ss ss ss s[o]}", "id", message_id, "type", "message", "status",
                               "completed", "role", "assistant", "content", text);
    json_int_t now = (json_int_t)time(NULL), in = (json_int_t)job->prompt_tokens,
               out = (json_int_t)job->tokens_done;
    json_t *json = json_pack(
        "{ss ss sI sI ss sn ss sn sn s[o] sn s[] ss ss sb}", "id", id, "object", "response",
        "created_at", now, "completed_at", now, "status", "completed", "incomplete_details",
        "model", job->model, "previous_response_id", "instructions", "output", output, "error",
        "tools", "tool_choice", "auto", "truncation", "disabled", "parallel_tool_calls", 1);
    json_t *rest = json_pack(
        "{s{s{ss}} si si si si si sn s{sI sI sI s{si} s{si}}}", "text", "format", "type", "text",
        "top_p", 1, "presence_penalty", 0, "frequency_penalty", 0, "top_logprobs", 0, "temperature",
        1, "reasoning", "usage", "input_tokens", in, "output_tokens", out, "total_tokens", in + out,
        "input_tokens_details", "cached_tokens", 0, "output_tokens_details", "reasoning_tokens", 0);
    json_object_update(json, rest);
    json_decref(rest);
    json_object_set_new(json, "max_output_tokens",
                        job->limited ? json_integer((json_int_t)job->work.tokens) : json_null());
    rest =
        json_pack("{sn sb sb ss s{} sn sn}", "max_tool_calls", "store", 0, "background", 0,
                  "service_tier", "default", "metadata", "safety_identifier", "prompt_cache_key");
    json_object_update(json, rest);
    json_decref(rest);
    reply_json(job->conn, 200, FAMILY_OPENAI, json);
}

static const struct dialect dialect = {FAMILY_OPENAI, end, NULL, end};

void api_v1_responses(struct http_conn *conn)
{
    struct request request;
    struct job_wish wish = {.model = ""};
    const char *input = "";
    bool stream = false;
    if (request_open(&request, conn, FAMILY_OPENAI, "ResponsesRequest") < 0)
        return;
    if (request_string(&request, "model", &wish.model) == 0 &&
        request_bool(&request, "stream", &stream) == 0 &&
        request_string(&request, "input", &input) == 0 &&
        request_number(&request, "max_output_tokens", &wish.num_predict) == 0) {
        wish.prompt = input;
        wish.prompt_len = strlen(input);
        if (stream)
            reply_error(conn, 501, FAMILY_OPENAI, "simollama does not stream /v1/responses");
        else
            job_start(conn, &dialect, &wish);
    }
    request_close(&request);
}
