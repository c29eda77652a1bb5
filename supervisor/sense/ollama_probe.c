#include "sense/ollama_probe.h"

#include "sense/json_member.h"
#include "sense/ollama_private.h"

struct probe {
    char model[CONTAINER_NAME_SIZE];
    long timeout_ms;
    bool embeds;
    ollama_done *done;
    void *userdata;
};

static void end(void *userdata, int result, const struct error *err)
{
    struct probe *probe = userdata;
    probe->done(probe->userdata, result, err);
    free(probe);
}

static void ask_for_it(struct ollama_client *client, struct probe *probe);

/* Whether the answer is one that was generated: a load's says "load" and counts none. */
static bool has_token(const struct probe *probe, const struct http_response *response)
{
    CLEANUP_JSON json_t *answer = answer_parse(response->body, response->length);
    return probe->embeds ? json_array_size(json_object_get(answer, "embeddings")) > 0
                         : member_fact(answer, "eval_count") > 0;
}

static void answered(struct ask *ask, const struct http_response *response)
{
    struct probe *probe = ask->userdata;
    struct error err;
    int code = 0;
    if (!probe->embeds && ollama_only_embeds(response)) {
        probe->embeds = true;
        ask_for_it(ask->client, probe);
        return;
    }
    if (!http_good(response))
        code = ollama_refused(ask, "the probe", probe->model, response, &err);
    else if (!has_token(probe, response))
        code = error_set(&err, FAILURE_JOB, -ENODATA, "%s answered the probe without a token",
                         ask->client->url);
    end(probe, code, code < 0 ? &err : NULL);
}

static void ask_for_it(struct ollama_client *client, struct probe *probe)
{
    const struct ask like = {
        .answered = answered, .done = end, .userdata = probe, .timeout_ms = probe->timeout_ms};
    struct ask *ask;
    struct error err;
    json_t *body = probe->embeds
                       ? json_pack("{s:s, s:s}", "model", probe->model, "input", "Hello")
                       : json_pack("{s:s, s:s, s:b, s:{s:i}}", "model", probe->model, "prompt",
                                   "Hello", "stream", 0, "options", "num_predict", 1);
    int r = ollama_ask(client, "POST", probe->embeds ? "/api/embed" : "/api/generate", body, &like,
                       &ask);
    if (r == 0)
        return;
    error_set(&err, FAILURE_JOB, r, "cannot ask %s for a token: %s", client->url, strerror(-r));
    end(probe, r, &err);
}

void ollama_probe(struct ollama_client *client, const char *model, long timeout_ms,
                  ollama_done *done, void *userdata)
{
    struct probe *probe = calloc(1, sizeof *probe);
    struct error err;
    if (!probe) {
        error_set(&err, FAILURE_JOB, -ENOMEM, "not enough memory");
        done(userdata, -ENOMEM, &err);
        return;
    }
    snprintf(probe->model, sizeof probe->model, "%s", model);
    probe->timeout_ms = timeout_ms;
    probe->done = done;
    probe->userdata = userdata;
    ask_for_it(client, probe);
}
