#include "net/connection.h"
#include "net/server_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REFUSED_MAX = 32, /* connections that are told why they are turned away, at a time */
    SILENT_MS = 1000, /* a client says what it wants at once; a browser connects in advance */
    KEEPALIVE_S = 60, /* a client whose power failed is noticed in some minutes */
};

static bool same_site(const struct net_peer *a, const struct net_peer *b)
{
    return a->counted && b->counted && memcmp(a->site, b->site, sizeof a->site) == 0;
}

/* Closes, for this one, the connection that has been idle longest: between two requests, or since
 * it came without a byte. */
static bool make_room(struct net_server *server, const struct connection *for_one)
{
    struct connection *connection;
    uint64_t now_ms = uv_now(server->loop);
    TAILQ_FOREACH(connection, &server->connections, link)
    {
        if (connection != for_one && connection->phase == CONNECTION_IDLE &&
            !connection->transport.closing &&
            (!connection->first || now_ms - connection->since_ms >= SILENT_MS)) {
            connection_close(connection, -ECANCELED);
            return true;
        }
    }
    return false;
}

/* Closes one that was answered and only reads on, of that site (NULL: of any). Whoever waits there
 * has its answer. */
static bool end_lingering(struct net_server *server, const struct net_peer *of)
{
    struct connection *connection;
    TAILQ_FOREACH(connection, &server->connections, link)
    {
        if (connection->phase == CONNECTION_LINGER && !connection->turned_away &&
            !connection->transport.closing && transport_unsent(&connection->transport) == 0 &&
            (!of || same_site(&connection->peer, of))) {
            connection_close(connection, -ECANCELED);
            return true;
        }
    }
    return false;
}

/* Without those that were turned away, and those that are gone already. */
static unsigned of_same_site(const struct net_server *server, const struct net_peer *peer)
{
    const struct connection *connection;
    unsigned n = 0;
    TAILQ_FOREACH(connection, &server->connections, link)
    {
        n += !connection->turned_away && !connection->transport.closing &&
             same_site(&connection->peer, peer);
    }
    return n;
}

static bool is_keeper(const struct net_peer *peer)
{
    return peer->local && (peer->uid == 0 || peer->uid == getuid());
}

/* NULL: it may stay. */
static const char *too_many(struct net_server *server, const struct connection *connection)
{
    const struct net_peer *peer = &connection->peer;
    /* This one is among them already; so are those that were turned away and still read it. */
    unsigned open = server->n_connections - server->n_refused;
    if (peer->counted && of_same_site(server, peer) > server->limits.per_address &&
        !end_lingering(server, peer))
        return "too many connections of this address";
    unsigned most = server->limits.connections + (is_keeper(peer) ? server->limits.kept : 0);
    if (open > most && !end_lingering(server, NULL) && !make_room(server, connection))
        return "too many connections";
    return NULL;
}

static void find_peer(struct connection *connection)
{
    struct sockaddr_storage from = {0};
    int size = sizeof from;
    uv_os_fd_t fd = -1;
    if (connection->transport.uv.handle.type == UV_NAMED_PIPE) {
        uv_fileno(&connection->transport.uv.handle, &fd);
        net_peer_local(fd, &connection->peer);
        return;
    }
    uv_tcp_getpeername(&connection->transport.uv.tcp, (struct sockaddr *)&from, &size);
    net_peer_from((const struct sockaddr *)&from, &connection->peer);
    uv_tcp_nodelay(&connection->transport.uv.tcp, 1);
    uv_tcp_keepalive(&connection->transport.uv.tcp, 1, KEEPALIVE_S);
}

static void welcome(struct connection *connection, struct net_tls *tls)
{
    struct net_server *server = connection->server;
    struct tls_stream *stream = NULL;
    find_peer(connection);
    const char *reason = too_many(server, connection);
    if (!reason && tls)
        stream = tls_stream_new(tls);
    connection_open(connection, stream);
    if (reason) {
        server->counts.turned_away++;
        connection->turned_away = true;
        if (++server->n_refused > REFUSED_MAX || tls)
            connection_close(connection, -ECANCELED);
        else
            connection_refuse(connection, 503, reason, -ECANCELED);
        return;
    }
    if (tls && !stream)
        connection_close(connection, -ENOMEM);
}

static struct connection *make(struct net_server *server, const uv_stream_t *stream)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return NULL;
    int result = stream->type == UV_NAMED_PIPE
                     ? uv_pipe_init(server->loop, &connection->transport.uv.pipe, 0)
                     : uv_tcp_init(server->loop, &connection->transport.uv.tcp);
    if (result < 0) {
        free(connection);
        return NULL;
    }
    return connection;
}

void server_accept(uv_stream_t *stream, int status)
{
    struct listener *listener = stream->data;
    struct net_server *server = listener->server;
    if (status < 0)
        return;
    struct connection *connection = make(server, stream);
    if (!connection) {
        /* libuv looks at that listener no more before it is accepted. */
        listener->has_one = server->has_one = true;
        server_watch(server);
        return;
    }
    connection->server = server;
    connection->first = true;
    server->n_handles++;
    server->n_connections++;
    server->counts.connections++;
    TAILQ_INSERT_TAIL(&server->connections, connection, link);
    server_watch(server);
    if (uv_accept(stream, &connection->transport.uv.stream) == 0) {
        welcome(connection, listener->tls);
    } else {
        connection_open(connection, NULL);
        connection_close(connection, -ECANCELED);
    }
}

void server_accept_again(struct net_server *server)
{
    struct listener *listener;
    server->has_one = false;
    SLIST_FOREACH(listener, &server->listeners, link)
    {
        bool has_one = listener->has_one;
        listener->has_one = false;
        if (has_one)
            server_accept(&listener->uv.stream, 0);
    }
}
