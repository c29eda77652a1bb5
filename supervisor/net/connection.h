/* One connection of a server: it reads a request, has it served, reads the next. Inside of net
 * only. */
#ifndef SUPERVISOR_NET_CONNECTION_H
#define SUPERVISOR_NET_CONNECTION_H

#include "net/answer_head.h"
#include "net/exchange.h"
#include "net/parser.h"
#include "net/server_private.h"
#include "net/transport.h"
#include <sys/queue.h>

enum connection_phase {
    CONNECTION_IDLE,     /* no byte of the next request is there */
    CONNECTION_HEAD,     /* its head comes in */
    CONNECTION_EXCHANGE, /* it is with the service */
    CONNECTION_DISCARD,  /* answered; the rest of its body is read away */
    CONNECTION_LINGER,   /* nothing is read as a request any more; the last answer goes out */
};

enum exchange_answer { ANSWER_NONE, ANSWER_BEGUN, ANSWER_ENDED };

struct net_exchange { /* the connection's one; nothing outside of CONNECTION_EXCHANGE */
    const struct net_calls *calls;
    void *own;
    enum exchange_answer answer;
    enum answer_framing framing;
    uint64_t left;   /* of an answer whose length was said */
    bool muted;      /* a body is not sent: HEAD, 204, 304 */
    bool body_whole; /* all of the request's body was read */
    bool body_flows; /* it is wanted */
    bool expects;    /* the client waits for 100 Continue */
    bool told_body_end, told_full, told_half_closed, patient;
};

struct connection {
    struct transport transport; /* first: a transport's connection is at its address */
    struct net_server *server;
    struct net_peer peer;
    struct net_parser parser;
    struct buffer pending; /* read, but not looked at: what came behind the request */
    struct net_exchange exchange;
    uint8_t phase;
    bool keep;         /* another request may follow */
    bool first;        /* none was answered yet */
    bool ended;        /* the client sends nothing more */
    bool driving;      /* connection_drive is on the stack, or a call of the service's */
    bool turned_away;  /* it was one too many, and is told so */
    bool woken;        /* it is in the server's list of those to be driven */
    int result;        /* for the exchange that is open when it is closed */
    uint64_t since_ms; /* of the phase; of the body's or the discarding's last progress */
    uint64_t body_mark, discarded;     /* bytes of the body as of since_ms */
    uint64_t sent_mark, sent_since_ms; /* bytes taken by the network, as of when */
    TAILQ_ENTRY(connection) link, wake;
};

/* Takes over an accepted handle in connection->transport.uv; server, peer and first are set; tls as
 * in transport_open. */
void connection_open(struct connection *connection, struct tls_stream *tls);
/* Goes as far as it can without another byte from the network. */
void connection_drive(struct connection *connection);
/* Has it driven by the loop soon, from outside of any call. */
void connection_wake(struct connection *connection);
/* Answers with a problem (or, where an answer was begun, aborts it), ends the exchange with result
 * and reads nothing more as a request. */
void connection_refuse(struct connection *connection, int status, const char *detail, int result);
/* Ends it at once; an open exchange is told result. */
void connection_close(struct connection *connection, int result);
/* Ends it when its exchange, if there is one, is answered. */
void connection_drain(struct connection *connection);
/* Whether so many bytes behind those that were used cannot end the body of its request. */
bool connection_lacks(const struct connection *connection, size_t there);
/* Tells the exchange, once, that its client sends nothing more; false: it knew. */
bool connection_tell_half_closed(struct connection *connection);
/* Looks whether its time is over. */
void connection_tick(struct connection *connection, uint64_t now_ms);

/* exchange.c: the answer was ended and is with the network in whole. */
bool exchange_is_answered(const struct connection *connection);
static inline struct connection *connection_of(const struct net_exchange *exchange)
{
    return (struct connection *)((const char *)exchange - offsetof(struct connection, exchange));
}

#endif
