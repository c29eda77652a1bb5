#include "net/client.h"
#include "net/answer_head.h"
#include "net/client_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES = 64 * 1024, /* of a request wait before its maker is told to stop */
    WAITING_MAX = 16 * 1024 * 1024,
};

static struct upstream *of_ask(const struct net_ask *ask)
{
    return (struct upstream *)((const char *)ask - offsetof(struct upstream, ask));
}

int net_client_new(uv_loop_t *loop, const struct net_address *address,
                   struct net_client **ret_client)
{
    struct net_client *client = calloc(1, sizeof *client);
    if (!client)
        return -ENOMEM;
    client->loop = loop;
    client->address = *address;
    client->limits = net_limits;
    client->shared.waiting_max = WAITING_MAX;
    buffer_init(&client->head, net_limits.head_bytes * 2);
    TAILQ_INIT(&client->busy);
    TAILQ_INIT(&client->idle);
    TAILQ_INIT(&client->corked);
    uv_timer_init(loop, &client->timer);
    uv_prepare_init(loop, &client->prepare);
    uv_check_init(loop, &client->check);
    client->timer.data = client->prepare.data = client->check.data = client;
    client->n_handles = 3;
    *ret_client = client;
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    client_handle_closed(handle->data);
}

void net_client_free(struct net_client *client)
{
    struct upstream *upstream;
    if (!client)
        return;
    TAILQ_FOREACH(upstream, &client->busy, link)
    upstream_give_up(upstream, -ECANCELED);
    TAILQ_FOREACH(upstream, &client->idle, link)
    upstream_give_up(upstream, 0);
    uv_close((uv_handle_t *)&client->timer, on_handle_closed);
    uv_close((uv_handle_t *)&client->prepare, on_handle_closed);
    uv_close((uv_handle_t *)&client->check, on_handle_closed);
}

/* ---- the request */

static int write_pieces(struct upstream *upstream, const uv_buf_t *pieces, unsigned n)
{
    if (upstream->transport.closing)
        return -ECONNRESET;
    int result = transport_write(&upstream->transport, pieces, n);
    if (result == 0)
        return 0;
    /* A server may answer and close before it has read all: what it said is read first. */
    if (result != -EPIPE && result != -ECONNRESET)
        upstream_give_up(upstream, result);
    return -ECONNRESET;
}

static uv_buf_t piece_of(const void *data, size_t length)
{
    return (uv_buf_t){.base = (char *)data, .len = length};
}

int net_ask(struct net_client *client, const struct net_request *request,
            const struct net_ask_calls *calls, void *own, struct net_ask **ret_ask)
{
    buffer_reset(&client->head);
    int result = request_head_put(&client->head, request->method, request->target, request->fields,
                                  request->n_fields, request->length);
    if (result < 0)
        return result;
    struct upstream *upstream = upstream_take(client);
    if (!upstream)
        return -ENOMEM;
    struct net_ask *ask = &upstream->ask;
    ask->calls = calls;
    ask->own = own;
    ask->open = true;
    ask->chunked = request->length == NET_LENGTH_UNKNOWN;
    ask->left = ask->chunked ? 0 : request->length;
    ask->sent = request->length == 0;
    net_parser_next_answer(&upstream->parser, strcmp(request->method, "HEAD") == 0);
    uv_buf_t piece = piece_of(client->head.data, client->head.length);
    if (!ask->sent)
        upstream_cork(upstream);
    write_pieces(upstream, &piece, 1);
    *ret_ask = ask;
    return 0;
}

int net_ask_write(struct net_ask *ask, const void *data, size_t length)
{
    struct upstream *upstream = of_ask(ask);
    char size[24];
    if (ask->sent)
        return -EALREADY;
    if (!ask->chunked && length > ask->left)
        return -EMSGSIZE;
    if (length == 0)
        return 1;
    ask->left -= ask->chunked ? 0 : length;
    uv_buf_t pieces[3] = {piece_of(size, 0), piece_of(data, length), piece_of("\r\n", 2)};
    pieces[0].len = (size_t)snprintf(size, sizeof size, "%zx\r\n", length);
    int result =
        ask->chunked ? write_pieces(upstream, pieces, 3) : write_pieces(upstream, pieces + 1, 1);
    if (result < 0)
        return result;
    bool full = transport_unsent(&upstream->transport) > WINDOW_BYTES;
    ask->told_full = ask->told_full || full;
    return !full;
}

int net_ask_end(struct net_ask *ask)
{
    struct upstream *upstream = of_ask(ask);
    if (ask->sent)
        return 0;
    if (ask->left > 0) {
        upstream_give_up(upstream, -ECANCELED);
        return -EMSGSIZE;
    }
    ask->sent = true;
    uv_buf_t piece = piece_of("0\r\n\r\n", 5);
    int result = ask->chunked ? write_pieces(upstream, &piece, 1) : 0;
    return result < 0 ? result : upstream_uncork(upstream);
}

void net_ask_flow(struct net_ask *ask, bool on)
{
    struct upstream *upstream = of_ask(ask);
    upstream->held = !on;
    if (upstream->connected)
        transport_read(&upstream->transport, on);
}

void net_ask_cancel(struct net_ask *ask)
{
    upstream_give_up(of_ask(ask), -ECANCELED);
}
