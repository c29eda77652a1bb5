/* The engine's events: the stream that stays open, and the ring of what was (facts/docker.md 1.9).
 */
#include "base/clock.h"
#include "sense/docker_parse.h"
#include "sense/docker_private.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Exact names, health with what it became: with a bare health_status or exec_* among them the
 * engine would match all by prefix (facts/docker.md 1.9). A health check's own exec_* are never
 * asked for: each run has three. */
static const char filters[] =
    "{\"type\":[\"container\"],\"event\":[\"start\",\"die\",\"stop\",\"kill\",\"oom\",\"update\","
    "\"rename\",\"destroy\",\"restart\",\"pause\",\"unpause\",\"create\","
    "\"health_status: healthy\",\"health_status: unhealthy\"]}";

enum { RING_MAX = 16 * 1024 * 1024 }; /* 256 events; a real one has 1 to 10 KiB */

struct events { /* begins with its call */
    struct docker_call call;
    struct lines lines;
    docker_event_seen *seen;
    int64_t oldest_ns;           /* of the first line; 0: there was none */
    char head[DOCKER_HEAD_SIZE]; /* the first bytes: a refusal's words */
};
_Static_assert(sizeof(struct events) <= DOCKER_CALL_MAX, "");

static bool line_taken(void *userdata, const char *line, size_t length)
{
    struct events *events = userdata;
    struct docker_event event;
    if (!events->oldest_ns)
        events->oldest_ns = docker_parse_event_time(line, length);
    if (docker_parse_event(line, length, &event))
        events->seen(events->call.userdata, &event);
    return !events->call.stopped && events->call.docker; /* seen may have ended the stream */
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    struct events *events = userdata;
    if (!events->head[0]) /* a new attempt knows nothing of the one before */
        lines_clear(&events->lines);
    http_take_head(events->head, sizeof events->head, data, length);
    return lines_feed(&events->lines, data, length, line_taken, events) == 0;
}

static void release(struct docker_call *call)
{
    lines_clear(&((struct events *)call)->lines);
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
    struct events *events = (struct events *)call;
    (void)response;
    if (result == 0)
        lines_end(&events->lines, line_taken, events);
    call->user.ring_read(call->userdata, result, events->oldest_ns, err);
}

static struct events *events_new(struct docker *docker, docker_event_seen *seen,
                                 struct docker_call *like)
{
    like->on_data = piece_arrived;
    like->release = release;
    struct events *events = (struct events *)docker_call_new(docker, sizeof *events, like);
    if (!events)
        return NULL;
    lines_init(&events->lines, DOCKER_LINE_MAX);
    events->seen = seen;
    events->call.head = events->head;
    return events;
}

void docker_events(struct docker *docker, docker_event_seen *seen, docker_events_ended *ended,
                   void *userdata)
{
    docker_events_stop(docker); /* one stream at a time */
    struct docker_call like =
        docker_question(docker_named_path("/events?filters=", filters, ""), stream_ended, userdata);
    like.user.ended = ended;
    like.timeout_ms = 0;
    struct events *events = events_new(docker, seen, &like);
    if (!events)
        return;
    docker->stream = &events->call;
    docker_call_go(&events->call);
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
    struct events *events = events_new(docker, seen, &like);
    if (events)
        docker_call_go(&events->call);
}
