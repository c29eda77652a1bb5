#include "sense/ollama_pull.h"
#include "base/lines.h"
#include "sense/json_member.h"
#include "sense/ollama_parse.h"
#include "sense/ollama_private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PULL_LINE_MAX = 64 * 1024, /* a line of progress has 200 bytes, an error's some more */
    PULL_HEAD_SIZE = 512,      /* of a refusal's body */
    PULL_STATUS_SIZE = 96,
};

struct layer {
    char digest[80];
    fact completed, total;
};

struct ollama_pull {
    struct http_request *request;
    struct lines lines;
    struct layer layers[OLLAMA_LAYERS_MAX];
    size_t n_layers;
    bool success, stopped;
    char url[OLLAMA_URL_SIZE], model[256];
    char status[PULL_STATUS_SIZE]; /* the last one */
    char refusal[256];             /* an error inside the stream */
    char head[PULL_HEAD_SIZE];     /* the first bytes */
    ollama_pulling *progress;
    ollama_done *done;
    void *userdata;
};

static struct layer *layer_of(struct ollama_pull *pull, const char *digest)
{
    for (size_t i = 0; i < pull->n_layers; i++)
        if (strcmp(pull->layers[i].digest, digest) == 0)
            return &pull->layers[i];
    if (pull->n_layers == OLLAMA_LAYERS_MAX || strlen(digest) >= sizeof pull->layers[0].digest)
        return NULL;
    struct layer *layer = &pull->layers[pull->n_layers++];
    *layer = (struct layer){.completed = 0, .total = 0};
    memcpy(layer->digest, digest, strlen(digest) + 1);
    return layer;
}

static void tell(struct ollama_pull *pull)
{
    struct ollama_pull_progress progress = {.layers = pull->n_layers, .status = pull->status};
    for (size_t i = 0; i < pull->n_layers; i++) {
        progress.completed = fact_add(progress.completed, pull->layers[i].completed);
        progress.total = fact_add(progress.total, pull->layers[i].total);
    }
    if (pull->progress)
        pull->progress(pull->userdata, &progress);
}

static bool line_taken(void *userdata, const char *line, size_t length)
{
    struct ollama_pull *pull = userdata;
    CLEANUP_JSON json_t *object = answer_parse(line, length);
    if (member_string(object, "error"))
        ollama_parse_error(line, length, pull->refusal, sizeof pull->refusal);
    if (!member_string(object, "status"))
        return true;
    member_text(object, "status", pull->status, sizeof pull->status);
    pull->success = strcmp(pull->status, "success") == 0;
    const char *digest = member_string(object, "digest");
    struct layer *layer = digest ? layer_of(pull, digest) : NULL;
    fact total = member_fact(object, "total"), completed = member_fact(object, "completed");
    if (layer && fact_known(total))
        layer->total = total;
    if (layer && fact_known(completed))
        layer->completed = completed;
    tell(pull);
    return true;
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    struct ollama_pull *pull = userdata;
    http_take_head(pull->head, sizeof pull->head, data, length);
    return lines_feed(&pull->lines, data, length, line_taken, pull) == 0;
}

static int fail(const struct ollama_pull *pull, const struct http_response *response,
                struct error *err)
{
    char words[200] = "";
    if (pull->stopped)
        return error_set(err, FAILURE_JOB, -ECANCELED, "the pull of %.200s was ended", pull->model);
    if (response->result < 0)
        return error_set(err, response->sent ? FAILURE_JOB : FAILURE_UNREACHABLE, response->result,
                         "%s: the pull of %.200s broke off: %.160s", pull->url, pull->model,
                         response->message);
    if (response->status != 200) {
        ollama_parse_error(pull->head, strlen(pull->head), words, sizeof words);
        return error_set(err, FAILURE_JOB, -EIO, "%s refused to pull %.200s with HTTP %ld%s%s",
                         pull->url, pull->model, response->status, words[0] ? ": " : "", words);
    }
    if (pull->refusal[0])
        return error_set(err, FAILURE_JOB, -EIO, "%s could not pull %.160s: %s", pull->url,
                         pull->model, pull->refusal);
    return error_set(err, FAILURE_JOB, -ECONNRESET,
                     "%s ended the pull of %.200s before it was complete", pull->url, pull->model);
}

static void finished(void *userdata, const struct http_response *response)
{
    struct ollama_pull *pull = userdata;
    struct error err;
    if (response->result == 0 && !pull->stopped)
        lines_end(&pull->lines, line_taken, pull);
    bool done = http_good(response) && pull->success && !pull->refusal[0] && !pull->stopped;
    int result = done ? 0 : fail(pull, response, &err);
    pull->done(pull->userdata, result, done ? NULL : &err);
    lines_clear(&pull->lines);
    free(pull);
}

int ollama_pull(struct http *http, const char *address, uint16_t port, const char *model,
                ollama_pulling *progress, ollama_done *done, void *userdata,
                struct ollama_pull **ret_pull)
{
    struct ollama_pull *pull = calloc(1, sizeof *pull);
    CLEANUP_JSON json_t *question = json_pack("{s:s,s:b}", "model", model, "stream", 1);
    char *body = question ? json_dumps(question, JSON_COMPACT) : NULL;
    char url[sizeof pull->url + 16];
    int result = !pull ? -ENOMEM : body ? 0 : -EINVAL; /* a name that is not UTF-8 */
    if (result == 0) {
        ollama_url(address, port, pull->url);
        snprintf(pull->model, sizeof pull->model, "%s", model);
        snprintf(url, sizeof url, "%s/api/pull", pull->url);
        lines_init(&pull->lines, PULL_LINE_MAX);
        pull->progress = progress;
        pull->done = done;
        pull->userdata = userdata;
        struct http_options options = {.method = "POST",
                                       .url = url,
                                       .body = body,
                                       .timeout_ms = 0,
                                       .fresh_connection = true,
                                       .on_data = piece_arrived};
        result = http_start(http, &options, finished, pull, &pull->request);
    }
    free(body);
    if (result < 0) {
        free(pull);
        return result;
    }
    *ret_pull = pull;
    return 0;
}

void ollama_pull_stop(struct ollama_pull *pull)
{
    if (pull->stopped)
        return;
    pull->stopped = true;
    http_cancel(pull->request);
}
