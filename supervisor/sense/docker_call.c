/* One question to the engine: sent, answered, ended. */
#include "sense/docker_private.h"

const struct error *docker_no_memory(struct error *err)
{
    error_set(err, FAILURE_JOB, -ENOMEM, "cannot ask the Docker Engine: out of memory");
    return err;
}

char *docker_named_path(const char *prefix, const char *name, const char *tail)
{
    char *encoded = http_encode(name), *path = NULL;
    if (encoded && asprintf(&path, "%s%s%s", prefix, encoded, tail) < 0)
        path = NULL;
    free(encoded);
    return path;
}

char *docker_container_path(const char *id, const char *tail)
{
    return docker_named_path("/containers/", id, tail);
}

/* About one container, not the list of them: what it answers says nothing of the engine. */
static bool about_one(const struct docker_call *call)
{
    static const char prefix[] = "/containers/", list[] = "/containers/json";
    return !strncmp(call->path, prefix, sizeof prefix - 1) &&
           strncmp(call->path, list, sizeof list - 1) != 0;
}

int docker_read(const struct docker_call *call, int result, struct error *own,
                const struct error **err)
{
    if (result < 0)
        *err = own;
    if (result == -ENOMEM)
        docker_no_memory(own);
    else if (result < 0)
        error_set(own, about_one(call) ? FAILURE_JOB : FAILURE_UNREACHABLE, result,
                  "the Docker Engine at %s answered %s %.*s with something else than expected",
                  call->docker->socket_path, call->method, (int)strcspn(call->path, "?"),
                  call->path);
    return result;
}

struct docker_call *docker_call_new(struct docker *docker, size_t size,
                                    const struct docker_call *like)
{
    struct docker_call *call = like->path ? calloc(1, size) : NULL;
    if (!call) {
        union {
            struct docker_call call;
            char all[DOCKER_CALL_MAX];
        } none;
        struct error err;
        memset(&none, 0, sizeof none);
        none.call = *like;
        none.call.docker = docker;
        none.call.transport_failed = true;
        like->answered(&none.call, -ENOMEM, NULL, docker_no_memory(&err));
        free(like->path);
        free(like->body);
        return NULL;
    }
    *call = *like;
    call->docker = docker;
    LIST_INSERT_HEAD(&docker->calls, call, link);
    return call;
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    struct docker_stream *stream = userdata;
    http_take_head(stream->head, sizeof stream->head, data, length);
    return json_stream_feed(&stream->objects, data, length, stream->take, stream) == 0;
}

static void forget_objects(struct docker_call *call)
{
    json_stream_clear(&((struct docker_stream *)call)->objects);
}

struct docker_stream *docker_stream_new(struct docker *docker, size_t size, size_t object_max,
                                        size_t around, json_stream_take *take,
                                        struct docker_call *like)
{
    like->on_data = piece_arrived;
    if (!like->forget)
        like->forget = forget_objects;
    struct docker_stream *stream = (struct docker_stream *)docker_call_new(docker, size, like);
    if (!stream)
        return NULL;
    json_stream_init(&stream->objects, object_max, around);
    stream->take = take;
    stream->call.head = stream->head;
    return stream;
}

void docker_ask(struct docker *docker, const struct docker_call *like)
{
    struct docker_call *call = docker_call_new(docker, sizeof *call, like);
    if (call)
        docker_call_go(call);
}

struct docker_call docker_question(char *path, docker_answered *answered, void *userdata)
{
    return (struct docker_call){.method = "GET",
                                .path = path,
                                .timeout_ms = DOCKER_READ_MS,
                                .answered = answered,
                                .userdata = userdata};
}

static void changed(struct docker_call *call, int result, const struct http_response *response,
                    const struct error *err)
{
    (void)response;
    call->user.done(call->userdata, result, err);
}

struct docker_call docker_change(const char *method, char *path, docker_done *done, void *userdata)
{
    return (struct docker_call){.method = method,
                                .path = path,
                                .timeout_ms = DOCKER_CHANGE_MS,
                                .body_max = DOCKER_SMALL_MAX,
                                .answered = changed,
                                .user.done = done,
                                .userdata = userdata};
}

static void call_free(struct docker_call *call)
{
    if (call->forget)
        call->forget(call);
    free(call->path);
    free(call->body);
    free(call);
}

void docker_call_end(struct docker_call *call, int result, const struct http_response *response,
                     const struct error *err)
{
    LIST_REMOVE(call, link);
    call->answered(call, result, response, err);
    call->docker = NULL;
    if (call->request)
        http_cancel(call->request); /* its report frees the call */
    else
        call_free(call);
}

static void answered(void *userdata, const struct http_response *given)
{
    struct docker_call *call = userdata;
    struct docker *docker = call->docker;
    struct http_response copy = *given, *response = &copy;
    struct error err;
    call->request = NULL;
    if (!docker) {
        call_free(call);
        return;
    }
    if (call->head) { /* a stream's body is gone, but for the beginning */
        response->body = call->head;
        response->length = strlen(call->head);
    }
    if (response->result < 0) {
        call->transport_failed = true;
        if (!response->sent)
            docker_forget(docker); /* it was away, and may come back as another one */
        int result = docker_error_transport(call, response, &err);
        docker_call_end(call, result, NULL, &err);
        return;
    }
    if (!call->unversioned && !call->repeated && docker_version_refused(response)) {
        call->repeated = true;
        if (call->head)
            memset(call->head, 0, DOCKER_HEAD_SIZE);
        if (call->forget)
            call->forget(call);
        docker_forget(docker);
        docker_call_go(call);
        return;
    }
    if ((response->status >= 200 && response->status < 300) ||
        (response->status == 304 && call->not_modified_is_fine)) {
        docker_call_end(call, 0, response, NULL);
        return;
    }
    int result = docker_error_status(call, response, &err);
    docker_call_end(call, result, NULL, &err);
}

void docker_call_send(struct docker_call *call)
{
    struct docker *docker = call->docker;
    char *url = NULL;
    int written = call->unversioned ? asprintf(&url, "http://d%s", call->path)
                                    : asprintf(&url, "http://d/v%s%s", docker->version, call->path);
    int result = -ENOMEM;
    if (written >= 0) {
        struct http_options options = {
            .method = call->method,
            .unix_socket = docker->socket_path,
            .url = url,
            .body = call->body,
            .body_length = call->body_length,
            .body_type = call->body_length ? "application/x-tar" : NULL,
            .timeout_ms = call->timeout_ms,
            .on_data = call->on_data,
            .body_max = call->body_max,
            /* The question who is there goes to the one who is there now, and what a proxy adds to
             * its answer to a HEAD spoils nothing. */
            .fresh_connection = call->unversioned,
            .answer_header = call->unversioned ? "Api-Version" : NULL,
        };
        result = http_start(docker->http, &options, answered, call, &call->request);
        free(url);
    }
    if (result == 0)
        return;
    struct error err;
    error_set(&err, FAILURE_JOB, result, "cannot ask the Docker Engine: %s", strerror(-result));
    docker_call_end(call, result, NULL, &err);
}
