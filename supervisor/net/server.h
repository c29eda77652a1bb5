/* An HTTP/1.1 server on a loop: it listens, keeps its limits, and hands good requests to a service.
 * It knows nothing of what they ask for. Its program ignores SIGPIPE. */
#ifndef SUPERVISOR_NET_SERVER_H
#define SUPERVISOR_NET_SERVER_H

#include "net/exchange.h"
#include "net/limits.h"
#include "net/tls.h"
#include <uv.h>

struct net_server;

struct net_counts { /* since the start */
    uint64_t connections, requests;
    uint64_t refused;     /* requests that were answered 4xx here */
    uint64_t turned_away; /* connections, for lack of room */
    uint64_t timeouts;    /* 408, or closed while they took nothing */
    unsigned open;        /* connections now */
    size_t waiting_bytes; /* of answers, now */
};

/* service and limits are copied. 0, -ENOMEM … */
int net_server_new(uv_loop_t *loop, const struct net_service *service,
                   const struct net_limits *limits, struct net_server **ret_server);
/* Listens there too. tls: NULL for plain HTTP; kept, and must live as long as the server; unix
 * sockets do without. A unix socket that nobody serves any more is taken over; it gets the mode
 * given. On error (EADDRINUSE, EACCES …, with the sentence) the server listens where it did. */
int net_server_listen(struct net_server *server, const struct net_address *address,
                      struct net_tls *tls, mode_t unix_mode, struct error *err);
/* The port of the i-th listener, for one that asked for port 0; -1: it has none. */
int net_server_port(const struct net_server *server, unsigned i);
struct net_counts net_server_counts(const struct net_server *server);

/* Listens no more; idle connections end now, others behind their answer, and all that is left after
 * grace_ms. Then drained is called, once. */
void net_server_drain(struct net_server *server, uint32_t grace_ms, void (*drained)(void *userdata),
                      void *userdata);
/* Ends all at once. Its memory goes when the loop has turned; every exchange is told -ECANCELED
 * before. */
void net_server_free(struct net_server *server);

#endif
