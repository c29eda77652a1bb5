/* An HTTP/1.1 client of one server, on the loop: requests and answers go piece by piece, with
 * back-pressure both ways. Connections are kept. No time is limited but that of connecting: an
 * answer may take its minutes. No function here calls back from inside. */
#ifndef SUPERVISOR_NET_CLIENT_H
#define SUPERVISOR_NET_CLIENT_H

#include "net/address.h"
#include "net/exchange.h"
#include <uv.h>

struct net_client;
struct net_ask; /* a request and its answer; gone when `done` returns */

struct net_ask_calls { /* each may be NULL, but done */
    /* The head of an answer; one of 1xx comes before the true one. Valid until the call returns.
     * length: of the body, NET_LENGTH_UNKNOWN where its end tells. */
    void (*head)(void *own, struct net_ask *ask, const struct net_head *head, uint64_t length);
    void (*body)(void *own, struct net_ask *ask, const char *data, size_t length);
    /* The request's body may go on. */
    void (*room)(void *own, struct net_ask *ask);
    /* 0: the answer is whole. -ECONNREFUSED, -ENOENT …, -ETIMEDOUT: nobody is there. -ECONNRESET:
     * it ended half-way. -EPROTO: it is no answer. -ECANCELED. again: no byte of an answer came,
     * and the connection was a kept one that the server may have ended before: it can be asked
     * anew. */
    void (*done)(void *own, struct net_ask *ask, int result, bool again);
};

/* The address is copied. 0, -ENOMEM. */
int net_client_new(uv_loop_t *loop, const struct net_address *address,
                   struct net_client **ret_client);
/* Ends all; each request is told -ECANCELED, from the loop, which must turn. */
void net_client_free(struct net_client *client);

struct net_request {
    const char *method, *target;
    const struct net_field *fields; /* those that go from end to end; Host among them */
    size_t n_fields;
    uint64_t length; /* of the body; NET_LENGTH_UNKNOWN: chunked; 0: none */
};

/* Sends the head. 0, -EINVAL: what it says is no request; -ENOMEM … Each is told `done` once. */
int net_ask(struct net_client *client, const struct net_request *request,
            const struct net_ask_calls *calls, void *own, struct net_ask **ret_ask);
/* As net_answer_write and net_answer_end. */
int net_ask_write(struct net_ask *ask, const void *data, size_t length);
int net_ask_end(struct net_ask *ask);
/* Lets the answer flow (as it does at first), or holds it. */
void net_ask_flow(struct net_ask *ask, bool on);
/* Ends the request and its connection. */
void net_ask_cancel(struct net_ask *ask);

#endif
