#include "net/transport.h"

#include <errno.h>
#include <string.h>

enum {
    CORKED_MAX = 8 * 1024, /* a head and a short body; more is not worth the copy */
    TLS_PIECE = 64 * 1024,
};

void transport_open(struct transport *transport, struct transport_shared *shared,
                    const struct transport_calls *calls, struct tls_stream *tls)
{
    transport->shared = shared;
    transport->calls = calls;
    transport->tls = tls;
    buffer_init(&transport->sending, shared->waiting_max);
    buffer_init(&transport->queued, shared->waiting_max);
    transport->uv.handle.data = transport->write.data = transport->shutdown.data = transport;
}

/* ---- sending */

static void send_queued(struct transport *transport);

static void settle(struct transport *transport)
{
    if (!transport->closing) /* then nothing of it counts any more */
        transport->shared->waiting -= transport->sending.length;
    buffer_clear(&transport->sending);
}

static void on_written(uv_write_t *write, int status)
{
    struct transport *transport = write->data;
    settle(transport);
    transport->writing = false;
    if (transport->closing)
        return;
    if (status < 0) {
        transport->failed = status;
        transport->calls->end(transport, status);
    } else if (transport->queued.length > 0) {
        send_queued(transport);
    } else {
        transport->calls->sent(transport);
    }
}

static void send_queued(struct transport *transport)
{
    struct buffer queued = transport->queued;
    transport->queued = transport->sending;
    transport->sending = queued;
    uv_buf_t piece = uv_buf_init(queued.data, (unsigned)queued.length);
    int result = uv_write(&transport->write, &transport->uv.stream, &piece, 1, on_written);
    transport->writing = result == 0;
    if (result < 0) {
        settle(transport);
        transport->failed = result;
    }
}

static bool has_room(struct transport *transport, size_t length)
{
    struct transport_shared *shared = transport->shared;
    size_t own = transport->queued.length + transport->sending.length;
    while (length > shared->waiting_max - shared->waiting) {
        if (!shared->give_way || !shared->give_way(shared, own + length))
            return false;
    }
    return true;
}

/* Copies what is left of the pieces behind the first `skip` bytes. */
static int keep(struct transport *transport, const uv_buf_t *pieces, unsigned n, size_t skip)
{
    for (unsigned i = 0; i < n; i++) {
        size_t passed = skip < pieces[i].len ? skip : pieces[i].len, left = pieces[i].len - passed;
        skip -= passed;
        if (!has_room(transport, left))
            return -ENOBUFS;
        int result = buffer_append(&transport->queued, pieces[i].base + passed, left);
        if (result < 0)
            return result;
        transport->shared->waiting += left;
    }
    return 0;
}

static int raw(struct transport *transport, const uv_buf_t *pieces, unsigned n)
{
    size_t length = 0, taken = 0;
    for (unsigned i = 0; i < n; i++)
        length += pieces[i].len;
    transport->given += length;
    if (transport->corked && transport->queued.length + length > CORKED_MAX &&
        transport_uncork(transport) < 0)
        return transport->failed;
    if (!transport->writing && !transport->corked) {
        int result = uv_try_write(&transport->uv.stream, pieces, n);
        if (result < 0 && result != UV_EAGAIN)
            return transport->failed = result;
        taken = result > 0 ? (size_t)result : 0;
    }
    if (taken == length)
        return 0;
    int result = keep(transport, pieces, n, taken);
    if (result < 0)
        return transport->failed = result;
    if (!transport->writing && !transport->corked)
        send_queued(transport);
    return transport->failed;
}

void transport_cork(struct transport *transport)
{
    /* Behind what waits already nothing is won. */
    transport->corked = !transport->writing && transport->queued.length == 0;
}

int transport_uncork(struct transport *transport)
{
    struct buffer *queued = &transport->queued;
    bool corked = transport->corked;
    transport->corked = false;
    if (!corked || transport->closing || queued->length == 0)
        return transport->failed;
    uv_buf_t piece = uv_buf_init(queued->data, (unsigned)queued->length);
    int taken = uv_try_write(&transport->uv.stream, &piece, 1);
    if (taken < 0 && taken != UV_EAGAIN)
        return transport->failed = taken;
    if (taken == (int)queued->length) {
        transport->shared->waiting -= queued->length;
        buffer_clear(queued);
        return 0;
    }
    if (taken > 0) {
        queued->length -= (size_t)taken;
        transport->shared->waiting -= (size_t)taken;
        memmove(queued->data, queued->data + taken, queued->length);
    }
    send_queued(transport);
    return transport->failed;
}

static int flush_tls(struct transport *transport)
{
    const char *data;
    size_t length = tls_stream_out(transport->tls, &data);
    if (length == 0)
        return 0;
    uv_buf_t piece = uv_buf_init((char *)data, (unsigned)length);
    int result = raw(transport, &piece, 1);
    tls_stream_out_sent(transport->tls);
    return result;
}

int transport_write(struct transport *transport, const uv_buf_t *pieces, unsigned n)
{
    if (transport->failed < 0 || transport->closing || transport->ending)
        return transport->failed < 0 ? transport->failed : -ECONNRESET;
    if (!transport->tls)
        return raw(transport, pieces, n);
    for (unsigned i = 0; i < n; i++) {
        /* By the piece, so that what waits is looked at before much of it is encrypted. */
        for (size_t done = 0, length; done < pieces[i].len; done += length) {
            length = pieces[i].len - done;
            length = length < TLS_PIECE ? length : TLS_PIECE;
            int result = tls_stream_write(transport->tls, pieces[i].base + done, length);
            if (result < 0)
                return transport->failed = result;
            if (length == TLS_PIECE && flush_tls(transport) < 0)
                return transport->failed;
        }
    }
    return flush_tls(transport);
}

size_t transport_unsent(const struct transport *transport)
{
    return transport->queued.length +
           (transport->writing ? uv_stream_get_write_queue_size(&transport->uv.stream) : 0);
}

static void on_finished(uv_shutdown_t *shutdown, int status)
{
    struct transport *transport = shutdown->data;
    if (!transport->closing && status < 0)
        transport->calls->end(transport, status);
}

void transport_finish(struct transport *transport)
{
    if (transport->closing || transport->ending)
        return;
    if (transport->tls && transport->failed == 0) {
        tls_stream_end(transport->tls);
        flush_tls(transport);
    }
    transport_uncork(transport);
    transport->ending = true;
    uv_shutdown(&transport->shutdown, &transport->uv.stream, on_finished);
}

/* ---- reading */

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_piece)
{
    struct transport *transport = handle->data;
    size_t room = transport->calls->room(transport);
    (void)suggested;
    if (transport->tls || room > TRANSPORT_READ_BYTES)
        room = TRANSPORT_READ_BYTES;
    *ret_piece = uv_buf_init(transport->shared->read, (unsigned)room);
}

/* Plain text that TLS has ready, a record at a time. */
static bool decrypt(struct transport *transport)
{
    char *plain = transport->shared->plain;
    int length = tls_stream_read(transport->tls, plain, TRANSPORT_PLAIN_BYTES);
    if (flush_tls(transport) < 0 && length >= 0)
        length = transport->failed;
    if (length > 0) {
        transport->calls->data(transport, plain, (size_t)length);
        return true;
    }
    if (length == -EOPNOTSUPP) {
        static char words[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                              "Content-Type: text/plain\r\nContent-Length: 39\r\n\r\n"
                              "This port speaks TLS: write https://...";
        uv_buf_t piece = uv_buf_init(words, sizeof words - 1);
        raw(transport, &piece, 1);
    }
    if (length == -ECONNRESET) {
        /* What comes behind the end of TLS is nothing: none of it is read. */
        transport->tls_over = transport->eof = transport->ended = true;
        if (transport->reading)
            uv_read_stop(&transport->uv.stream);
        transport->reading = false;
    } else if (length < 0) {
        transport->calls->end(transport, length);
    }
    return false;
}

bool transport_pump(struct transport *transport)
{
    if (!transport->wanted || transport->closing)
        return false;
    if (transport->tls && !transport->tls_over && transport->failed == 0 && decrypt(transport))
        return true;
    if (!transport->ended || transport->closing)
        return false;
    transport->ended = false;
    transport->calls->end(transport, 0);
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t length, const uv_buf_t *piece)
{
    struct transport *transport = stream->data;
    if (length > 0 && !transport->tls) {
        transport->calls->data(transport, piece->base, (size_t)length);
    } else if (length > 0) {
        if (tls_stream_in(transport->tls, piece->base, (size_t)length) < 0) {
            transport->calls->end(transport, -ENOMEM);
            return;
        }
        while (transport_pump(transport))
            ;
    } else if (length == UV_EOF) {
        transport->eof = transport->ended = true;
        transport->reading = false;
        while (transport_pump(transport))
            ;
    } else if (length < 0) {
        transport->calls->end(transport, (int)length);
    }
}

void transport_read(struct transport *transport, bool wanted)
{
    transport->wanted = wanted;
    if (transport->closing || transport->eof || transport->reading == wanted)
        return;
    if (!wanted)
        uv_read_stop(&transport->uv.stream);
    else if (uv_read_start(&transport->uv.stream, on_room, on_read) < 0)
        return;
    transport->reading = wanted;
}

/* ---- the end */

static void on_closed(uv_handle_t *handle)
{
    struct transport *transport = handle->data;
    buffer_clear(&transport->queued);
    if (transport->sending.length > 0)
        settle(transport);
    tls_stream_free(transport->tls);
    transport->tls = NULL;
    transport->calls->closed(transport);
}

void transport_close(struct transport *transport, bool reset)
{
    if (transport->closing)
        return;
    transport->closing = true;
    transport->shared->waiting -= transport->queued.length + transport->sending.length;
    if (transport->uv.handle.type == UV_TCP && reset && !transport->ending &&
        uv_tcp_close_reset(&transport->uv.tcp, on_closed) == 0)
        return;
    uv_close(&transport->uv.handle, on_closed);
}
