#include "net/connection.h"

#include <errno.h>
#include <stdlib.h>

enum {
    HELD_MAX = 16 * 1024,       /* read ahead of a request that is being served, to see it leave */
    PENDING_MAX = 128 * 1024,   /* with a read that was under way */
    HEAD_READ_BYTES = 16 * 1024 /* a head has some 500 bytes; what comes behind it is kept */
};

static struct connection *of(struct transport *transport)
{
    return (struct connection *)transport;
}

static bool closing(const struct connection *connection)
{
    return connection->transport.closing;
}

static uint64_t now_ms(const struct connection *connection)
{
    return uv_now(connection->server->loop);
}

/* Whether bytes can be used now; else they are pending. */
static bool wants(const struct connection *connection)
{
    const struct net_exchange *exchange = &connection->exchange;
    return connection->phase != CONNECTION_EXCHANGE ||
           (!exchange->body_whole && exchange->body_flows);
}

/* ---- from one phase to the next */

static void await_request(struct connection *connection)
{
    net_parser_next(&connection->parser);
    connection->phase = CONNECTION_IDLE;
    connection->since_ms = now_ms(connection);
    server_idle(connection->server, connection);
}

static void linger(struct connection *connection)
{
    connection->phase = CONNECTION_LINGER;
    connection->since_ms = now_ms(connection);
    buffer_clear(&connection->pending);
    transport_finish(&connection->transport);
}

static void finish(struct connection *connection)
{
    struct net_exchange *exchange = &connection->exchange;
    const struct net_calls *calls = exchange->calls;
    exchange->calls = NULL;
    if (calls && calls->done)
        calls->done(exchange->own, exchange, 0);
    connection->first = false;
    if (closing(connection))
        return;
    if (!connection->keep || connection->server->draining ||
        (!exchange->body_whole && exchange->expects)) {
        linger(connection);
    } else if (exchange->body_whole) {
        await_request(connection);
    } else {
        connection->phase = CONNECTION_DISCARD;
        connection->since_ms = now_ms(connection);
        connection->discarded = 0;
    }
}

void connection_refuse(struct connection *connection, int status, const char *detail, int result)
{
    /* Of a path nobody was asked: these are the methods that can be read. */
    static const struct net_field known = {"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"};
    struct net_exchange *exchange = &connection->exchange;
    connection->server->counts.refused++;
    if (connection->phase == CONNECTION_EXCHANGE && exchange->answer != ANSWER_NONE) {
        connection_close(connection, result);
        return;
    }
    if (connection->phase == CONNECTION_EXCHANGE && exchange->calls && exchange->calls->done)
        exchange->calls->done(exchange->own, exchange, result);
    *exchange = (struct net_exchange){.body_whole = true};
    connection->phase = CONNECTION_EXCHANGE;
    connection->keep = false;
    net_answer_problem(exchange, status, &known, status == 405, detail);
    if (!closing(connection))
        linger(connection);
}

static void serve(struct connection *connection)
{
    struct net_server *server = connection->server;
    struct net_parser *parser = &connection->parser;
    struct net_exchange *exchange = &connection->exchange;
    size_t used;
    *exchange = (struct net_exchange){.expects = parser->framing.expects};
    connection->phase = CONNECTION_EXCHANGE;
    connection->keep = parser->framing.keep_alive;
    server->counts.requests++;
    if (server->service.body_max)
        parser->body_max = server->service.body_max(server->service.userdata, &parser->head);
    if (!parser->framing.chunked && parser->framing.length > parser->body_max) {
        connection_refuse(connection, 413, "the body is too long", -EMSGSIZE);
        return;
    }
    if (net_parser_left(parser) == 0)
        exchange->body_whole = net_parser_feed(parser, "", 0, &used) == NET_PARSED_DONE;
    server->service.request(server->service.userdata, exchange);
}

/* ---- bytes */

static void on_body(void *userdata, const char *data, size_t length)
{
    struct connection *connection = userdata;
    struct net_exchange *exchange = &connection->exchange;
    if (connection->phase == CONNECTION_EXCHANGE && !closing(connection) && exchange->calls &&
        exchange->calls->body)
        exchange->calls->body(exchange->own, exchange, data, length);
}

static void parsed_more(struct connection *connection, size_t used)
{
    if (connection->phase == CONNECTION_IDLE && net_parser_inside_head(&connection->parser)) {
        connection->phase = CONNECTION_HEAD;
        connection->since_ms = now_ms(connection);
    } else if (connection->phase == CONNECTION_DISCARD) {
        connection->discarded += used;
        if (connection->discarded > connection->server->limits.discard_bytes)
            linger(connection);
    }
}

static size_t parse(struct connection *connection, const char *data, size_t length)
{
    struct net_parser *parser = &connection->parser;
    size_t used;
    switch (net_parser_feed(parser, data, length, &used)) {
    case NET_PARSED_MORE:
        parsed_more(connection, used);
        return length;
    case NET_PARSED_HEAD:
        serve(connection);
        break;
    case NET_PARSED_DONE:
        connection->exchange.body_whole = true;
        if (connection->phase == CONNECTION_DISCARD)
            await_request(connection);
        break;
    case NET_PARSED_REFUSED:
        if (connection->phase == CONNECTION_DISCARD)
            linger(connection);
        else
            connection_refuse(connection, parser->status, parser->wrong,
                              parser->status == 413 ? -EMSGSIZE : -EPROTO);
        return length;
    }
    return used;
}

static void input(struct connection *connection, const char *data, size_t length)
{
    while (length > 0 && !closing(connection) && wants(connection)) {
        size_t used = length;
        if (connection->phase != CONNECTION_LINGER)
            used = parse(connection, data, length);
        data += used;
        length -= used;
    }
    if (length > 0 && !closing(connection) && buffer_append(&connection->pending, data, length) < 0)
        connection_close(connection, -ENOMEM);
}

static void take_pending(struct connection *connection)
{
    struct buffer pending = connection->pending;
    buffer_init(&connection->pending, PENDING_MAX);
    input(connection, pending.data, pending.length);
    buffer_clear(&pending);
}

/* The client sends nothing more; what it sent is used, or nobody wants it yet. True: there is more
 * to do. */
static bool at_end(struct connection *connection)
{
    const struct net_exchange *exchange = &connection->exchange;
    size_t behind = connection->pending.length;
    bool answering = connection->phase == CONNECTION_EXCHANGE &&
                     (exchange->body_whole || !connection_lacks(connection, behind));
    bool flushing =
        connection->phase == CONNECTION_LINGER && transport_unsent(&connection->transport) > 0;
    if (flushing)
        return false;
    if (!answering) {
        connection_close(connection, -ECONNRESET);
        return false;
    }
    if (behind == 0)
        connection->keep = false;
    return connection_tell_half_closed(connection);
}

bool connection_lacks(const struct connection *connection, size_t there)
{
    uint64_t left = net_parser_left(&connection->parser);
    return left == NET_LENGTH_UNKNOWN ? there == 0 : there < left;
}

bool connection_tell_half_closed(struct connection *connection)
{
    struct net_exchange *exchange = &connection->exchange;
    if (exchange->told_half_closed)
        return false;
    exchange->told_half_closed = true;
    if (exchange->calls && exchange->calls->half_closed)
        exchange->calls->half_closed(exchange->own, exchange);
    return true;
}

static bool step(struct connection *connection)
{
    struct net_exchange *exchange = &connection->exchange;
    if (connection->phase == CONNECTION_EXCHANGE) {
        if (exchange_is_answered(connection)) {
            finish(connection);
            return true;
        }
        if (exchange->body_whole && exchange->body_flows) {
            exchange->body_flows = false;
            exchange->told_body_end = true;
            if (exchange->calls && exchange->calls->body_end)
                exchange->calls->body_end(exchange->own, exchange);
            return true;
        }
    }
    if (connection->pending.length > 0 && wants(connection)) {
        take_pending(connection);
        return true;
    }
    if (wants(connection)) {
        transport_read(&connection->transport, true);
        if (transport_pump(&connection->transport))
            return true;
    }
    return connection->ended && at_end(connection);
}

/* What an answer began with goes out with what followed at once. */
static bool flush(struct connection *connection)
{
    if (!connection->transport.corked)
        return false;
    if (transport_uncork(&connection->transport) < 0)
        connection_close(connection, -ECONNRESET);
    return true;
}

void connection_drive(struct connection *connection)
{
    if (connection->driving)
        return;
    connection->driving = true;
    while (!closing(connection) && (step(connection) || flush(connection)))
        ;
    connection->driving = false;
    transport_read(&connection->transport,
                   wants(connection) || connection->pending.length < HELD_MAX);
}

/* ---- what the transport tells */

static size_t room(struct transport *transport)
{
    struct connection *connection = of(transport);
    if (connection->phase == CONNECTION_EXCHANGE && !wants(connection))
        return HELD_MAX - connection->pending.length;
    uint64_t left = net_parser_left(&connection->parser);
    bool counted = connection->phase == CONNECTION_EXCHANGE && left < TRANSPORT_READ_BYTES;
    if (connection->phase != CONNECTION_EXCHANGE || connection->parser.framing.chunked)
        return HEAD_READ_BYTES;
    return counted ? (size_t)left : TRANSPORT_READ_BYTES;
}

static void on_data(struct transport *transport, const char *data, size_t length)
{
    struct connection *connection = of(transport);
    bool driving = connection->driving;
    connection->driving = true;
    if (connection->pending.length == 0)
        input(connection, data, length);
    else if (buffer_append(&connection->pending, data, length) < 0)
        connection_close(connection, -ENOMEM);
    connection->driving = driving;
    connection_drive(connection);
}

static void on_end(struct transport *transport, int result)
{
    struct connection *connection = of(transport);
    if (result < 0)
        connection_close(connection, -ECONNRESET);
    else
        connection->ended = true;
    connection_drive(connection);
}

static void on_sent(struct transport *transport)
{
    struct connection *connection = of(transport);
    struct net_exchange *exchange = &connection->exchange;
    if (connection->phase == CONNECTION_EXCHANGE && exchange->told_full) {
        exchange->told_full = false;
        connection->driving = true;
        if (exchange->calls && exchange->calls->room)
            exchange->calls->room(exchange->own, exchange);
        connection->driving = false;
    }
    connection_drive(connection);
}

static void on_closed(struct transport *transport)
{
    struct connection *connection = of(transport);
    struct net_exchange *exchange = &connection->exchange;
    if (connection->phase == CONNECTION_EXCHANGE && exchange->calls && exchange->calls->done)
        exchange->calls->done(exchange->own, exchange, connection->result);
    net_parser_clear(&connection->parser);
    buffer_clear(&connection->pending);
    server_forget(connection->server, connection);
    free(connection);
}

/* ---- for the server and the exchange */

void connection_open(struct connection *connection, struct tls_stream *tls)
{
    static const struct transport_calls calls = {
        .room = room, .data = on_data, .end = on_end, .sent = on_sent, .closed = on_closed};
    transport_open(&connection->transport, &connection->server->shared, &calls, tls);
    net_parser_init(&connection->parser, &connection->server->limits, on_body, connection);
    buffer_init(&connection->pending, PENDING_MAX);
    connection->phase = CONNECTION_IDLE;
    connection->since_ms = connection->sent_since_ms = now_ms(connection);
    transport_read(&connection->transport, true);
}

void connection_wake(struct connection *connection)
{
    if (!connection->driving && !closing(connection))
        server_wake(connection->server, connection);
}

void connection_close(struct connection *connection, int result)
{
    const struct net_exchange *exchange = &connection->exchange;
    if (closing(connection))
        return;
    connection->result = result;
    /* Elsewhere the missing end tells that it is broken; one that ended waits here still. */
    transport_close(&connection->transport, connection->phase == CONNECTION_EXCHANGE &&
                                                exchange->answer != ANSWER_NONE &&
                                                exchange->framing == ANSWER_UNTIL_CLOSE);
}

void connection_drain(struct connection *connection)
{
    connection->keep = false;
    if (connection->phase == CONNECTION_IDLE || connection->phase == CONNECTION_DISCARD)
        connection_close(connection, -ECANCELED);
}
