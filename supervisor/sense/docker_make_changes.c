/* What lies in a container's own layer. */
#include "sense/docker_make.h"
#include "sense/docker_private.h"

enum { CHANGE_MAX = 16 * 1024 }; /* of one: a path has 4 KiB, each byte up to six as JSON */

struct changes {
    struct docker_stream stream;
    docker_change_seen *seen;
};
_Static_assert(sizeof(struct changes) <= DOCKER_CALL_MAX, "");

static bool change_taken(void *userdata, const char *text, size_t length)
{
    struct changes *changes = userdata;
    CLEANUP_JSON json_t *change = answer_parse(text, length);
    const char *path = member_string(change, "Path");
    if (path)
        changes->seen(changes->stream.call.userdata, path, member_fact(change, "Kind"));
    return docker_stream_goes_on(&changes->stream);
}

static void changes_read(struct docker_call *call, int result, const struct http_response *response,
                         const struct error *err)
{
    const struct changes *changes = (struct changes *)call;
    const struct json_stream *objects = &changes->stream.objects;
    struct error own;
    bool none = result == 0 && response->length >= 4 && strncmp(response->body, "null", 4) == 0;
    if (result == 0 && !none && (!json_stream_is_whole(objects) || objects->skipped > 0))
        result = docker_read(call, -EBADMSG, &own, &err);
    call->user.done(call->userdata, result, err);
}

void docker_changes(struct docker *docker, const char *id, docker_change_seen *seen,
                    docker_done *done, void *userdata)
{
    struct docker_call like =
        docker_question(docker_container_path(id, "/changes"), changes_read, userdata);
    like.user.done = done;
    like.body_max = DOCKER_LIST_MAX;
    like.timeout_ms = DOCKER_LIST_MS;
    struct changes *changes = (struct changes *)docker_stream_new(
        docker, sizeof *changes, CHANGE_MAX, 1, change_taken, &like);
    if (!changes)
        return;
    changes->seen = seen;
    docker_call_go(&changes->stream.call);
}
