/* What the files of the server share; nobody else includes it. */
#ifndef SUPERVISOR_NET_SERVER_PRIVATE_H
#define SUPERVISOR_NET_SERVER_PRIVATE_H

#include "net/answer_head.h"
#include "net/server.h"
#include "net/transport.h"
#include <sys/queue.h>
#include <sys/stat.h>

struct connection;
TAILQ_HEAD(connections, connection);

struct listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct net_server *server;
    struct net_tls *tls;
    char *path; /* of a unix socket, which is removed in the end if it is still the same */
    dev_t device;
    ino_t inode;
    bool has_one; /* that could not be accepted yet, for lack of memory */
    SLIST_ENTRY(listener) link;
};

struct net_server {
    uv_loop_t *loop;
    struct net_service service;
    struct net_limits limits;
    struct transport_shared shared;
    struct net_counts counts;
    struct buffer head; /* of the answer that is being made */
    char date[NET_DATE_SIZE];
    int64_t date_s;
    uv_timer_t timer; /* runs while there are connections, also such as wait to be accepted */
    uv_prepare_t prepare;
    uv_check_t check; /* both run while somebody is to be woken */
    SLIST_HEAD(listeners, listener) listeners;
    struct connections connections; /* the one that is idle longest first */
    struct connections woken;
    unsigned n_connections, n_refused, n_handles;
    bool draining, freed;
    bool has_one;           /* a listener has */
    uint64_t drained_at_ms; /* when what is left is closed */
    void (*drained)(void *userdata);
    void *drained_userdata;
};

/* Now, as an answer says it. */
const char *server_date(struct net_server *server);
/* A connection is gone. */
void server_forget(struct net_server *server, struct connection *connection);
/* It is idle from now on: the last one to be closed for room. */
void server_idle(struct net_server *server, struct connection *connection);
/* There is a connection whose times are to be looked at. */
void server_watch(struct net_server *server);
/* Has it driven soon. */
void server_wake(struct net_server *server, struct connection *connection);
/* Accepts what came to a listener. */
void server_accept(uv_stream_t *stream, int status);
/* Those that could not be accepted for lack of memory. */
void server_accept_again(struct net_server *server);
void server_listener_close(struct listener *listener);
/* One of the handles that belong to the server alone is closed: the last one frees it. */
void server_handle_closed(struct net_server *server);

#endif
