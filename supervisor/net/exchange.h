/* A request and its answer, as whoever serves it sees them. Everything happens on the loop.
 *
 * The service's `request` is called when a head is there and is good. It may answer at once, or
 * keep the exchange and answer later, in whole or in pieces; it takes the body only if it wants it.
 * From then on the calls that it named tell what happens; `done` is the last one, once for each
 * exchange, and never from inside a function of this header: an exchange is gone when it returns.
 */
#ifndef SUPERVISOR_NET_EXCHANGE_H
#define SUPERVISOR_NET_EXCHANGE_H

#include "net/address.h"
#include "net/head.h"

struct net_exchange;

struct net_service {
    void *userdata;
    /* How many bytes a body of that request has at most: beyond, the client gets 413 before or
     * instead of `request`. NULL: the server's limit. Asked once, when the head is there. */
    uint64_t (*body_max)(void *userdata, const struct net_head *head);
    void (*request)(void *userdata, struct net_exchange *exchange);
};

/* own: as given to net_follow. Each may be NULL. */
struct net_calls {
    /* A piece of the body, and its end, once; only while it flows (net_body_flow). */
    void (*body)(void *own, struct net_exchange *exchange, const char *data, size_t length);
    void (*body_end)(void *own, struct net_exchange *exchange);
    /* The answer may go on: all that waited of it is with the network. */
    void (*room)(void *own, struct net_exchange *exchange);
    /* The client sends nothing more. It may still read (`nc -N`), or be gone: TCP does not tell.
     * Without this call the answer goes on until it cannot be written. */
    void (*half_closed)(void *own, struct net_exchange *exchange);
    /* 0: answered in whole. -ECONNRESET: the client left. -ETIMEDOUT: its body or its reading
     * stopped. -EMSGSIZE, -EPROTO: its body was refused. -ENOBUFS: too much waited for all
     * together, and most for this one. -ECANCELED: aborted, or the server ends.
     */
    void (*done)(void *own, struct net_exchange *exchange, int result);
};

/* Before `request` returns, or there is nobody to be told. calls is kept, not copied. */
void net_follow(struct net_exchange *exchange, const struct net_calls *calls, void *own);

/* The head; until done, or until its user gives it back by net_head_release. */
struct net_head *net_exchange_head(struct net_exchange *exchange);
const struct net_peer *net_exchange_peer(const struct net_exchange *exchange);

/* ---- the body of the request */

/* Lets it flow, or holds it; at first it is held. A client that waits for 100 Continue gets it at
 * the first flow. What was read already (64 KiB at most) may still come after it is held. */
void net_body_flow(struct net_exchange *exchange, bool on);
/* How many bytes of it are to come: 0 none, UINT64_MAX not known (chunked). */
uint64_t net_body_left(const struct net_exchange *exchange);

/* ---- the answer
 *
 * Each returns a negative errno where the answer cannot go on: -ECONNRESET (or another): the client
 * is gone, `done` follows by itself; -EALREADY: it was begun or ended before; -EINVAL: what it said
 * is no answer (answer_head.h), and nothing was sent.
 *
 * What is not wanted of a body is read away if it is short; else the connection ends behind the
 * answer, as it does for HTTP/1.0 and for whoever said so. So a body that is wanted flows before
 * the answer is begun. */

/* The whole answer. The body is copied where the client does not take it at once; it is left out by
 * itself for HEAD, 204 and 304. */
int net_answer(struct net_exchange *exchange, int status, const struct net_field *fields,
               size_t n_fields, const void *body, size_t length);
/* The same with a body of application/problem+json (RFC 9457) that says status and detail, one
 * sentence. */
int net_answer_problem(struct net_exchange *exchange, int status, const struct net_field *fields,
                       size_t n_fields, const char *detail);

#define NET_LENGTH_UNKNOWN UINT64_MAX
/* The head only; net_answer_write and net_answer_end follow. A body of unknown length is chunked,
 * or ends with the connection for HTTP/1.0. */
int net_answer_begin(struct net_exchange *exchange, int status, const struct net_field *fields,
                     size_t n_fields, uint64_t length);
/* All of it is taken. 1; 0: the window is full, the next piece should wait for `room`. -EMSGSIZE:
 * more than the length that was said. */
int net_answer_write(struct net_exchange *exchange, const void *data, size_t length);
/* -EMSGSIZE: less than was said; the answer is aborted. */
int net_answer_end(struct net_exchange *exchange);
/* The answer ends as a broken one, at once: what waits of it is lost. */
void net_answer_abort(struct net_exchange *exchange);
/* Bytes of it that the client has not taken. */
size_t net_answer_waiting(const struct net_exchange *exchange);
/* The client may take as long as it likes with what waits; its maker looks at net_answer_waiting.
 * false: limits.write_ms holds again, from now on. */
void net_answer_patience(struct net_exchange *exchange, bool endless);

#endif
