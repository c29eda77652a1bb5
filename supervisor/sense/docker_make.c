/* Containers made and taken away. */
#include "sense/docker_make.h"
#include "sense/docker_private.h"
#include "sense/json_member.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WARNINGS_SIZE = 1024 }; /* the engine's warnings of one create, joined */

static void changed(struct docker_call *call, int result, const struct http_response *response,
                    const struct error *err)
{
    (void)response;
    call->user.done(call->userdata, result, err);
}

/* A change without a body; NULL after it has reported that memory is spent. */
static struct docker_call *change_new(struct docker *docker, const char *method, char *path,
                                      docker_answered *answered, docker_done *done, void *userdata)
{
    struct error err;
    struct docker_call *call =
        docker_call_new(docker, sizeof *call, method, path, answered, userdata);
    if (!call) {
        done(userdata, -ENOMEM, docker_no_memory(&err));
        return NULL;
    }
    call->user.done = done;
    call->timeout_ms = DOCKER_CHANGE_MS;
    return call;
}

static void join_warnings(const json_t *answer, char text[WARNINGS_SIZE])
{
    size_t i, used = 0;
    json_t *warning;
    text[0] = '\0';
    json_array_foreach(json_object_get(answer, "Warnings"), i, warning)
    {
        const char *words = json_string_value(warning);
        if (!words || !words[0] || used >= WARNINGS_SIZE)
            continue;
        int written =
            snprintf(text + used, WARNINGS_SIZE - used, "%s%s", used > 0 ? "; " : "", words);
        used += written > 0 ? (size_t)written : 0;
    }
}

static void created(struct docker_call *call, int result, const struct http_response *response,
                    const struct error *err)
{
    struct error own;
    char warnings[WARNINGS_SIZE] = "";
    CLEANUP_JSON json_t *answer =
        result == 0 ? answer_parse(response->body, response->length) : NULL;
    const char *id = member_string(answer, "Id");
    if (result == 0 && !docker_is_id(id ? id : "")) {
        result = docker_unread(call, -EBADMSG, &own);
        err = &own;
    }
    if (result < 0) {
        call->user.created(call->userdata, result, NULL, "", err);
        return;
    }
    join_warnings(answer, warnings);
    call->user.created(call->userdata, 0, id, warnings, NULL);
}

void docker_create(struct docker *docker, const char *name, const json_t *body,
                   docker_created *done, void *userdata)
{
    struct error err;
    struct docker_call *call =
        docker_call_new(docker, sizeof *call, "POST",
                        docker_named_path("/containers/create?name=", name, ""), created, userdata);
    if (!call) {
        done(userdata, -ENOMEM, NULL, "", docker_no_memory(&err));
        return;
    }
    call->user.created = done;
    call->timeout_ms = DOCKER_CHANGE_MS;
    call->conflict = -EEXIST;
    call->refused = -EINVAL;
    call->body = json_dumps(body, JSON_COMPACT);
    if (call->body)
        docker_call_go(call);
    else
        docker_call_end(call, -ENOMEM, NULL, docker_no_memory(&err));
}

void docker_remove(struct docker *docker, const char *id, docker_done *done, void *userdata)
{
    struct docker_call *call = change_new(
        docker, "DELETE", docker_container_path(id, "?force=1&v=1"), changed, done, userdata);
    if (!call)
        return;
    call->conflict = -EALREADY;
    docker_call_go(call);
}

void docker_stop(struct docker *docker, const char *id, int64_t grace_s, long timeout_ms,
                 docker_done *done, void *userdata)
{
    char tail[48];
    snprintf(tail, sizeof tail, "/stop?t=%" PRId64, grace_s);
    struct docker_call *call =
        change_new(docker, "POST", docker_container_path(id, tail), changed, done, userdata);
    if (!call)
        return;
    call->timeout_ms = timeout_ms;
    call->not_modified_is_fine = true;
    docker_call_go(call);
}

void docker_rename(struct docker *docker, const char *id, const char *name, docker_done *done,
                   void *userdata)
{
    char *path = docker_container_path(id, "/rename?name=");
    char *whole = path ? docker_named_path(path, name, "") : NULL;
    free(path);
    struct docker_call *call = change_new(docker, "POST", whole, changed, done, userdata);
    if (!call)
        return;
    call->conflict = -EEXIST;
    docker_call_go(call);
}

static void volume_made(struct docker_call *call, int result, const struct http_response *response,
                        const struct error *err)
{
    struct error own;
    CLEANUP_JSON json_t *answer =
        result == 0 ? answer_parse(response->body, response->length) : NULL;
    if (result == 0 && !member_string(answer, "Name")) {
        result = docker_unread(call, -EBADMSG, &own);
        err = &own;
    }
    call->user.done(call->userdata, result, err);
}

void docker_volume_create(struct docker *docker, const char *name, const json_t *labels,
                          docker_done *done, void *userdata)
{
    struct docker_call *call =
        change_new(docker, "POST", strdup("/volumes/create"), volume_made, done, userdata);
    if (!call)
        return;
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "Name", name);
    if (body && labels)
        json_object_set_new(body, "Labels", json_deep_copy(labels));
    call->refused = -EINVAL;
    call->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
    struct error err;
    if (call->body)
        docker_call_go(call);
    else
        docker_call_end(call, -ENOMEM, NULL, docker_no_memory(&err));
}

void docker_volume_remove(struct docker *docker, const char *name, docker_done *done,
                          void *userdata)
{
    struct docker_call *call = change_new(
        docker, "DELETE", docker_named_path("/volumes/", name, ""), changed, done, userdata);
    if (!call)
        return;
    call->conflict = -EBUSY;
    docker_call_go(call);
}

void docker_image_remove(struct docker *docker, const char *image, docker_done *done,
                         void *userdata)
{
    struct docker_call *call = change_new(
        docker, "DELETE", docker_named_path("/images/", image, ""), changed, done, userdata);
    if (!call)
        return;
    call->conflict = -EBUSY;
    docker_call_go(call);
}
