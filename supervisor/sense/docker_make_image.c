/* Images pulled and made: an answer that is a stream of objects, errors among them. */
#include "base/size.h"
#include "sense/docker_private.h"

enum {
    PULL_OBJECT_MAX = 64 * 1024, /* one line of progress is some hundred bytes */
    IMPORT_MS = 60000,           /* little, to a busy disk */
};

struct pull {
    struct docker_stream stream;
    pull_told *told; /* NULL: nobody asks */
    bool *ended;     /* set at the end while docker_pull is still running */
    struct pull_layers layers;
    char status[256];
    char failed[DOCKER_WORDS_MAX]; /* the error inside the stream, "" none */
};
_Static_assert(sizeof(struct pull) <= DOCKER_CALL_MAX, "");

/* Bytes are counted of the download alone. */
static void layer_said(struct pull_layer *layer, const char *status, const json_t *detail)
{
    static const char *const whole[] = {"Verifying Checksum", "Download complete", "Extracting",
                                        "Pull complete", "Already exists"};
    fact current = member_fact(detail, "current"), total = member_fact(detail, "total");
    if (strcmp(status, "Downloading") == 0) {
        layer->current = current;
        if (fact_known(total) && total > 0)
            layer->total = total;
    } else if (word_find(whole, sizeof whole / sizeof whole[0], status) >= 0) {
        layer->current = layer->total;
    }
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
    if (!status || !pull->told)
        return true;
    snprintf(pull->status, sizeof pull->status, "%s", status);
    struct pull_layer *layer =
        id && strncmp(status, "Pulling from", 12) != 0 ? pull_layer(&pull->layers, id) : NULL;
    if (layer)
        layer_said(layer, status, json_object_get(object, "progressDetail"));
    struct pull_progress progress = pull_sum(&pull->layers, pull->status);
    return pull->told(pull->stream.call.userdata, &progress) &&
           docker_stream_goes_on(&pull->stream); /* told may have ended it */
}

static void forget(struct docker_call *call)
{
    struct pull *pull = (struct pull *)call;
    json_stream_clear(&pull->stream.objects);
    pull_clear(&pull->layers);
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
    } else if (result == 0 && pull->stream.objects.depth > 0) {
        result = error_set(&own, FAILURE_JOB, -ECONNRESET,
                           "the Docker Engine at %s ended its answer in the middle of a word",
                           call->docker->socket_path);
        err = &own;
    }
    call->user.done(call->userdata, result, err);
}

static struct pull *pull_new(struct docker *docker, struct docker_call *like)
{
    like->answered = stream_ended;
    like->body_max = 0; /* it lasts as long as the pull */
    like->forget = forget;
    like->refused = -EINVAL;
    return (struct pull *)docker_stream_new(docker, sizeof(struct pull), PULL_OBJECT_MAX, 0,
                                            object_taken, like);
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

struct docker_call *docker_pull(struct docker *docker, const char *image, pull_told *told,
                                docker_done *done, void *userdata)
{
    bool ended = false;
    struct docker_call like = docker_change("POST", pull_path(image), done, userdata);
    like.timeout_ms = 0; /* as long as it takes */
    struct pull *pull = pull_new(docker, &like);
    if (!pull)
        return NULL;
    pull->told = told;
    pull->ended = &ended;
    docker_call_go(&pull->stream.call);
    if (ended)
        return NULL;
    pull->ended = NULL;
    return &pull->stream.call;
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
    struct docker_call like = docker_change(
        "POST", docker_named_path("/images/create?fromSrc=-&repo=", image, ""), done, userdata);
    like.timeout_ms = IMPORT_MS;
    like.with_body = true;
    like.body = calloc(1, ARCHIVE_END);
    like.body_length = ARCHIVE_END;
    struct pull *pull = pull_new(docker, &like);
    if (pull)
        docker_call_go(&pull->stream.call);
}
