/* The engine's events: the stream that stays open, and the ring of what was.
 */
#include "base/clock.h"
#include "sense/docker_private.h"
#include <errno.h>
#include <inttypes.h>

/* Exact names, health with what it became: with a bare health_status or exec_* among them the
 * engine would match all by prefix. A health check's own exec_* are never
 * asked for: each run has three. */
static const char filters[] =
    "{\"type\":[\"container\"],\"event\":[\"start\",\"die\",\"stop\",\"kill\",\"oom\",\"update\","
    "\"rename\",\"destroy\",\"restart\",\"pause\",\"unpause\",\"create\","
    "\"health_status: healthy\",\"health_status: unhealthy\"]}";

enum { RING_MAX = 16 * 1024 * 1024 }; /* 256 events; a real one has 1 to 10 KiB */

struct events {
    struct docker_stream stream;
    docker_event_seen *seen;
    int64_t oldest_ns; /* of the first; 0: there was none */
};
_Static_assert(sizeof(struct events) <= DOCKER_CALL_MAX, "");

static bool event_taken(void *userdata, const char *text, size_t length)
{
    struct events *events = userdata;
    struct docker_event event;
    if (!events->oldest_ns)
        events->oldest_ns = docker_parse_event_time(text, length);
    if (docker_parse_event(text, length, &event))
        events->seen(events->stream.call.userdata, &event);
    return docker_stream_goes_on(&events->stream); /* seen may have ended it */
}

static void stream_ended(struct docker_call *call, int result, const struct http_response *response,
                         const struct error *err)
{
    struct docker *docker = call->docker;
    struct error own;
    (void)response;
    if (docker->stream == call)
        docker->stream = NULL;
    if (result == 0 || result == -ECONNRESET) { /* an end in good order, or in the middle */
        result =
            error_set(&own, FAILURE_UNREACHABLE, -ECONNRESET,
                      "the Docker Engine at %s closed the stream of events", docker->socket_path);
        err = &own;
    }
    call->user.ended(call->userdata, result, err);
}

static void ring_ended(struct docker_call *call, int result, const struct http_response *response,
                       const struct error *err)
{
    const struct events *events = (struct events *)call;
    struct error own;
    (void)response;
    if (result == 0 && events->stream.objects.skipped > 0) {
        result = error_set(&own, FAILURE_JOB, -EMSGSIZE,
                           "%zu events of the Docker Engine at %s are too large to be read",
                           events->stream.objects.skipped, call->docker->socket_path);
        err = &own;
    }
    call->user.ring_read(call->userdata, result, events->oldest_ns, err);
}

static struct docker_call *events_new(struct docker *docker, docker_event_seen *seen,
                                      struct docker_call *like)
{
    struct events *events = (struct events *)docker_stream_new(
        docker, sizeof *events, DOCKER_EVENT_MAX, 0, event_taken, like);
    if (!events)
        return NULL;
    events->seen = seen;
    return &events->stream.call;
}

void docker_events(struct docker *docker, docker_event_seen *seen, docker_events_ended *ended,
                   void *userdata)
{
    docker_events_stop(docker); /* one stream at a time */
    struct docker_call like =
        docker_question(docker_named_path("/events?filters=", filters, ""), stream_ended, userdata);
    like.user.ended = ended;
    like.timeout_ms = 0;
    docker->stream = events_new(docker, seen, &like);
    if (docker->stream)
        docker_call_go(docker->stream);
}

void docker_events_stop(struct docker *docker)
{
    struct docker_call *call = docker->stream;
    if (!call)
        return;
    docker->stream = NULL;
    call->stopped = true;
    if (call->request) /* else it waits for the version and ends with that */
        http_cancel(call->request);
}

void docker_events_ring(struct docker *docker, docker_event_seen *seen, docker_ring_read *done,
                        void *userdata)
{
    char path[80];
    int64_t now_ms = clock_wall_ms();
    snprintf(path, sizeof path, "/events?since=1&until=%" PRId64 ".%03" PRId64 "999999",
             now_ms > 0 ? now_ms / 1000 : 0, now_ms > 0 ? now_ms % 1000 : 0);
    struct docker_call like = docker_question(strdup(path), ring_ended, userdata);
    like.user.ring_read = done;
    like.body_max = RING_MAX;
    struct docker_call *call = events_new(docker, seen, &like);
    if (call)
        docker_call_go(call);
}
