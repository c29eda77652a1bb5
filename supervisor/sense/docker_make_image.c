/* Images pulled and made: an answer that is a stream of objects, errors among them
 * (facts/docker.md 1.11). */
#include "sense/docker_make.h"
#include "sense/docker_private.h"
#include "sense/json_member.h"
#include "sense/json_stream.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PULL_OBJECT_MAX = 64 * 1024, /* one line of progress is some hundred bytes */
    PULL_LAYERS_MAX = 256,       /* an image has at most 127 */
    PULL_ID_SIZE = 80,           /* 12 hexadecimal digits, or a whole digest */
    IMPORT_MS = 60000,           /* little, to a busy disk */
};

struct layer {
    char id[PULL_ID_SIZE];
    fact current, total; /* bytes of the download */
    bool done;
};

struct pull { /* begins with its call */
    struct docker_call call;
    struct json_stream stream;
    docker_pulling *progress; /* NULL: nobody asks */
    bool *ended;              /* set at the end while docker_pull is still running */
    struct layer *layers;
    size_t n_layers;
    char status[256];
    char failed[DOCKER_WORDS_MAX]; /* the error inside the stream, "" none */
    char head[DOCKER_HEAD_SIZE];   /* the first bytes: a refusal's words */
};
_Static_assert(sizeof(struct pull) <= DOCKER_CALL_MAX, "");

static struct layer *layer_of(struct pull *pull, const char *id)
{
    for (size_t i = 0; i < pull->n_layers; i++)
        if (strcmp(pull->layers[i].id, id) == 0)
            return &pull->layers[i];
    if (pull->n_layers == PULL_LAYERS_MAX || strlen(id) >= PULL_ID_SIZE)
        return NULL;
    struct layer *more = reallocarray(pull->layers, pull->n_layers + 1, sizeof *more);
    if (!more)
        return NULL;
    pull->layers = more;
    struct layer *layer = &more[pull->n_layers++];
    *layer = (struct layer){.current = FACT_UNKNOWN, .total = FACT_UNKNOWN};
    snprintf(layer->id, sizeof layer->id, "%s", id);
    return layer;
}

static void layer_said(struct layer *layer, const char *status, const json_t *detail)
{
    fact current = member_fact(detail, "current"), total = member_fact(detail, "total");
    if (strcmp(status, "Downloading") == 0) {
        layer->current = current;
        if (fact_known(total) && total > 0)
            layer->total = total;
    } else if (strcmp(status, "Verifying Checksum") == 0 ||
               strcmp(status, "Download complete") == 0 || strcmp(status, "Extracting") == 0) {
        layer->current = layer->total;
    } else if (strcmp(status, "Pull complete") == 0 || strcmp(status, "Already exists") == 0) {
        layer->current = layer->total;
        layer->done = true;
    }
}

static void report(struct pull *pull)
{
    struct docker_pull_progress progress = {.current = FACT_UNKNOWN,
                                            .total = FACT_UNKNOWN,
                                            .layers = pull->n_layers,
                                            .status = pull->status};
    for (size_t i = 0; i < pull->n_layers; i++) {
        const struct layer *layer = &pull->layers[i];
        progress.layers_done += layer->done;
        if (!fact_known(layer->total))
            continue;
        progress.total = (fact_known(progress.total) ? progress.total : 0) + layer->total;
        progress.current = (fact_known(progress.current) ? progress.current : 0) +
                           (fact_known(layer->current) ? layer->current : 0);
    }
    pull->progress(pull->call.userdata, &progress);
}

static bool object_taken(void *userdata, const char *text, size_t length)
{
    struct pull *pull = userdata;
    CLEANUP_JSON json_t *object = answer_parse(text, length);
    const char *status = member_string(object, "status"), *id = member_string(object, "id"),
               *failed = member_string(json_object_get(object, "errorDetail"), "message");
    if (!failed)
        failed = member_string(object, "error"); /* the older member */
    if (failed && !pull->failed[0])
        snprintf(pull->failed, sizeof pull->failed, "%s", failed[0] ? failed : "an error");
    if (!status || !pull->progress)
        return true;
    snprintf(pull->status, sizeof pull->status, "%s", status);
    struct layer *layer =
        id && strncmp(status, "Pulling from", 12) != 0 ? layer_of(pull, id) : NULL;
    if (layer)
        layer_said(layer, status, json_object_get(object, "progressDetail"));
    report(pull);
    return !pull->call.stopped && pull->call.docker; /* progress may have ended it */
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    struct pull *pull = userdata;
    if (!pull->head[0]) /* a new attempt knows nothing of the one before */
        json_stream_clear(&pull->stream);
    http_take_head(pull->head, sizeof pull->head, data, length);
    return json_stream_feed(&pull->stream, data, length, object_taken, pull) == 0;
}

static void release(struct docker_call *call)
{
    struct pull *pull = (struct pull *)call;
    json_stream_clear(&pull->stream);
    free(pull->layers);
}

static void stream_ended(struct docker_call *call, int result, const struct http_response *response,
                         const struct error *err)
{
    struct pull *pull = (struct pull *)call;
    struct error own;
    (void)response;
    if (pull->ended)
        *pull->ended = true;
    if (result == 0 && pull->failed[0]) {
        result = error_set(&own, FAILURE_JOB, -EIO, "the Docker Engine at %s: %s",
                           call->docker->socket_path, pull->failed);
        err = &own;
    } else if (result == 0 && pull->stream.depth > 0) {
        result = error_set(&own, FAILURE_JOB, -ECONNRESET,
                           "the Docker Engine at %s ended its answer in the middle of a word",
                           call->docker->socket_path);
        err = &own;
    }
    call->user.done(call->userdata, result, err);
}

/* As docker_change. */
static struct docker_call pull_like(char *path, docker_done *done, void *userdata)
{
    struct docker_call like = docker_change("POST", path, done, userdata);
    like.answered = stream_ended;
    like.on_data = piece_arrived;
    like.body_max = 0; /* it lasts as long as the pull */
    like.release = release;
    like.refused = -EINVAL;
    return like;
}

static struct pull *pull_new(struct docker *docker, const struct docker_call *like)
{
    struct pull *pull = (struct pull *)docker_call_new(docker, sizeof *pull, like);
    if (!pull)
        return NULL;
    json_stream_init(&pull->stream, PULL_OBJECT_MAX);
    pull->call.head = pull->head;
    return pull;
}

/* "repo:tag", "repo@digest", "repo:tag@digest" (the digest counts) and "repo" as the engine wants
 * them: apart. Without a tag it would pull all that there are. */
static char *pull_path(const char *image)
{
    const char *digest = strchr(image, '@'), *slash = strrchr(image, '/');
    const char *colon = strchr(slash && (!digest || slash < digest) ? slash : image, ':');
    if (colon && digest && colon > digest)
        colon = NULL;
    const char *end = colon ? colon : digest ? digest : image + strlen(image);
    const char *tag = digest ? digest + 1 : colon ? colon + 1 : "latest";
    char *name = strndup(image, (size_t)(end - image));
    char *begun = name ? docker_named_path("/images/create?fromImage=", name, "&tag=") : NULL;
    char *path = begun ? docker_named_path(begun, tag, "") : NULL;
    free(begun);
    free(name);
    return path;
}

struct docker_call *docker_pull(struct docker *docker, const char *image, docker_pulling *progress,
                                docker_done *done, void *userdata)
{
    bool ended = false;
    struct docker_call like = pull_like(pull_path(image), done, userdata);
    like.timeout_ms = 0; /* as long as it takes */
    struct pull *pull = pull_new(docker, &like);
    if (!pull)
        return NULL;
    pull->progress = progress;
    pull->ended = &ended;
    docker_call_go(&pull->call);
    if (ended)
        return NULL;
    pull->ended = NULL;
    return &pull->call;
}

void docker_stream_stop(struct docker_call *call)
{
    if (!call || call->stopped)
        return;
    call->stopped = true;
    if (call->request) /* else it waits for the version and ends with that */
        http_cancel(call->request);
}

void docker_import_empty(struct docker *docker, const char *image, docker_done *done,
                         void *userdata)
{
    enum { ARCHIVE_END = 1024 }; /* two empty blocks are the end of a tar archive */
    struct docker_call like =
        pull_like(docker_named_path("/images/create?fromSrc=-&repo=", image, ""), done, userdata);
    like.timeout_ms = IMPORT_MS;
    like.with_body = true;
    like.body = calloc(1, ARCHIVE_END);
    like.body_length = ARCHIVE_END;
    struct pull *pull = pull_new(docker, &like);
    if (pull)
        docker_call_go(&pull->call);
}
