/* Answers given on as they are: inspects of containers, images and volumes, the list, /info. */
#include "sense/docker_make.h"
#include "sense/docker_private.h"
#include "sense/json_member.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void json_read(struct docker_call *call, int result, const struct http_response *response,
                      const struct error *err)
{
    struct error own;
    CLEANUP_JSON json_t *answer = NULL;
    if (result == 0) {
        answer = answer_parse(response->body, response->length);
        if (!answer)
            answer = answer_parse_real(response->body, response->length);
        result = docker_read(call, answer ? 0 : -EBADMSG, &own, &err);
    }
    call->user.json_read(call->userdata, result, answer, err);
}

static void read_path(struct docker *docker, char *path, docker_json_read *done, void *userdata)
{
    struct docker_call like = docker_question(path, json_read, userdata);
    like.user.json_read = done;
    docker_ask(docker, &like);
}

void docker_inspect_json(struct docker *docker, const char *id, docker_json_read *done,
                         void *userdata)
{
    read_path(docker, docker_container_path(id, "/json"), done, userdata);
}

void docker_image_json(struct docker *docker, const char *image, docker_json_read *done,
                       void *userdata)
{
    read_path(docker, docker_named_path("/images/", image, "/json"), done, userdata);
}

void docker_volume_json(struct docker *docker, const char *name, docker_json_read *done,
                        void *userdata)
{
    read_path(docker, docker_named_path("/volumes/", name, ""), done, userdata);
}

void docker_info_json(struct docker *docker, docker_json_read *done, void *userdata)
{
    read_path(docker, strdup("/info"), done, userdata);
}

void docker_list_json(struct docker *docker, docker_json_read *done, void *userdata)
{
    read_path(docker, strdup("/containers/json?all=1&size=0"), done, userdata);
}
