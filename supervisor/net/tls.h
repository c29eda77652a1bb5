/* TLS of a server: its certificate and key, and one connection's bytes in and out, by OpenSSL on
 * memory: no socket is touched here. TLS 1.2 and 1.3; by ALPN only http/1.1. */
#ifndef SUPERVISOR_NET_TLS_H
#define SUPERVISOR_NET_TLS_H

#include "base/error.h"
#include <stddef.h>

struct net_tls;

/* Reads a certificate (PEM, with the chain behind it) and its key (PEM, without a passphrase).
 * FAILURE_USAGE: a file that cannot be read or that is none, or a key of another certificate. */
int net_tls_new(const char *certificate, const char *key, struct net_tls **ret_tls,
                struct error *err);
/* Reads both again; connections from now on get them. On error all is as it was. */
int net_tls_reload(struct net_tls *tls, const char *certificate, const char *key,
                   struct error *err);
void net_tls_free(struct net_tls *tls);

/* One connection's. It outlives a reload and the net_tls it came from. */
struct tls_stream;

struct tls_stream *tls_stream_new(struct net_tls *tls); /* NULL: no memory */
void tls_stream_free(struct tls_stream *stream);
/* Bytes that came from the network: all are taken. 0, -ENOMEM. */
int tls_stream_in(struct tls_stream *stream, const char *data, size_t length);
/* What they say: > 0 bytes of plain text, 0: more is needed; -ECONNRESET: the peer has ended it;
 * -EPROTO: it is broken; -EOPNOTSUPP: it is plain HTTP. Look at tls_stream_out afterwards. */
int tls_stream_read(struct tls_stream *stream, char *data, size_t size);
/* Plain text to be sent; all of it is taken. 0, -EPROTO, -ENOMEM. Look at tls_stream_out. */
int tls_stream_write(struct tls_stream *stream, const char *data, size_t length);
/* Ends it: a close_notify is to be sent. */
void tls_stream_end(struct tls_stream *stream);
/* Bytes for the network, until the next call; tls_stream_out_sent forgets them. */
size_t tls_stream_out(struct tls_stream *stream, const char **ret_data);
void tls_stream_out_sent(struct tls_stream *stream);
/* Bytes that came and are not read yet, as they came or as plain text. */
size_t tls_stream_unread(const struct tls_stream *stream);

#endif
