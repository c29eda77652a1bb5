/* Containers made and taken away. */
#include "sense/docker_make.h"
#include "sense/docker_private.h"

enum { WARNINGS_SIZE = 1024 }; /* the engine's warnings of one create, joined */

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
    if (result == 0 && !docker_is_id(id))
        result = docker_read(call, -EBADMSG, &own, &err);
    if (result == 0)
        join_warnings(answer, warnings);
    call->user.created(call->userdata, result, result == 0 ? id : NULL, warnings, err);
}

void docker_create(struct docker *docker, const char *name, const json_t *body,
                   docker_created *done, void *userdata)
{
    struct docker_call like = docker_change(
        "POST", docker_named_path("/containers/create?name=", name, ""), NULL, userdata);
    like.user.created = done;
    like.answered = created;
    like.with_body = true;
    like.body = json_dumps(body, JSON_COMPACT);
    like.conflict = -EEXIST;
    like.refused = -EINVAL;
    docker_ask(docker, &like);
}

/* Takes away what the path names. conflict: what a 409 is. */
static void take_away(struct docker *docker, char *path, int conflict, docker_done *done,
                      void *userdata)
{
    struct docker_call like = docker_change("DELETE", path, done, userdata);
    like.conflict = conflict;
    docker_ask(docker, &like);
}

void docker_remove(struct docker *docker, const char *id, docker_done *done, void *userdata)
{
    take_away(docker, docker_container_path(id, "?force=1"), -EALREADY, done, userdata);
}

void docker_rename(struct docker *docker, const char *id, const char *name, docker_done *done,
                   void *userdata)
{
    char *path = docker_container_path(id, "/rename?name=");
    struct docker_call like =
        docker_change("POST", path ? docker_named_path(path, name, "") : NULL, done, userdata);
    like.conflict = -EEXIST;
    docker_ask(docker, &like);
    free(path);
}

static void volume_made(struct docker_call *call, int result, const struct http_response *response,
                        const struct error *err)
{
    struct error own;
    CLEANUP_JSON json_t *answer =
        result == 0 ? answer_parse(response->body, response->length) : NULL;
    if (result == 0 && !member_string(answer, "Name"))
        result = docker_read(call, -EBADMSG, &own, &err);
    call->user.done(call->userdata, result, err);
}

void docker_volume_create(struct docker *docker, const char *name, const json_t *labels,
                          docker_done *done, void *userdata)
{
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "Name", name);
    if (labels)
        json_object_set_new(body, "Labels", json_deep_copy(labels));
    struct docker_call like = docker_change("POST", strdup("/volumes/create"), done, userdata);
    like.answered = volume_made;
    like.with_body = true;
    like.body = json_dumps(body, JSON_COMPACT);
    like.refused = -EINVAL;
    docker_ask(docker, &like);
}

void docker_network_connect(struct docker *docker, const char *network, const char *id,
                            const json_t *endpoint, docker_done *done, void *userdata)
{
    CLEANUP_JSON json_t *body = json_pack("{s:s}", "Container", id);
    json_object_set_new(body, "EndpointConfig", json_deep_copy(endpoint));
    struct docker_call like =
        docker_change("POST", docker_named_path("/networks/", network, "/connect"), done, userdata);
    like.with_body = true;
    like.body = json_dumps(body, JSON_COMPACT);
    like.refused = -EINVAL;
    docker_ask(docker, &like);
}

void docker_image_remove(struct docker *docker, const char *image, docker_done *done,
                         void *userdata)
{
    take_away(docker, docker_named_path("/images/", image, ""), -EBUSY, done, userdata);
}
