#include "net/connection.h"

#include <errno.h>
#include <llhttp.h>
#include <stdio.h>
#include <string.h>

void net_follow(struct net_exchange *exchange, const struct net_calls *calls, void *own)
{
    exchange->calls = calls;
    exchange->own = own;
}

struct net_head *net_exchange_head(struct net_exchange *exchange)
{
    return &connection_of(exchange)->parser.head;
}

const struct net_peer *net_exchange_peer(const struct net_exchange *exchange)
{
    return &connection_of(exchange)->peer;
}

bool exchange_is_answered(const struct connection *connection)
{
    return connection->exchange.answer == ANSWER_ENDED &&
           transport_unsent(&connection->transport) == 0;
}

/* ---- the body of the request */

void net_body_flow(struct net_exchange *exchange, bool on)
{
    struct connection *connection = connection_of(exchange);
    if (exchange->body_flows == on || exchange->told_body_end || connection->transport.closing)
        return;
    exchange->body_flows = on;
    if (!on)
        return;
    connection->since_ms = uv_now(connection->server->loop);
    connection->body_mark = connection->parser.body_bytes;
    /* One whose body has begun does not wait for the word. */
    if (exchange->expects && exchange->answer == ANSWER_NONE && !exchange->body_whole &&
        connection->parser.body_bytes == 0 && connection->pending.length == 0) {
        static char words[] = "HTTP/1.1 100 Continue\r\n\r\n";
        uv_buf_t piece = uv_buf_init(words, sizeof words - 1);
        if (transport_write(&connection->transport, &piece, 1) < 0)
            connection_close(connection, -ECONNRESET);
    }
    exchange->expects = false;
    connection_wake(connection);
}

uint64_t net_body_left(const struct net_exchange *exchange)
{
    return exchange->body_whole ? 0 : net_parser_left(&connection_of(exchange)->parser);
}

/* ---- the answer */

static int answerable(const struct net_exchange *exchange, enum exchange_answer now)
{
    const struct connection *connection = connection_of(exchange);
    if (connection->transport.closing || connection->phase != CONNECTION_EXCHANGE)
        return -ECONNRESET;
    return exchange->answer == now ? 0 : -EALREADY;
}

/* Whether the connection can go on behind the answer. */
static bool goes_on(const struct connection *connection)
{
    const struct net_exchange *exchange = &connection->exchange;
    uint64_t left = net_body_left(exchange);
    if (!connection->keep || connection->server->draining)
        return false;
    if (left == 0 || exchange->body_flows)
        return true;
    return !exchange->expects &&
           (left == NET_LENGTH_UNKNOWN || left <= connection->server->limits.discard_bytes);
}

static enum answer_framing framing(const struct connection *connection, int status, uint64_t length)
{
    if (status == 204 || status == 304)
        return ANSWER_BODYLESS;
    if (length != NET_LENGTH_UNKNOWN)
        return ANSWER_LENGTH;
    return connection->parser.head.minor > 0 ? ANSWER_CHUNKED : ANSWER_UNTIL_CLOSE;
}

/* Makes the head, in the server's place for it. */
static int make_head(struct net_exchange *exchange, int status, const struct net_field *fields,
                     size_t n_fields, uint64_t length)
{
    struct connection *connection = connection_of(exchange);
    struct net_server *server = connection->server;
    const struct net_head *head = &connection->parser.head;
    int result = answerable(exchange, ANSWER_NONE);
    if (result < 0)
        return result;
    struct answer_head answer = {.status = status,
                                 .fields = fields,
                                 .n_fields = n_fields,
                                 .framing = framing(connection, status, length),
                                 .length = length,
                                 .http_1_0 = head->minor == 0,
                                 .date = server_date(server)};
    answer.keep_alive = answer.framing != ANSWER_UNTIL_CLOSE && goes_on(connection);
    buffer_reset(&server->head);
    result = answer_head_put(&server->head, &answer);
    if (result < 0)
        return result;
    connection->keep = answer.keep_alive;
    exchange->answer = ANSWER_BEGUN;
    exchange->framing = answer.framing;
    exchange->left = answer.framing == ANSWER_LENGTH ? length : 0;
    exchange->muted = answer.framing == ANSWER_BODYLESS || head->method == HTTP_HEAD;
    return 0;
}

static int send_pieces(struct net_exchange *exchange, const uv_buf_t *pieces, unsigned n)
{
    struct connection *connection = connection_of(exchange);
    int result = transport_write(&connection->transport, pieces, n);
    if (result < 0)
        connection_close(connection, -ECONNRESET);
    return result;
}

static uv_buf_t piece_of(const void *data, size_t length)
{
    return (uv_buf_t){.base = (char *)data, .len = length};
}

int net_answer(struct net_exchange *exchange, int status, const struct net_field *fields,
               size_t n_fields, const void *body, size_t length)
{
    struct connection *connection = connection_of(exchange);
    int result = make_head(exchange, status, fields, n_fields, length);
    if (result < 0)
        return result;
    const struct buffer *head = &connection->server->head;
    uv_buf_t pieces[2] = {piece_of(head->data, head->length), piece_of(body, length)};
    result = send_pieces(exchange, pieces, exchange->muted || length == 0 ? 1 : 2);
    if (result < 0)
        return result;
    exchange->answer = ANSWER_ENDED;
    connection_wake(connection);
    return 0;
}

int net_answer_begin(struct net_exchange *exchange, int status, const struct net_field *fields,
                     size_t n_fields, uint64_t length)
{
    int result = make_head(exchange, status, fields, n_fields, length);
    if (result < 0)
        return result;
    struct connection *connection = connection_of(exchange);
    uv_buf_t piece = piece_of(connection->server->head.data, connection->server->head.length);
    transport_cork(&connection->transport);
    connection_wake(connection);
    return send_pieces(exchange, &piece, 1);
}

int net_answer_write(struct net_exchange *exchange, const void *data, size_t length)
{
    struct connection *connection = connection_of(exchange);
    char size[24];
    int result = answerable(exchange, ANSWER_BEGUN);
    if (result < 0)
        return result;
    if (exchange->framing == ANSWER_LENGTH && length > exchange->left)
        return -EMSGSIZE;
    if (exchange->framing == ANSWER_LENGTH)
        exchange->left -= length;
    if (exchange->muted || length == 0)
        return 1;
    uv_buf_t pieces[3] = {piece_of(size, 0), piece_of(data, length), piece_of("\r\n", 2)};
    if (exchange->framing == ANSWER_CHUNKED) {
        pieces[0].len = (size_t)snprintf(size, sizeof size, "%zx\r\n", length);
        result = send_pieces(exchange, pieces, 3);
    } else {
        result = send_pieces(exchange, pieces + 1, 1);
    }
    if (result < 0)
        return result;
    bool full = transport_unsent(&connection->transport) > connection->server->limits.window_bytes;
    exchange->told_full = exchange->told_full || full;
    return !full;
}

int net_answer_end(struct net_exchange *exchange)
{
    int result = answerable(exchange, ANSWER_BEGUN);
    if (result < 0)
        return result;
    if (exchange->left > 0 && !exchange->muted) {
        net_answer_abort(exchange);
        return -EMSGSIZE;
    }
    if (exchange->framing == ANSWER_CHUNKED && !exchange->muted) {
        uv_buf_t piece = piece_of("0\r\n\r\n", 5);
        result = send_pieces(exchange, &piece, 1);
    }
    if (result < 0)
        return result;
    exchange->answer = ANSWER_ENDED;
    connection_wake(connection_of(exchange));
    return 0;
}

void net_answer_abort(struct net_exchange *exchange)
{
    struct connection *connection = connection_of(exchange);
    transport_uncork(&connection->transport); /* it began, and that is seen */
    connection_close(connection, -ECANCELED);
}

size_t net_answer_waiting(const struct net_exchange *exchange)
{
    return transport_unsent(&connection_of(exchange)->transport);
}

void net_answer_patience(struct net_exchange *exchange, bool endless)
{
    exchange->patient = endless;
}
