/* A small HTTP/1.1 server on the loop: keep-alive, bodies with a length or in chunks, streams, and
 * word of clients that leave. What it answers has the header names and the framing of Go's server
 * (a body over 2,048 bytes goes out in chunks, as there). */
#ifndef SIMOLLAMA_HTTP_H
#define SIMOLLAMA_HTTP_H

#include "loop.h"
#include "text.h"

#define HTTP_HEAD_MAX   (64u << 10) /* of a request */
#define HTTP_BODY_MAX   (64u << 20) /* of a request; images of multimodal chats fit */
#define HTTP_OUT_MAX    (16u << 20) /* waiting for a client that does not read; then it is dropped */
#define HTTP_CONNS_MAX  4096
#define HTTP_LENGTH_MAX 2048 /* longer answers are chunked, as Go's net/http does */

struct http_conn;

struct http_server {
    struct watch watch; /* fd -1: not listening */
    /* A whole request is there. It must be answered now or later, or the client leaves first. */
    void (*handle)(struct http_conn *conn);
    /* Whether the body of this request is counted and thrown away as it comes. May be NULL. */
    int (*discards)(const struct http_conn *conn);
};

enum http_state { HTTP_HEAD, HTTP_BODY, HTTP_CHUNK_SIZE, HTTP_CHUNK_DATA, HTTP_TRAILER, HTTP_BUSY };

struct http_conn {
    struct watch watch;
    struct http_server *server;
    enum http_state state;
    struct text in, out;

    /* The request; valid while it is answered. */
    char method[16], path[512];
    struct text head, body;
    uint64_t body_left, discarded_bytes;
    int discard, keep_alive, head_only, old_http; /* old: HTTP/1.0, no chunks */

    /* The answer. */
    struct text extra; /* header lines that go out with it */
    int ending, parsing, broken;

    /* For whoever answers. */
    struct timer timer;
    void *user;
    void (*gone)(void *user); /* the client left before the answer's end; conn is freed after it */
};

/* host: "0.0.0.0" or "" listens on all addresses through IPv6, as Go does, where there is IPv6. */
int http_listen(struct http_server *server, const char *host, uint16_t port);

/* The value of a request's header (any case) up to the line's end, into value; NULL if absent. */
const char *http_header(const struct http_conn *conn, const char *name, char *value, size_t size);

/* A whole answer; type NULL sends no Content-Type. The conn is not to be touched after it. */
void http_reply(struct http_conn *conn, int status, const char *type, const char *body, size_t len);
/* An answer in pieces. */
void http_begin(struct http_conn *conn, int status, const char *type);
void http_write(struct http_conn *conn, const char *data, size_t len);
void http_end(struct http_conn *conn);

/* For http_server.c and http_parse.c only. */
/* Takes one step through conn->in; whether there may be more to take. */
int http_step(struct http_conn *conn);

#endif
