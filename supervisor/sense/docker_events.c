/* The engine's events: the stream that stays open, and the ring of what was (facts/docker.md 1.9).
 */
#include "base/clock.h"
#include "sense/docker_parse.h"
#include "sense/docker_private.h"
#include "sense/json_member.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Exact names, health with what it became: with a bare health_status or exec_* among them the
 * engine would match all by prefix (facts/docker.md 1.9). A health check's own exec_* are never
 * asked for: each run has three. */
static const char *const actions[] = {"start",
                                      "die",
                                      "stop",
                                      "kill",
                                      "oom",
                                      "update",
                                      "rename",
                                      "destroy",
                                      "restart",
                                      "pause",
                                      "unpause",
                                      "create",
                                      "health_status: healthy",
                                      "health_status: unhealthy"};

struct events { /* begins with its call */
    struct docker_call call;
    struct lines lines;
    docker_event_seen *seen;
    char id[CONTAINER_ID_SIZE]; /* only this one's; "" = all */
    char head[512];             /* the first bytes: a refusal's words */
};

static bool line_taken(void *userdata, const char *line, size_t length)
{
    struct events *events = userdata;
    struct docker_event event;
    if (docker_parse_event(line, length, &event) &&
        (!events->id[0] || strcmp(events->id, event.id) == 0))
        events->seen(events->call.userdata, &event);
    return !events->call.stopped && events->call.docker; /* seen may have ended the stream */
}

static bool piece_arrived(void *userdata, const char *data, size_t length)
{
    struct events *events = userdata;
    size_t known = strlen(events->head), room = sizeof events->head - 1 - known;
    if (known == 0) /* a new attempt knows nothing of the one before */
        lines_clear(&events->lines);
    if (room > 0 && !memchr(data, '\0', length))
        memcpy(events->head + known, data, length < room ? length : room);
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

static void between_ended(struct docker_call *call, int result,
                          const struct http_response *response, const struct error *err)
{
    struct events *events = (struct events *)call;
    (void)response;
    if (result == 0)
        lines_end(&events->lines, line_taken, events);
    call->user.done(call->userdata, result, err);
}

static json_t *filter(const char *id)
{
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        json_array_append_new(names, json_string(actions[i]));
    json_t *filters = json_pack("{s:[s],s:o}", "type", "container", "event", names);
    if (filters && id)
        json_object_set_new(filters, "container", json_pack("[s]", id));
    return filters;
}

/* "/events?" + range + "filters=…", percent-encoded; NULL when memory is spent. */
static char *events_path(const char *range, const char *id)
{
    CLEANUP_JSON json_t *filters = filter(id);
    char *text = filters ? json_dumps(filters, JSON_COMPACT) : NULL;
    size_t size = text ? 3 * strlen(text) + 1 : 0;
    char *encoded = text ? malloc(size) : NULL, *path = NULL;
    if (encoded && http_encode(text, encoded, size) == 0 &&
        asprintf(&path, "/events?%sfilters=%s", range, encoded) < 0)
        path = NULL;
    free(encoded);
    free(text);
    return path;
}

static struct events *events_new(struct docker *docker, const char *range, const char *id,
                                 docker_answered *ended, docker_event_seen *seen, void *userdata)
{
    struct events *events = (struct events *)docker_call_new(
        docker, sizeof *events, "GET", events_path(range, id), ended, userdata);
    if (!events)
        return NULL;
    lines_init(&events->lines, DOCKER_LINE_MAX);
    events->seen = seen;
    events->call.on_data = piece_arrived;
    events->call.head = events->head;
    events->call.release = release;
    return events;
}

void docker_events(struct docker *docker, docker_event_seen *seen, docker_events_ended *ended,
                   void *userdata)
{
    struct error err;
    docker_events_stop(docker); /* one stream at a time */
    struct events *events = events_new(docker, "", NULL, stream_ended, seen, userdata);
    if (!events) {
        ended(userdata, -ENOMEM, docker_no_memory(&err));
        return;
    }
    events->call.user.ended = ended;
    events->call.timeout_ms = 0;
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

/* "seconds.nanoseconds", as the engine wants it. */
static char *range_text(int64_t since_ms, int64_t until_ms)
{
    char *text;
    int64_t since = since_ms > 0 ? since_ms : 0, until = until_ms > 0 ? until_ms : 0;
    int written = asprintf(
        &text, "since=%" PRId64 ".%03" PRId64 "000000&until=%" PRId64 ".%03" PRId64 "999999&",
        since / 1000, since % 1000, until / 1000, until % 1000);
    return written < 0 ? NULL : text;
}

void docker_events_between(struct docker *docker, const char *id, int64_t since_ms,
                           int64_t until_ms, docker_event_seen *seen, docker_done *done,
                           void *userdata)
{
    struct error err;
    char *range = range_text(since_ms, until_ms);
    struct events *events =
        range ? events_new(docker, range, id, between_ended, seen, userdata) : NULL;
    free(range);
    if (!events) {
        done(userdata, -ENOMEM, docker_no_memory(&err));
        return;
    }
    events->call.user.done = done;
    if (docker_is_id(id)) /* the engine's filter takes a beginning for a match */
        memcpy(events->id, id, CONTAINER_ID_SIZE);
    int64_t ahead_ms = until_ms - clock_wall_ms();
    if (ahead_ms > 0) /* the engine answers until then */
        events->call.timeout_ms += (long)ahead_ms;
    docker_call_go(&events->call);
}
