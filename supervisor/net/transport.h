/* The bytes of one connection, over TCP or a unix socket, with or without TLS. Inside of net only.
 * Nothing here calls back from a call that its user made, but transport_pump and give_way. */
#ifndef SUPERVISOR_NET_TRANSPORT_H
#define SUPERVISOR_NET_TRANSPORT_H

#include "base/buffer.h"
#include "net/tls.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

enum {
    TRANSPORT_READ_BYTES = 64 * 1024,
    TRANSPORT_PLAIN_BYTES = 16 * 1024, /* one record of TLS */
};

/* What all transports of a loop share: what is read is used before the next one reads. */
struct transport_shared {
    size_t waiting, waiting_max; /* bytes that wait to be sent, of all */
    /* No room is left: closes the one for which most waits, if that is more than so many bytes.
     * NULL: nobody gives way. */
    bool (*give_way)(struct transport_shared *shared, size_t bytes);
    char read[TRANSPORT_READ_BYTES], plain[TRANSPORT_PLAIN_BYTES];
};

struct transport;
struct transport_calls {
    /* How many bytes the next read should bring at most, > 0. */
    size_t (*room)(struct transport *transport);
    void (*data)(struct transport *transport, const char *data, size_t length);
    /* 0: the peer sends nothing more; else a negative errno: nobody is there any more. */
    void (*end)(struct transport *transport, int result);
    void (*sent)(struct transport *transport); /* nothing waits to be sent any more */
    void (*closed)(struct transport *transport);
};

struct transport {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } uv;
    struct tls_stream *tls; /* NULL: none */
    const struct transport_calls *calls;
    struct transport_shared *shared;
    struct buffer sending, queued;
    uv_write_t write;
    uv_shutdown_t shutdown;
    uint64_t given;  /* bytes for the network so far */
    int failed;      /* why nothing can be sent any more */
    bool tls_over;   /* the peer has ended TLS */
    bool eof, ended; /* the peer sends nothing more; that is still to be told */
    bool reading, wanted, writing, corked, ending, closing;
};

/* The handle in uv is initialised and accepted by the caller. tls: owned from now on, or NULL. */
void transport_open(struct transport *transport, struct transport_shared *shared,
                    const struct transport_calls *calls, struct tls_stream *tls);
/* Whether data are wanted. */
void transport_read(struct transport *transport, bool wanted);
/* Hands on what was read and not wanted then, a piece of it; false: there was nothing. */
bool transport_pump(struct transport *transport);
/* Sends: what the network does not take now is copied. 0, or why it cannot be sent: close it. */
int transport_write(struct transport *transport, const uv_buf_t *pieces, unsigned n);
/* From now on what is written waits for transport_uncork, so that it goes out as one: pieces that
 * follow each other at once would be a packet each. Not much waits so (CORKED_MAX). */
void transport_cork(struct transport *transport);
/* 0, or why it cannot be sent. */
int transport_uncork(struct transport *transport);
/* Bytes that the network has not taken yet. */
size_t transport_unsent(const struct transport *transport);
/* Nothing more will be written: what waits is sent, then the peer is told. */
void transport_finish(struct transport *transport);
/* Ends at once; reset: so that the peer sees that something is missing. `closed` comes later. */
void transport_close(struct transport *transport, bool reset);

#endif
