/* What a server takes from its clients at most. Whoever makes a server starts from net_limits and
 * changes what is to differ; beyond a limit the client is answered by the status that stands there,
 * and its connection is closed. */
#ifndef SUPERVISOR_NET_LIMITS_H
#define SUPERVISOR_NET_LIMITS_H

#include <stddef.h>
#include <stdint.h>

struct net_limits {
    size_t head_bytes;    /* 64 KiB, request line and headers: 431 */
    unsigned headers;     /* 100: 431 */
    uint64_t body_bytes;  /* 64 KiB, where the service names none for the route: 413 */
    unsigned connections; /* 256: one that only reads on after its last answer goes, else the one
                             that is idle longest, else 503 */
    unsigned kept;        /* 16 more, for root and our own user over a unix socket */
    unsigned per_address; /* 64, of one IPv4 address or one IPv6 /64 (link-local: one address): 503.
                             Loopback and unix sockets are not counted: everybody behind a local
                             proxy is one address. */
    uint32_t head_ms;     /* 10 s, from the first byte (TLS: from the connection): 408 */
    uint32_t body_ms;     /* 10 s in which a wanted body brings less than progress_bytes: 408 */
    uint32_t progress_bytes; /* 1,000 bytes: 100 B/s is slower than any link that is still used */
    uint32_t write_ms;    /* 10 s in which the client takes less than that of what waits: closed */
    uint32_t idle_ms;     /* 75 s between two requests, as nginx has it: closed */
    uint32_t linger_ms;   /* 2 s of reading on after the last answer, so that it is not lost to a
                             reset (RFC 9112 9.6) */
    size_t discard_bytes; /* 64 KiB of a body that nobody wanted are read away; more: closed */
    size_t window_bytes;  /* 64 KiB of an answer wait before its maker is told to stop */
    size_t waiting_bytes; /* 16 MiB of answers wait in all: beyond, the one for whom most waits is
                             closed */
};

extern const struct net_limits net_limits;

#endif
