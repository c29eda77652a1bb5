#include "sense/ollama_pull.h"
#include "sense/json_member.h"
#include "sense/json_stream.h"
#include "sense/ollama_private.h"

enum {
    PULL_OBJECT_MAX = 64 * 1024, /* of progress: 200 bytes; an error has some more */
    PULL_HEAD_SIZE = 512,        /* of a refusal's body */
    PULL_STATUS_SIZE = 96,
};

struct ollama_pull {
    struct ask *ask;
    struct json_stream objects;
    struct pull_layers layers;
    bool success, stopped;
    char model[256];
    char status[PULL_STATUS_SIZE]; /* the last one */
    char refusal[256];             /* an error inside the stream */
    char head[PULL_HEAD_SIZE];     /* the first bytes */
    pull_told *told;
    ollama_done *done;
    void *userdata;
};

static bool object_taken(void *userdata, const char *text, size_t length)
{
    struct ollama_pull *pull = userdata;
    CLEANUP_JSON json_t *object = answer_parse(text, length);
    if (member_string(object, "error"))
        ollama_parse_error(text, length, pull->refusal, sizeof pull->refusal);
    if (!member_string(object, "status"))
        return true;
    member_text(object, "status", pull->status, sizeof pull->status);
    pull->success = strcmp(pull->status, "success") == 0;
    const char *digest = member_string(object, "digest");
    struct pull_layer *layer = digest ? pull_layer(&pull->layers, digest) : NULL;
    fact total = member_fact(object, "total"), completed = member_fact(object, "completed");
    if (layer && fact_known(total))
        layer->total = total;
    if (layer && fact_known(completed))
        layer->current = completed;
    struct pull_progress progress = pull_sum(&pull->layers, pull->status);
    return pull->told(pull->userdata, &progress);
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    const struct ask *ask = userdata;
    struct ollama_pull *pull = ask->userdata;
    if (!ask->client) /* it was freed, and the pull with it */
        return false;
    http_take_head(pull->head, sizeof pull->head, data, length);
    return json_stream_feed(&pull->objects, data, length, object_taken, pull) == 0;
}

static int fail(const struct ollama_pull *pull, const struct http_response *response,
                struct error *err)
{
    char words[200] = "";
    const char *url = pull->ask->client->url;
    if (pull->stopped)
        return error_set(err, FAILURE_JOB, -ECANCELED, "the pull of %.200s was ended", pull->model);
    if (response->result < 0)
        return error_set(err, response->sent ? FAILURE_JOB : FAILURE_UNREACHABLE, response->result,
                         "%s: the pull of %.200s broke off: %.160s", url, pull->model,
                         response->message);
    if (response->status != 200) {
        ollama_parse_error(pull->head, strlen(pull->head), words, sizeof words);
        return error_set(err, FAILURE_JOB, -EIO, "%s refused to pull %.200s with HTTP %ld%s%s", url,
                         pull->model, response->status, words[0] ? ": " : "", words);
    }
    if (pull->refusal[0])
        return error_set(err, FAILURE_JOB, -EIO, "%s could not pull %.160s: %s", url, pull->model,
                         pull->refusal);
    return error_set(err, FAILURE_JOB, -ECONNRESET,
                     "%s ended the pull of %.200s before it was complete", url, pull->model);
}

static void end(void *userdata, int result, const struct error *err)
{
    struct ollama_pull *pull = userdata;
    pull->done(pull->userdata, result, err);
    json_stream_clear(&pull->objects);
    pull_clear(&pull->layers);
    free(pull);
}

static void answered(struct ask *ask, const struct http_response *response)
{
    struct ollama_pull *pull = ask->userdata;
    struct error err;
    bool done = http_good(response) && pull->success && !pull->refusal[0] && !pull->stopped;
    int result = done ? 0 : fail(pull, response, &err);
    end(pull, result, done ? NULL : &err);
}

int ollama_pull(struct ollama_client *client, const char *model, pull_told *told, ollama_done *done,
                void *userdata, struct ollama_pull **ret_pull)
{
    struct ollama_pull *pull = calloc(1, sizeof *pull);
    if (!pull)
        return -ENOMEM;
    const struct ask like = {
        .answered = answered, .on_data = piece_arrived, .done = end, .userdata = pull};
    snprintf(pull->model, sizeof pull->model, "%s", model);
    json_stream_init(&pull->objects, PULL_OBJECT_MAX, 0);
    pull->told = told;
    pull->done = done;
    pull->userdata = userdata;
    int r = ollama_ask(client, "POST", "/api/pull",
                       json_pack("{s:s,s:b}", "model", model, "stream", 1), &like, &pull->ask);
    if (r < 0) {
        json_stream_clear(&pull->objects);
        free(pull);
        return r;
    }
    *ret_pull = pull;
    return 0;
}

void ollama_pull_stop(struct ollama_pull *pull)
{
    if (pull->stopped)
        return;
    pull->stopped = true;
    http_cancel(pull->ask->request);
}
