/* HTTP requests on the event loop: libcurl's multi interface wired to libuv, over TCP or a unix
 * socket. */
#ifndef SUPERVISOR_BASE_HTTP_H
#define SUPERVISOR_BASE_HTTP_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct http;         /* one client on one loop */
struct http_request; /* one request under way */

enum {
    HTTP_BODY_MAX = 1024 * 1024,       /* default cap of an answer's body; a longer one fails with
                                          -EMSGSIZE */
    HTTP_HEAD_MAX = 16 * 1024,         /* of all its header lines, interim answers' among them; */
    HTTP_HEAD_LINES = 64,              /* so many: curl keeps each in a block of its own */
    HTTP_SMALL_BODY = 32 * 1024,       /* what a body has beyond that counts against: */
    HTTP_BODIES_MAX = 3 * 1024 * 1024, /* of all bodies that are being collected at one time over
                                          unix sockets (the engine's), and as many over TCP */
    HTTP_STREAM_BYTES = 1024 * 1024    /* a second, of a stream without an end; more waits */
};

struct http_response {
    int result; /* 0: an HTTP answer came; else a negative errno (-ECONNREFUSED, -ETIMEDOUT, -ENOENT
                   socket missing, -EACCES, -ECANCELED …) */
    long status; /* HTTP status, 0 without an answer */
    bool sent;   /* false: certainly nothing of the request left this process */
    const char
        *body; /* NUL-terminated, length bytes; valid during the callback only; "" for a stream */
    size_t length;
    double latency_ms;
    char message[256]; /* curl's words on failure */
    char header[64];   /* value of the header asked for by answer_header, "" without one */
};

typedef void http_done(void *userdata, const struct http_response *response);
/* An answer that is what was asked for. */
static inline bool http_good(const struct http_response *response)
{
    return response->result == 0 && response->status == 200;
}
/* A piece of a streamed body as it arrives. Return false to end the request (-ECANCELED). */
typedef bool http_data(void *userdata, const char *data, size_t length);
struct http_ends { /* of a connection; the addresses as numbers in text */
    const char *local, *remote;
    uint16_t local_port, remote_port;
};
/* It is connected, and nothing is sent yet. Return false to end the request (-EREMCHG): that is not
 * whom it was for. */
typedef bool http_connected(void *userdata, const struct http_ends *ends);

struct http_options {
    const char *method;      /* "GET" … */
    const char *unix_socket; /* NULL: TCP */
    const char *url;         /* "http://d/v1.41/…" */
    const char *body;        /* NULL: none; copied */
    size_t body_length;      /* 0: the body is a string */
    const char *body_type;   /* of the body; NULL: application/json */
    long timeout_ms;         /* whole request; 0 = no limit (streams) */
    bool fresh_connection;   /* neither reuses nor keeps a connection (Ollama polls: no idle
                                connection may look like a client) */
    http_data *on_data;      /* NULL: the body is collected */
    size_t body_max;         /* of a collected body, or of all of a stream's (0: HTTP_BODY_MAX, of a
                                stream no cap) */
    int netns; /* a descriptor of the network namespace to connect in; duplicated; 0: ours */
    http_connected *on_connected; /* NULL: whoever is there */
    const char *answer_header;    /* static name of a header of the answer to give back, or NULL */
};

int http_new(uv_loop_t *loop, struct http **ret_http, struct error *err);
/* Cancels what is under way (callbacks get -ECANCELED) and closes all handles; the loop must run
 * once more before it is closed. */
void http_free(struct http *http);

/* Starts a request; done is called exactly once, never from within this call. ret_request (may be
 * NULL) is valid until then. */
int http_start(struct http *http, const struct http_options *options, http_done *done,
               void *userdata, struct http_request **ret_request);
/* done is called with -ECANCELED from the next turn of the loop. */
void http_cancel(struct http_request *request);

/* Local ports of TCP connections now open by this client; at most max, returns how many. */
size_t http_local_ports(const struct http *http, uint16_t *ports, size_t max);

/* DOCKER_HOST and --host: "unix:///path" -> "/path" (at most 107 bytes). Others are refused with a
 * sentence (only unix:// is spoken). */
int http_unix_path(const char *url, char *ret_path, size_t size, struct error *err);

/* A piece of a stream: its first bytes into head, as a string, which is "" at first. */
void http_take_head(char *head, size_t size, const char *data, size_t length);

/* Percent-encoded for a query string, for the caller to free; NULL when memory is spent. */
char *http_encode(const char *text);

#endif
