/* What the files of the client share; nobody else includes it. */
#ifndef SUPERVISOR_NET_CLIENT_PRIVATE_H
#define SUPERVISOR_NET_CLIENT_PRIVATE_H

#include "net/client.h"
#include "net/parser.h"
#include "net/transport.h"
#include <sys/queue.h>

struct net_ask { /* a connection's one */
    const struct net_ask_calls *calls;
    void *own;
    bool open;    /* its maker is to be told `done` */
    bool sent;    /* the request is whole */
    bool chunked; /* its body is */
    bool began;   /* a byte of an answer came */
    bool reused;  /* the connection was a kept one */
    bool told_full;
    uint64_t left; /* of a body whose length was said */
};

struct upstream {
    struct transport transport; /* first: a transport's connection is at its address */
    struct net_client *client;
    struct net_parser parser;
    struct net_ask ask;
    uv_connect_t connect;
    uint64_t since_ms;
    bool connected, idle;
    bool held; /* the answer may not flow now */
    int result;
    bool corked; /* in the list of those */
    TAILQ_ENTRY(upstream) link, cork;
};
TAILQ_HEAD(upstreams, upstream);

struct net_client {
    uv_loop_t *loop;
    struct net_address address;
    struct net_limits limits;
    struct transport_shared shared;
    struct upstreams busy, idle; /* idle: the one used last first */
    unsigned n_idle, n_handles;
    uv_timer_t timer; /* runs while somebody connects */
    struct upstreams corked;
    uv_prepare_t prepare;
    uv_check_t check; /* both run while somebody is corked */
    struct buffer head;
};

/* client_upstream.c: a connection, kept or made; NULL: no memory. A failure to connect is told. */
struct upstream *upstream_take(struct net_client *client);
/* Ends it; its request, if one is open, is told result. */
void upstream_give_up(struct upstream *upstream, int result);
/* Its request's head waits for what follows at once; it goes out when the loop turns at the latest.
 */
void upstream_cork(struct upstream *upstream);
/* 0, or why it cannot be sent. */
int upstream_uncork(struct upstream *upstream);
/* One of the client's handles is closed: the last one frees it. */
void client_handle_closed(struct net_client *client);

#endif
