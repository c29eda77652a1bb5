#include "net/client_private.h"

#include <errno.h>
#include <stdlib.h>

enum {
    CONNECT_MS = 2000, /* a loopback or bridge connection takes well under 1 ms */
    TICK_MS = 250,
    KEPT_MAX = 16, /* idle connections */
};

static struct upstream *of(struct transport *transport)
{
    return (struct upstream *)transport;
}

void client_handle_closed(struct net_client *client)
{
    if (--client->n_handles > 0)
        return;
    buffer_clear(&client->head);
    free(client);
}

void upstream_give_up(struct upstream *upstream, int result)
{
    if (upstream->transport.closing)
        return;
    upstream->result = result;
    transport_close(&upstream->transport, false);
}

/* ---- requests that go out as one */

int upstream_uncork(struct upstream *upstream)
{
    if (upstream->corked)
        TAILQ_REMOVE(&upstream->client->corked, upstream, cork);
    upstream->corked = false;
    return transport_uncork(&upstream->transport);
}

static void uncork_all(struct net_client *client)
{
    struct upstream *upstream;
    while ((upstream = TAILQ_FIRST(&client->corked)))
        upstream_uncork(upstream); /* what fails is told by reading */
    uv_prepare_stop(&client->prepare);
    uv_check_stop(&client->check);
}

static void on_prepare(uv_prepare_t *prepare)
{
    uncork_all(prepare->data);
}

static void on_check(uv_check_t *check)
{
    uncork_all(check->data);
}

void upstream_cork(struct upstream *upstream)
{
    transport_cork(&upstream->transport);
    upstream->corked = true;
    TAILQ_INSERT_TAIL(&upstream->client->corked, upstream, cork);
    uv_prepare_start(&upstream->client->prepare, on_prepare);
    uv_check_start(&upstream->client->check, on_check);
}

/* ---- the answer */

static void keep(struct upstream *upstream)
{
    struct net_client *client = upstream->client;
    if (client->n_idle == KEPT_MAX) {
        upstream_give_up(upstream, 0);
        return;
    }
    TAILQ_REMOVE(&client->busy, upstream, link);
    TAILQ_INSERT_HEAD(&client->idle, upstream, link);
    upstream->idle = true;
    client->n_idle++;
    net_head_reset(&upstream->parser.head);
    transport_read(&upstream->transport, true); /* its end is seen */
}

static void finish(struct upstream *upstream)
{
    struct net_ask *ask = &upstream->ask;
    bool kept = ask->sent && upstream->parser.framing.keep_alive &&
                transport_unsent(&upstream->transport) == 0;
    ask->open = false;
    ask->calls->done(ask->own, ask, 0, false);
    if (kept && !upstream->transport.closing)
        keep(upstream);
    else
        upstream_give_up(upstream, 0);
}

static void see_head(struct upstream *upstream)
{
    struct net_ask *ask = &upstream->ask;
    uint64_t left = net_parser_left(&upstream->parser);
    if (ask->calls->head)
        ask->calls->head(ask->own, ask, &upstream->parser.head, left);
}

static void on_body(void *userdata, const char *data, size_t length)
{
    struct upstream *upstream = userdata;
    struct net_ask *ask = &upstream->ask;
    if (ask->calls->body && !upstream->transport.closing)
        ask->calls->body(ask->own, ask, data, length);
}

static void input(struct upstream *upstream, const char *data, size_t length)
{
    struct net_parser *parser = &upstream->parser;
    size_t used;
    /* An idle connection has nothing to say; a whole answer has nothing behind it. */
    for (bool more = true; more && !upstream->transport.closing;) {
        enum net_parsed parsed = net_parser_feed(parser, data, length, &used);
        bool interim = parser->head.status < 200;
        data += used;
        length -= used;
        more = false;
        if (upstream->transport.closing)
            return; /* it was cancelled by who got its body, and is told so */
        if (parsed == NET_PARSED_REFUSED) {
            upstream_give_up(upstream, -EPROTO);
        } else if (parsed == NET_PARSED_HEAD) {
            see_head(upstream);
            more = true;
        } else if (parsed == NET_PARSED_DONE && interim) {
            net_parser_next_answer(parser, parser->bodyless);
            more = length > 0;
        } else if (parsed == NET_PARSED_DONE) {
            if (length > 0)
                parser->framing.keep_alive = false;
            finish(upstream);
        }
    }
}

static size_t on_room(struct transport *transport)
{
    (void)transport;
    return TRANSPORT_READ_BYTES;
}

static void on_data(struct transport *transport, const char *data, size_t length)
{
    struct upstream *upstream = of(transport);
    if (upstream->idle) {
        upstream_give_up(upstream, 0);
        return;
    }
    upstream->ask.began = true;
    input(upstream, data, length);
}

static void on_end(struct transport *transport, int result)
{
    struct upstream *upstream = of(transport);
    if (!upstream->idle && result == 0 && upstream->parser.framing.until_end &&
        net_parser_is_whole(&upstream->parser))
        finish(upstream);
    else
        upstream_give_up(upstream, upstream->connected ? -ECONNRESET : result);
}

static void on_sent(struct transport *transport)
{
    struct net_ask *ask = &of(transport)->ask;
    if (!ask->open || !ask->told_full)
        return;
    ask->told_full = false;
    if (ask->calls->room)
        ask->calls->room(ask->own, ask);
}

static void on_closed(struct transport *transport)
{
    struct upstream *upstream = of(transport);
    struct net_client *client = upstream->client;
    struct net_ask *ask = &upstream->ask;
    if (upstream->corked)
        TAILQ_REMOVE(&client->corked, upstream, cork);
    if (upstream->idle) {
        TAILQ_REMOVE(&client->idle, upstream, link);
        client->n_idle--;
    } else {
        TAILQ_REMOVE(&client->busy, upstream, link);
    }
    if (ask->open)
        ask->calls->done(ask->own, ask, upstream->result,
                         upstream->result == -ECONNRESET && ask->reused && !ask->began);
    net_parser_clear(&upstream->parser);
    free(upstream);
    client_handle_closed(client);
}

/* ---- connections */

static void on_connected(uv_connect_t *connect, int status)
{
    struct upstream *upstream = connect->data;
    if (upstream->transport.closing)
        return;
    if (status < 0) {
        upstream_give_up(upstream, status);
        return;
    }
    upstream->connected = true;
    transport_read(&upstream->transport, !upstream->held);
}

static void tick(uv_timer_t *timer)
{
    struct net_client *client = timer->data;
    uint64_t now_ms = uv_now(client->loop);
    unsigned connecting = 0;
    struct upstream *upstream;
    TAILQ_FOREACH(upstream, &client->busy, link)
    {
        if (upstream->connected)
            continue;
        connecting++;
        if (now_ms - upstream->since_ms >= CONNECT_MS)
            upstream_give_up(upstream, -ETIMEDOUT);
    }
    if (connecting == 0)
        uv_timer_stop(timer);
}

static int connect_to(struct upstream *upstream)
{
    struct net_client *client = upstream->client;
    const struct net_address *address = &client->address;
    upstream->connect.data = upstream;
    if (address->to.any.sa_family == AF_UNIX) {
        uv_pipe_connect(&upstream->connect, &upstream->transport.uv.pipe,
                        address->to.local.sun_path, on_connected);
        return 0; /* a failure is told */
    }
    uv_tcp_nodelay(&upstream->transport.uv.tcp, 1);
    return uv_tcp_connect(&upstream->connect, &upstream->transport.uv.tcp, &address->to.any,
                          on_connected);
}

static struct upstream *make(struct net_client *client)
{
    static const struct transport_calls calls = {
        .room = on_room, .data = on_data, .end = on_end, .sent = on_sent, .closed = on_closed};
    struct upstream *upstream = calloc(1, sizeof *upstream);
    if (!upstream)
        return NULL;
    int result = client->address.to.any.sa_family == AF_UNIX
                     ? uv_pipe_init(client->loop, &upstream->transport.uv.pipe, 0)
                     : uv_tcp_init(client->loop, &upstream->transport.uv.tcp);
    if (result < 0) {
        free(upstream);
        return NULL;
    }
    upstream->client = client;
    upstream->since_ms = uv_now(client->loop);
    client->n_handles++;
    TAILQ_INSERT_TAIL(&client->busy, upstream, link);
    transport_open(&upstream->transport, &client->shared, &calls, NULL);
    net_parser_init(&upstream->parser, &client->limits, on_body, upstream);
    if (!uv_is_active((const uv_handle_t *)&client->timer))
        uv_timer_start(&client->timer, tick, TICK_MS, TICK_MS);
    result = connect_to(upstream);
    if (result < 0)
        upstream_give_up(upstream, result);
    return upstream;
}

struct upstream *upstream_take(struct net_client *client)
{
    struct upstream *upstream;
    TAILQ_FOREACH(upstream, &client->idle, link)
    {
        if (upstream->transport.closing)
            continue;
        TAILQ_REMOVE(&client->idle, upstream, link);
        TAILQ_INSERT_TAIL(&client->busy, upstream, link);
        upstream->idle = false;
        client->n_idle--;
        upstream->ask = (struct net_ask){.reused = true};
        upstream->held = false;
        return upstream;
    }
    return make(client);
}
