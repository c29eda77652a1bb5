#include "net/connection.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

static bool over(const struct connection *connection, uint64_t now_ms, uint32_t limit_ms)
{
    return now_ms - connection->since_ms >= limit_ms;
}

/* Bytes that the client's kernel has acknowledged. Ours takes them by the megabyte, and then none
 * for longer than a slow client may need. */
static uint64_t taken(const struct connection *connection)
{
    int in_kernel = 0;
    uv_os_fd_t fd;
    uint64_t sent = connection->transport.given - transport_unsent(&connection->transport);
    if (uv_fileno(&connection->transport.uv.handle, &fd) < 0 ||
        ioctl(fd, SIOCOUTQ, &in_kernel) < 0 || in_kernel < 0)
        return sent;
    return sent > (uint64_t)in_kernel ? sent - (uint64_t)in_kernel : 0;
}

/* Whether the client takes what waits for it. */
static bool stuck(struct connection *connection, uint64_t now_ms)
{
    const struct net_limits *limits = &connection->server->limits;
    bool waits = transport_unsent(&connection->transport) > 0 &&
                 !(connection->phase == CONNECTION_EXCHANGE && connection->exchange.patient);
    uint64_t mark = waits ? taken(connection) : 0;
    if (!waits || mark >= connection->sent_mark + limits->progress_bytes) {
        connection->sent_mark = mark;
        connection->sent_since_ms = now_ms;
    }
    return waits && now_ms - connection->sent_since_ms >= limits->write_ms;
}

/* One whose body is held, or that sent more behind it than is kept, can leave unseen, as nothing is
 * read: the kernel is asked. *ret_there: how many bytes it sent that are not used. */
static bool sends_no_more(const struct connection *connection, size_t *ret_there)
{
    const struct transport *transport = &connection->transport;
    struct tcp_info info;
    socklen_t size = sizeof info;
    int in_kernel = 0;
    uv_os_fd_t fd;
    if (transport->reading || connection->ended || transport->uv.handle.type != UV_TCP ||
        uv_fileno(&transport->uv.handle, &fd) < 0 ||
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        info.tcpi_state == TCP_ESTABLISHED || ioctl(fd, SIOCINQ, &in_kernel) < 0)
        return false;
    /* A socket that was reset has nothing for us any more. */
    *ret_there = info.tcpi_state == TCP_CLOSE ? 0
                                              : connection->pending.length + (size_t)in_kernel +
                                                    tls_stream_unread(transport->tls);
    return true;
}

static void exchange_tick(struct connection *connection, uint64_t now_ms)
{
    const struct net_limits *limits = &connection->server->limits;
    const struct net_exchange *exchange = &connection->exchange;
    uint64_t bytes = connection->parser.body_bytes;
    size_t there;
    if (sends_no_more(connection, &there)) {
        if (there == 0 || (!exchange->body_whole && connection_lacks(connection, there)))
            connection_close(connection, -ECONNRESET);
        else
            connection_tell_half_closed(connection);
        if (connection->transport.closing)
            return;
    }
    if (exchange->body_whole || !exchange->body_flows || !over(connection, now_ms, limits->body_ms))
        return;
    if (bytes - connection->body_mark >= limits->progress_bytes) {
        connection->body_mark = bytes;
        connection->since_ms = now_ms;
        return;
    }
    connection->server->counts.timeouts++;
    connection_refuse(connection, 408, "the body does not come", -ETIMEDOUT);
}

void connection_tick(struct connection *connection, uint64_t now_ms)
{
    struct net_server *server = connection->server;
    const struct net_limits *limits = &server->limits;
    if (connection->transport.closing)
        return;
    if (stuck(connection, now_ms)) {
        server->counts.timeouts++;
        connection_close(connection, -ETIMEDOUT);
        return;
    }
    switch (connection->phase) {
    case CONNECTION_IDLE:
        if (over(connection, now_ms, connection->first ? limits->head_ms : limits->idle_ms))
            connection_close(connection, -ETIMEDOUT);
        break;
    case CONNECTION_HEAD:
        if (over(connection, now_ms, limits->head_ms)) {
            server->counts.timeouts++;
            connection_refuse(connection, 408, "the head does not come", -ETIMEDOUT);
        }
        break;
    case CONNECTION_EXCHANGE:
        exchange_tick(connection, now_ms);
        break;
    case CONNECTION_DISCARD:
        if (over(connection, now_ms, limits->body_ms))
            connection_close(connection, -ETIMEDOUT);
        break;
    case CONNECTION_LINGER:
        if (transport_unsent(&connection->transport) == 0 &&
            over(connection, now_ms, limits->linger_ms))
            connection_close(connection, -ETIMEDOUT);
        break;
    default:
        break;
    }
}
