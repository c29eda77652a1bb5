/* The client itself and the version it speaks. */
#include "sense/docker.h"
#include "sense/docker_private.h"

int docker_new(struct http *http, const char *socket_path, struct docker **ret_docker)
{
    size_t length = strlen(socket_path);
    struct docker *docker = calloc(1, sizeof *docker);
    if (!docker)
        return -ENOMEM;
    if (length >= sizeof docker->socket_path) {
        free(docker);
        return -ENAMETOOLONG;
    }
    docker->http = http;
    memcpy(docker->socket_path, socket_path, length + 1);
    docker->references = 1;
    LIST_INIT(&docker->calls);
    *ret_docker = docker;
    return 0;
}

static void release(struct docker *docker)
{
    if (--docker->references == 0)
        free(docker);
}

static const struct error *cancelled(struct error *err)
{
    error_set(err, FAILURE_JOB, -ECANCELED, "the question to the Docker Engine was cancelled");
    return err;
}

void docker_free(struct docker *docker)
{
    if (!docker || docker->freed)
        return;
    docker->freed = true;
    struct error err;
    struct docker_call *call;
    while ((call = LIST_FIRST(&docker->calls)))
        docker_call_end(call, -ECANCELED, NULL, cancelled(&err));
    release(docker);
}

void docker_forget(struct docker *docker)
{
    docker->version[0] = '\0';
}

const char *docker_api_version(const struct docker *docker)
{
    return docker->version;
}

/* Every call that waited for the version is sent, or fails as the question for it did. */
static void release_waiting(struct docker *docker, int result, const struct error *err)
{
    struct docker_call *call;
    struct error own;
    docker->references++;
    for (;;) {
        LIST_FOREACH(call, &docker->calls, link)
        {
            if (call->waiting)
                break;
        }
        if (!call)
            break;
        call->waiting = false;
        if (call->stopped)
            docker_call_end(call, -ECANCELED, NULL, cancelled(&own));
        else if (result < 0 || call->ping)
            docker_call_end(call, result, NULL, err);
        else
            docker_call_send(call);
    }
    release(docker);
}

static int adopt_version(struct docker *docker, const struct http_response *response,
                         struct error *err)
{
    int theirs = docker_parse_version(response->header);
    if (response->header[0] && theirs < DOCKER_API_MIN)
        return error_set(err, FAILURE_UNREACHABLE, -EPROTONOSUPPORT,
                         "the Docker Engine at %s speaks API %s at most, 1.%d is needed (engine "
                         "19.03 or newer)",
                         docker->socket_path, response->header, DOCKER_API_MIN);
    int spoken = theirs < 0 || theirs > DOCKER_API_MAX ? DOCKER_API_MAX : theirs;
    snprintf(docker->version, sizeof docker->version, "1.%d", spoken);
    return 0;
}

static void ask_version(struct docker *docker, const char *method);

static void version_answered(struct docker_call *call, int result,
                             const struct http_response *response, const struct error *err)
{
    struct docker *docker = call->docker;
    struct error unfit;
    docker->asking = NULL;
    if (docker->freed)
        return;
    if (result < 0 && !call->transport_failed && strcmp(call->method, "HEAD") == 0) {
        ask_version(docker, "GET"); /* some proxies let only GET through, and GET has words */
        return;
    }
    if (result == 0) {
        result = adopt_version(docker, response, &unfit);
        err = &unfit;
    }
    release_waiting(docker, result, err);
}

static void ask_version(struct docker *docker, const char *method)
{
    struct docker_call like = docker_question(strdup("/_ping"), version_answered, NULL);
    like.method = method;
    like.unversioned = true;
    like.timeout_ms = DOCKER_PING_MS;
    like.body_max = DOCKER_SMALL_MAX;
    docker->asking = docker_call_new(docker, sizeof like, &like);
    if (docker->asking)
        docker_call_send(docker->asking);
}

void docker_call_go(struct docker_call *call)
{
    struct docker *docker = call->docker;
    struct error err;
    if (call->with_body && !call->body) {
        docker_call_end(call, -ENOMEM, NULL, docker_no_memory(&err));
        return;
    }
    if (docker->version[0] && !call->ping) {
        docker_call_send(call);
        return;
    }
    call->waiting = true;
    if (!docker->asking)
        ask_version(docker, "HEAD");
}

static void pinged(struct docker_call *call, int result, const struct http_response *response,
                   const struct error *err)
{
    (void)response;
    call->user.done(call->userdata, result, result < 0 ? err : NULL);
}

void docker_ping(struct docker *docker, docker_done *done, void *userdata)
{
    struct docker_call like = docker_question(strdup("/_ping"), pinged, userdata);
    like.user.done = done;
    like.ping = true;
    docker_ask(docker, &like);
}
