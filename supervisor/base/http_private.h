/* What the files of the HTTP client share; nobody else includes it. */
#ifndef SUPERVISOR_BASE_HTTP_PRIVATE_H
#define SUPERVISOR_BASE_HTTP_PRIVATE_H

#include "base/buffer.h"
#include "base/http.h"
#include <curl/curl.h>
#include <sys/queue.h>
#include <sys/types.h>

enum {
    HTTP_CONNECT_MS = 2000,      /* a loopback or bridge connection takes well under 1 ms */
    HTTP_KEPT_CONNECTIONS = 8,   /* idle ones kept: the engine's, with some to spare */
    HTTP_HOST_CONNECTIONS = 32,  /* open to one host at a time: an engine's listen queue is 128 on
                                    old kernels, a full one answers EAGAIN; more requests wait */
    HTTP_READ_BYTES = 16 * 1024, /* curl's own default, per request under way */
};

struct http_watch { /* one descriptor of curl's under uv_poll; freed by its close callback */
    uv_poll_t poll;
    struct http *http;
    curl_socket_t fd;
    int events;
    LIST_ENTRY(http_watch) link;
};

struct http_socket { /* a descriptor that curl holds open, watched or idle */
    curl_socket_t fd;
    ino_t
        inode; /* of the socket: curl closes one that it gave up while connecting without a word */
    LIST_ENTRY(http_socket) link;
};

struct http_request {
    struct http *http;
    CURL *easy;
    struct curl_slist *headers;
    struct buffer body;
    http_done *done;
    http_data *on_data;
    http_connected *on_connected;
    int netns; /* owned; 0: none */
    void *userdata;
    const char *answer_header;
    uint64_t started_ns;
    size_t head_bytes, head_lines, stream_bytes, stream_max; /* stream_max 0: no cap */
    size_t counted;     /* of the body against HTTP_BODIES_MAX */
    size_t *collected;  /* the client's count for its kind of socket */
    bool paced, paused; /* a stream without an end; it waits */
    double room;        /* how many bytes it may bring, as of when */
    uint64_t room_ns;
    bool added;  /* curl has it; else it waits until curl may be called again */
    int failure; /* why it is to end: -ECANCELED, -EMSGSIZE, -ENOMEM; 0 = go on */
    char message[CURL_ERROR_SIZE];
    LIST_ENTRY(http_request) link;
};

struct http {
    uv_loop_t *loop;
    CURLM *multi;
    uv_timer_t timeout; /* curl's next time-out */
    uv_timer_t abort;   /* runs as soon as it can while a request has a failure to report */
    uv_timer_t resume;  /* runs while a stream waits */
    unsigned open_handles;
    size_t collected[2]; /* by all requests, beyond HTTP_SMALL_BODY each; over TCP, unix sockets */
    bool inside;         /* curl is on the stack: it must not be called again now */
    bool waiting;        /* a request that was started meanwhile is not added yet */
    bool closing, closed;
    LIST_HEAD(http_requests, http_request) requests;
    LIST_HEAD(http_watches, http_watch) watches;
    LIST_HEAD(http_sockets, http_socket) sockets;
};

/* http_easy.c: an easy handle from the options, with the callbacks below; 0, -ENOMEM, -EINVAL. */
int http_request_prepare(struct http_request *request, const struct http_options *options);
/* The errno of a finished transfer, 0 for CURLE_OK. */
int http_result(CURL *easy, CURLcode code);

/* http_loop.c: hooks the multi handle to the loop. */
void http_loop_open(struct http *http);
void http_loop_close(struct http *http);
/* CURLOPT_OPENSOCKETFUNCTION with the request as userdata, CURLOPT_CLOSESOCKETFUNCTION with the
 * client. */
curl_socket_t http_socket_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address);
int http_socket_close(void *userdata, curl_socket_t fd);

/* Has the stream wait for room; paused by its write callback. */
void http_request_waits(struct http_request *request);

/* http.c: ends the request with failure (a negative errno) from the next turn of the loop. */
void http_request_fail(struct http_request *request, int failure);
/* Reports what has ended and starts what had to wait; call it whenever curl has been driven. */
void http_settle(struct http *http);
/* Reports the requests that http_request_fail marked. */
void http_report_failed(struct http *http);

#endif
