#include "net/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_BYTES = 4096 }; /* of bytes that come or go: what short requests and answers need */

struct net_tls {
    SSL_CTX *context;
};

struct tls_stream {
    SSL *ssl; /* owns both */
    BIO *in, *out;
};

/* A key with a passphrase is refused; nobody is asked at a terminal. */
static int no_passphrase(char *text, int size, int writing, void *userdata)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)userdata;
    return -1;
}

/* One that offers others only is refused; one that offers nothing is not asked. */
static int choose(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_length,
                  const unsigned char *offered, unsigned length, void *userdata)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *name;
    (void)ssl;
    (void)userdata;
    if (SSL_select_next_proto(&name, ret_length, ours, sizeof ours - 1, offered, length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret_name = name;
    return SSL_TLSEXT_ERR_OK;
}

static int refused(struct error *err, const char *what, const char *path)
{
    unsigned long code = ERR_peek_error(); /* the oldest one is the cause */
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    error_set(err, FAILURE_USAGE, -EINVAL, "%s %s cannot be used: %s", what, path,
              ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
              : reason               ? reason
                                     : "it is none");
    ERR_clear_error();
    return -EINVAL;
}

static int make(const char *certificate, const char *key, SSL_CTX **ret_context, struct error *err)
{
    static const char session[] = "supervisor";
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    int result = 0;
    if (!context)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left for TLS");
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets do without memory */
    SSL_CTX_set_session_id_context(context, (const unsigned char *)session, sizeof session - 1);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    SSL_CTX_set_alpn_select_cb(context, choose, NULL);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        result = refused(err, "the certificate", certificate);
    else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        result = refused(err, "the key", key);
    else if (SSL_CTX_check_private_key(context) != 1)
        result = refused(err, "the key", key);
    if (result < 0)
        SSL_CTX_free(context);
    else
        *ret_context = context;
    return result;
}

int net_tls_new(const char *certificate, const char *key, struct net_tls **ret_tls,
                struct error *err)
{
    struct net_tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left for TLS");
    int result = make(certificate, key, &tls->context, err);
    if (result < 0) {
        free(tls);
        return result;
    }
    *ret_tls = tls;
    return 0;
}

int net_tls_reload(struct net_tls *tls, const char *certificate, const char *key, struct error *err)
{
    SSL_CTX *fresh = NULL;
    int result = make(certificate, key, &fresh, err);
    if (result < 0)
        return result;
    SSL_CTX_free(tls->context);
    tls->context = fresh;
    return 0;
}

void net_tls_free(struct net_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->context);
    free(tls);
}

struct tls_stream *tls_stream_new(struct net_tls *tls)
{
    struct tls_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->ssl = SSL_new(tls->context);
    stream->in = BIO_new(BIO_s_mem());
    stream->out = BIO_new(BIO_s_mem());
    if (!stream->ssl || !stream->in || !stream->out) {
        SSL_free(stream->ssl);
        BIO_free(stream->in);
        BIO_free(stream->out);
        free(stream);
        return NULL;
    }
    SSL_set_bio(stream->ssl, stream->in, stream->out);
    SSL_set_accept_state(stream->ssl);
    return stream;
}

void tls_stream_free(struct tls_stream *stream)
{
    if (!stream)
        return;
    SSL_free(stream->ssl);
    free(stream);
}

int tls_stream_in(struct tls_stream *stream, const char *data, size_t length)
{
    return length == 0 || BIO_write(stream->in, data, (int)length) == (int)length ? 0 : -ENOMEM;
}

static int failure(struct tls_stream *stream, int result)
{
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        return -ECONNRESET;
    default:
        return ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST ? -EOPNOTSUPP : -EPROTO;
    }
}

/* A memory BIO keeps what it grew to, and clears all of that at each reset: a large one goes. */
static bool is_large(BIO *bio)
{
    BUF_MEM *memory = NULL;
    BIO_get_mem_ptr(bio, &memory);
    return memory && memory->max > KEPT_BYTES;
}

int tls_stream_read(struct tls_stream *stream, char *data, size_t size)
{
    ERR_clear_error();
    int result = SSL_read(stream->ssl, data, size < INT_MAX ? (int)size : INT_MAX);
    if (result > 0)
        return result;
    result = failure(stream, result);
    ERR_clear_error();
    BIO *fresh =
        BIO_ctrl_pending(stream->in) == 0 && is_large(stream->in) ? BIO_new(BIO_s_mem()) : NULL;
    if (fresh)
        SSL_set0_rbio(stream->ssl, stream->in = fresh);
    return result;
}

int tls_stream_write(struct tls_stream *stream, const char *data, size_t length)
{
    ERR_clear_error();
    for (size_t written = 0; written < length;) {
        size_t n = 0;
        if (SSL_write_ex(stream->ssl, data + written, length - written, &n) != 1) {
            ERR_clear_error();
            return -EPROTO;
        }
        written += n;
    }
    return 0;
}

void tls_stream_end(struct tls_stream *stream)
{
    ERR_clear_error();
    if (SSL_is_init_finished(stream->ssl))
        SSL_shutdown(stream->ssl);
    ERR_clear_error();
}

size_t tls_stream_out(struct tls_stream *stream, const char **ret_data)
{
    char *data;
    long length = BIO_get_mem_data(stream->out, &data);
    *ret_data = data;
    return length > 0 ? (size_t)length : 0;
}

void tls_stream_out_sent(struct tls_stream *stream)
{
    BIO *fresh = is_large(stream->out) ? BIO_new(BIO_s_mem()) : NULL;
    if (fresh)
        SSL_set0_wbio(stream->ssl, stream->out = fresh);
    else
        (void)BIO_reset(stream->out);
}

size_t tls_stream_unread(const struct tls_stream *stream)
{
    return stream ? BIO_ctrl_pending(stream->in) + (size_t)SSL_pending(stream->ssl) : 0;
}
