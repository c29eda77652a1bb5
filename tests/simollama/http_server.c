#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static unsigned conns;

static void conn_free(struct http_conn *conn)
{
    loop_disarm(&conn->timer);
    loop_close(&conn->watch);
    if (conn->gone)
        conn->gone(conn->user);
    text_free(&conn->in);
    text_free(&conn->out);
    text_free(&conn->head);
    text_free(&conn->body);
    text_free(&conn->extra);
    free(conn);
    conns--;
}

/* Sends what is waiting. A client that is gone or does not read is told by conn->broken. */
static void flush_out(struct http_conn *conn)
{
    while (conn->out.len && !conn->broken) {
        ssize_t n = send(conn->watch.fd, conn->out.data, conn->out.len, MSG_NOSIGNAL);
        if (n > 0)
            text_consume(&conn->out, (size_t)n);
        else if (errno == EAGAIN)
            break;
        else
            conn->broken = 1;
    }
}

/* What the connection waits for now: while a request is answered nothing is read. */
static void wait_again(struct http_conn *conn)
{
    uint32_t events = EPOLLRDHUP;
    if (conn->state != HTTP_BUSY)
        events |= EPOLLIN;
    if (conn->out.len && !conn->broken)
        events |= EPOLLOUT;
    loop_watch(&conn->watch, events);
}

/* Goes on with what was read; frees the connection where it is over. */
static void run(struct http_conn *conn)
{
    conn->parsing = 1;
    while (!conn->ending && http_step(conn))
        ;
    conn->parsing = 0;
    flush_out(conn);
    if (conn->broken || (conn->ending && !conn->out.len))
        conn_free(conn);
    else
        wait_again(conn);
}

static void conn_ready(struct watch *watch, uint32_t events)
{
    struct http_conn *conn = owner_of(watch, struct http_conn, watch);
    if (conn->state == HTTP_BUSY && (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        conn_free(conn);
        return;
    }
    if (conn->state != HTTP_BUSY && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        static char buffer[64 << 10];
        ssize_t n = recv(conn->watch.fd, buffer, sizeof buffer, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            conn_free(conn);
            return;
        }
        if (n > 0)
            text_append(&conn->in, buffer, (size_t)n, SIZE_MAX / 4);
    }
    run(conn);
}

static void accept_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct http_server *server = owner_of(watch, struct http_server, watch);
    int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (conns >= HTTP_CONNS_MAX) {
        close(fd);
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct http_conn *conn = must_alloc(sizeof *conn);
    conns++;
    conn->server = server;
    conn->watch = (struct watch){.fd = fd, .ready = conn_ready};
    wait_again(conn);
}

int http_listen(struct http_server *server, const char *host, uint16_t port)
{
    struct in_addr ip4 = {0};
    if (*host && inet_pton(AF_INET, host, &ip4) != 1)
        return -EINVAL;
    int any = ip4.s_addr == INADDR_ANY;
    int fd = any ? socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
    int v6 = fd >= 0;
    if (!v6)
        fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int one = 1, zero = 0;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in6 at6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in at4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = ip4};
    int bound;
    if (v6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
        bound = bind(fd, (struct sockaddr *)&at6, sizeof at6);
    } else {
        bound = bind(fd, (struct sockaddr *)&at4, sizeof at4);
    }
    if (bound < 0 || listen(fd, SOMAXCONN) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    server->watch = (struct watch){.fd = fd, .ready = accept_ready};
    loop_watch(&server->watch, EPOLLIN);
    return 0;
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } known[] = {{200, "OK"},
                 {204, "No Content"},
                 {400, "Bad Request"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {413, "Request Entity Too Large"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {503, "Service Unavailable"}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].status == status)
            return known[i].reason;
    return "Unknown";
}

static void send_head(struct http_conn *conn, int status, const char *type, int64_t length)
{
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);

    text_print(&conn->out, "HTTP/1.1 %d %s\r\n", status, reason(status));
    if (conn->extra.len)
        text_append(&conn->out, conn->extra.data, conn->extra.len, HTTP_OUT_MAX);
    if (type)
        text_print(&conn->out, "Content-Type: %s\r\n", type);
    text_print(&conn->out, "Date: %s\r\n", date);
    if (length >= 0)
        text_print(&conn->out, "Content-Length: %lld\r\n", (long long)length);
    else if (status != 204 && !conn->old_http)
        text_print(&conn->out, "Transfer-Encoding: chunked\r\n");
    if (!conn->keep_alive)
        text_print(&conn->out, "Connection: close\r\n");
    text_print(&conn->out, "\r\n");
}

/* The answer is complete: on to the next request on the connection, or its end. */
static void answered(struct http_conn *conn)
{
    loop_disarm(&conn->timer);
    conn->user = NULL;
    conn->gone = NULL;
    conn->extra.len = 0;
    if (conn->keep_alive)
        conn->state = HTTP_HEAD;
    else
        conn->ending = 1;
    if (!conn->parsing)
        run(conn);
}

void http_reply(struct http_conn *conn, int status, const char *type, const char *body, size_t len)
{
    if (len > HTTP_LENGTH_MAX && !conn->head_only) {
        http_begin(conn, status, type);
        http_write(conn, body, len);
        http_end(conn);
        return;
    }
    send_head(conn, status, type, status == 204 ? -1 : (int64_t)len);
    if (len && !conn->head_only)
        text_append(&conn->out, body, len, HTTP_OUT_MAX);
    answered(conn);
}

void http_begin(struct http_conn *conn, int status, const char *type)
{
    send_head(conn, status, type, -1);
}

void http_write(struct http_conn *conn, const char *data, size_t len)
{
    char size[32] = "";
    const char *after = conn->old_http ? "" : "\r\n";
    if (!len || conn->head_only)
        return;
    if (!conn->old_http)
        snprintf(size, sizeof size, "%zx\r\n", len);
    if (text_append(&conn->out, size, strlen(size), HTTP_OUT_MAX) < 0 ||
        text_append(&conn->out, data, len, HTTP_OUT_MAX) < 0 ||
        text_append(&conn->out, after, strlen(after), HTTP_OUT_MAX) < 0)
        conn->broken = 1;
    if (conn->parsing)
        return;
    flush_out(conn);
    if (conn->broken) /* the loop frees it; its owner may be in the middle of using it */
        shutdown(conn->watch.fd, SHUT_RDWR);
    wait_again(conn);
}

void http_end(struct http_conn *conn)
{
    if (!conn->head_only && !conn->old_http)
        text_append(&conn->out, "0\r\n\r\n", 5, HTTP_OUT_MAX + 16);
    answered(conn);
}
