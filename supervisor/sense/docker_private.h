/* What the files of the engine's client share, the headers that they need among it; nobody else
 * includes it. */
#ifndef SUPERVISOR_SENSE_DOCKER_PRIVATE_H
#define SUPERVISOR_SENSE_DOCKER_PRIVATE_H

#include "sense/docker_make.h"
#include "sense/docker_parse.h"
#include "sense/json_member.h"
#include "sense/json_stream.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/un.h>

enum {
    DOCKER_PING_MS = 5000,           /* an idle engine answers in 1 ms */
    DOCKER_READ_MS = 10000,          /* lists, inspects: an engine under load takes seconds */
    DOCKER_LIST_MS = 30000,          /* one with megabytes of labels, on a busy machine */
    DOCKER_CHANGE_MS = 60000,        /* start and update: the runtime works meanwhile */
    DOCKER_EVENT_MAX = 256 * 1024,   /* one event with all its labels */
    DOCKER_INSPECT_MAX = 512 * 1024, /* labels, environment, health: a real one has 10 to 30 KiB */
    DOCKER_LIST_MAX = 256 * 1024 * 1024, /* of all containers; it is read one by one */
    DOCKER_SMALL_MAX = 64 * 1024,        /* statistics, refusals, the answers to changes */
    DOCKER_WORDS_MAX = 240,              /* of a refusal, in an error's message */
};

struct docker_call;

/* The end of a call; response (only with result 0) is an answer of a 2xx status, or 304 where that
 * was said to be fine. err is set if result < 0. */
typedef void docker_answered(struct docker_call *call, int result,
                             const struct http_response *response, const struct error *err);

/* One question to the engine, from the call of the public function to its callback. */
struct docker_call {
    struct docker *docker;        /* NULL once the client is freed and the callback has run */
    struct http_request *request; /* under way at HTTP; it frees the call then */
    const char *method;
    char *path;         /* behind the version: "/containers/json?all=1"; owned */
    char *body;         /* owned, NULL: none */
    size_t body_length; /* of a tar archive; 0: it is JSON, a string */
    bool with_body;     /* without it nothing is sent: memory was spent */
    long timeout_ms;
    size_t body_max; /* 0: HTTP_BODY_MAX, of a stream no cap */
    http_data *on_data;
    char *head;       /* of a stream: its first bytes, as a string; NULL for other calls */
    bool ping;        /* ends when the version has been asked for; nothing else is sent */
    bool unversioned; /* that question */
    bool waiting;     /* for the version */
    bool repeated;    /* after the engine had refused the version */
    bool stopped;     /* by its caller: nothing more is sent or reported but the end */
    bool not_modified_is_fine;
    int conflict, refused; /* what a 409 and a 400 are to the caller, a negative errno; 0: -EIO */
    bool transport_failed; /* result < 0 because no answer came */
    docker_answered *answered;
    /* Forgets what has arrived of a stream, before it is asked for again and at the end; may be
     * NULL. */
    void (*forget)(struct docker_call *call);
    union {
        docker_done *done;
        docker_listed *listed;
        docker_inspected *inspected;
        docker_stats_read *stats_read;
        docker_events_ended *ended;
        docker_ring_read *ring_read;
        docker_created *created;
        docker_json_read *json_read;
        docker_said *said;
    } user;
    void *userdata;
    LIST_ENTRY(docker_call) link;
};
enum { DOCKER_CALL_MAX = 4096, DOCKER_HEAD_SIZE = 512 }; /* of all that begin with a call */

/* One whose answer is objects, taken one by one as they come; a larger struct begins with it. */
struct docker_stream {
    struct docker_call call;
    struct json_stream objects;
    json_stream_take *take; /* gets the stream */
    char head[DOCKER_HEAD_SIZE];
};

struct docker {
    struct http *http;
    char socket_path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char version[16];           /* "" = to be asked for */
    struct docker_call *asking; /* the ping under way */
    struct docker_call *stream; /* the event stream, NULL without one */
    bool freed;                 /* by its owner; it goes with the last reference */
    unsigned references;
    LIST_HEAD(docker_calls, docker_call) calls;
};

/* docker_call.c. A copy of `like` at the beginning of `size` bytes, which are 0 otherwise; its path
 * and body are taken over. NULL when memory is spent (a NULL path says so too): `like` was answered
 * so. */
struct docker_call *docker_call_new(struct docker *docker, size_t size,
                                    const struct docker_call *like);
/* The same for a stream of objects of at most object_max bytes, inside of so many brackets. */
struct docker_stream *docker_stream_new(struct docker *docker, size_t size, size_t object_max,
                                        size_t around, json_stream_take *take,
                                        struct docker_call *like);
/* What a taker returns: false where the caller has ended it meanwhile. */
static inline bool docker_stream_goes_on(const struct docker_stream *stream)
{
    return !stream->call.stopped && stream->call.docker;
}
/* The same for one that is nothing but a call, and sends it. */
void docker_ask(struct docker *docker, const struct docker_call *like);
/* A question by GET, in DOCKER_READ_MS; path is taken over. The user is still to be set. */
struct docker_call docker_question(char *path, docker_answered *answered, void *userdata);
/* A change, in DOCKER_CHANGE_MS, of which done is told. */
struct docker_call docker_change(const char *method, char *path, docker_done *done, void *userdata);
/* docker.c. Sends the call as soon as the version is known. It is freed after its answer. */
void docker_call_go(struct docker_call *call);
/* Sends it now. */
void docker_call_send(struct docker_call *call);
/* Runs the callback and lets go of the call. */
void docker_call_end(struct docker_call *call, int result, const struct http_response *response,
                     const struct error *err);
/* "/containers/ID" + tail with the id percent-encoded; NULL when memory is spent. */
char *docker_container_path(const char *id, const char *tail);
/* prefix + name percent-encoded + tail; NULL when memory is spent. */
char *docker_named_path(const char *prefix, const char *name, const char *tail);
/* The answer was read with this result: where that is an error, *err becomes its sentence, in *own.
 * Returns result. */
int docker_read(const struct docker_call *call, int result, struct error *own,
                const struct error **err);
/* The error of a call that could not even be made. */
const struct error *docker_no_memory(struct error *err);

/* docker_error.c. Both fill *err (never NULL) and return its code. */
int docker_error_transport(const struct docker_call *call, const struct http_response *response,
                           struct error *err);
int docker_error_status(const struct docker_call *call, const struct http_response *response,
                        struct error *err);
/* The engine's 400 for a version outside of what it speaks. */
bool docker_version_refused(const struct http_response *response);

/* docker_parse.c: 64 hexadecimal digits. Labels or the like; keys that begin with `first` go first,
 * so that the cap never drops them. */
bool docker_is_id(const char *id);
struct json_t;
/* A cleaned copy of one that is not too long. */
bool docker_pair_add(struct pair **pairs, size_t *n, const char *key, const char *value);
/* Those whose key begins with `first` come first; false: not all of them have room. cut: not all of
 * any kind have. */
bool docker_pairs_from(const struct json_t *object, const char *first, struct pair **pairs,
                       size_t *n, bool *ret_cut);

#endif
