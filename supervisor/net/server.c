#include "net/server.h"
#include "base/clock.h"
#include "net/connection.h"
#include "net/server_private.h"

#include <errno.h>
#include <stdlib.h>

/* Times are kept to a tenth of their shortest. */
enum { TICK_MS = 200, ANSWER_HEAD_MAX = 64 * 1024 };

const char *server_date(struct net_server *server)
{
    int64_t now_s = clock_wall_ms() / 1000;
    if (now_s != server->date_s) {
        server->date_s = now_s;
        net_date(now_s, server->date);
    }
    return server->date;
}

/* ---- connections */

void server_idle(struct net_server *server, struct connection *connection)
{
    TAILQ_REMOVE(&server->connections, connection, link);
    TAILQ_INSERT_TAIL(&server->connections, connection, link);
}

static void unwake(struct net_server *server, struct connection *connection)
{
    if (!connection->woken)
        return;
    TAILQ_REMOVE(&server->woken, connection, wake);
    connection->woken = false;
}

static void drive_woken(struct net_server *server)
{
    struct connection *connection;
    while ((connection = TAILQ_FIRST(&server->woken))) {
        unwake(server, connection);
        if (!connection->transport.closing)
            connection_drive(connection);
    }
    uv_prepare_stop(&server->prepare);
    uv_check_stop(&server->check);
}

static void on_prepare(uv_prepare_t *prepare)
{
    drive_woken(prepare->data);
}

static void on_check(uv_check_t *check)
{
    drive_woken(check->data);
}

void server_wake(struct net_server *server, struct connection *connection)
{
    if (connection->woken)
        return;
    connection->woken = true;
    TAILQ_INSERT_TAIL(&server->woken, connection, wake);
    uv_prepare_start(&server->prepare, on_prepare);
    uv_check_start(&server->check, on_check);
}

static void is_drained(struct net_server *server)
{
    void (*drained)(void *userdata) = server->drained;
    if (!server->draining || server->n_connections > 0 || !drained)
        return;
    server->drained = NULL;
    drained(server->drained_userdata);
}

void server_forget(struct net_server *server, struct connection *connection)
{
    unwake(server, connection);
    TAILQ_REMOVE(&server->connections, connection, link);
    server->n_connections--;
    server->n_refused -= connection->turned_away;
    if (server->n_connections == 0 && !server->has_one && !server->freed)
        uv_timer_stop(&server->timer);
    is_drained(server);
    server_handle_closed(server);
}

/* Who reads is not to pay for those who do not: the one that holds most goes. */
static bool give_way(struct transport_shared *shared, size_t bytes)
{
    struct net_server *server =
        (struct net_server *)((char *)shared - offsetof(struct net_server, shared));
    struct connection *connection, *largest = NULL;
    TAILQ_FOREACH(connection, &server->connections, link)
    {
        size_t waits = transport_unsent(&connection->transport);
        if (!connection->transport.closing && waits > bytes) {
            largest = connection;
            bytes = waits;
        }
    }
    if (largest)
        connection_close(largest, -ENOBUFS);
    return largest != NULL;
}

static void tick(uv_timer_t *timer)
{
    struct net_server *server = timer->data;
    uint64_t now_ms = uv_now(server->loop);
    bool over = server->draining && now_ms >= server->drained_at_ms;
    for (struct connection *connection = TAILQ_FIRST(&server->connections), *next; connection;
         connection = next) {
        next = TAILQ_NEXT(connection, link);
        if (over)
            connection_close(connection, -ECANCELED);
        else
            connection_tick(connection, now_ms);
    }
    if (!server->has_one)
        return;
    server_accept_again(server);
    if (server->n_connections == 0 && !server->has_one)
        uv_timer_stop(timer);
}

void server_watch(struct net_server *server)
{
    if (!uv_is_active((const uv_handle_t *)&server->timer))
        uv_timer_start(&server->timer, tick, TICK_MS, TICK_MS);
}

/* ---- its life */

/* The handles that live as long as the server. */
static int open_handles(struct net_server *server)
{
    int result = uv_timer_init(server->loop, &server->timer);
    if (result == 0)
        result = uv_prepare_init(server->loop, &server->prepare);
    if (result == 0)
        result = uv_check_init(server->loop, &server->check);
    server->timer.data = server->prepare.data = server->check.data = server;
    server->n_handles = 3;
    return result;
}

int net_server_new(uv_loop_t *loop, const struct net_service *service,
                   const struct net_limits *limits, struct net_server **ret_server)
{
    struct net_server *server = calloc(1, sizeof *server);
    if (!server)
        return -ENOMEM;
    server->loop = loop;
    server->service = *service;
    server->limits = *limits;
    server->shared.waiting_max = limits->waiting_bytes;
    server->shared.give_way = give_way;
    buffer_init(&server->head, ANSWER_HEAD_MAX);
    SLIST_INIT(&server->listeners);
    TAILQ_INIT(&server->connections);
    TAILQ_INIT(&server->woken);
    int result = open_handles(server); /* none of these can fail */
    if (result < 0) {
        free(server);
        return result;
    }
    *ret_server = server;
    return 0;
}

struct net_counts net_server_counts(const struct net_server *server)
{
    struct net_counts counts = server->counts;
    counts.open = server->n_connections;
    counts.waiting_bytes = server->shared.waiting;
    return counts;
}

static void close_listeners(struct net_server *server)
{
    struct listener *listener;
    while ((listener = SLIST_FIRST(&server->listeners))) {
        SLIST_REMOVE_HEAD(&server->listeners, link);
        server_listener_close(listener);
    }
}

void net_server_drain(struct net_server *server, uint32_t grace_ms, void (*drained)(void *userdata),
                      void *userdata)
{
    server->draining = true;
    server->drained = drained;
    server->drained_userdata = userdata;
    server->drained_at_ms = uv_now(server->loop) + grace_ms;
    close_listeners(server);
    for (struct connection *connection = TAILQ_FIRST(&server->connections), *next; connection;
         connection = next) {
        next = TAILQ_NEXT(connection, link);
        connection_drain(connection);
    }
    is_drained(server);
}

void server_handle_closed(struct net_server *server)
{
    if (--server->n_handles > 0)
        return;
    buffer_clear(&server->head);
    free(server);
}

static void on_closed(uv_handle_t *handle)
{
    server_handle_closed(handle->data);
}

void net_server_free(struct net_server *server)
{
    if (!server)
        return;
    server->freed = true;
    server->drained = NULL;
    close_listeners(server);
    for (struct connection *connection = TAILQ_FIRST(&server->connections), *next; connection;
         connection = next) {
        next = TAILQ_NEXT(connection, link);
        connection_close(connection, -ECANCELED);
    }
    uv_close((uv_handle_t *)&server->timer, on_closed);
    uv_close((uv_handle_t *)&server->prepare, on_closed);
    uv_close((uv_handle_t *)&server->check, on_closed);
}
