#include "http_server.h"
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, REQUEST_MAX = 64 * 1024 };

struct connection {
    struct server *server;
    pthread_t thread;
    int fd;
};

struct server {
    int listener;
    pthread_t thread;
    server_answer *answer;
    void *userdata;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    atomic_uint accepted, requests;
    struct connection connections[CONNECTIONS_MAX];
};

void server_say(int fd, const char *bytes)
{
    size_t length = strlen(bytes);
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        length -= (size_t)sent;
    }
}

void server_reply(int fd, int status, const char *headers, const char *body)
{
    char head[512];
    snprintf(head, sizeof head, "HTTP/1.1 %d Said\r\n%sContent-Length: %zu\r\n\r\n", status,
             headers, strlen(body));
    server_say(fd, head);
    server_say(fd, body);
}

void server_wait_ms(unsigned ms)
{
    usleep(ms * 1000);
}

/* Reads to the end of the head and of the body it announces; false at the connection's end. */
static bool read_request(int fd, char *text)
{
    size_t length = 0, wanted = REQUEST_MAX;
    while (length < wanted) {
        ssize_t got = recv(fd, text + length, REQUEST_MAX - 1 - length, 0);
        if (got <= 0)
            return false;
        length += (size_t)got;
        text[length] = '\0';
        const char *end = strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        const char *announced = strstr(text, "Content-Length: ");
        wanted = (size_t)(end - text) + 4;
        if (announced && announced < end)
            wanted += strtoul(announced + 16, NULL, 10);
    }
    return true;
}

static void *serve(void *argument)
{
    struct connection *connection = argument;
    struct server *server = connection->server;
    char *request = malloc(REQUEST_MAX);
    enum server_next next = SERVER_KEEP;
    while (next == SERVER_KEEP && read_request(connection->fd, request)) {
        atomic_fetch_add(&server->requests, 1);
        next = server->answer(server->userdata, connection->fd, request);
    }
    if (next == SERVER_RESET) { /* the socket closes, the number stays taken until server_stop */
        struct linger at_once = {.l_onoff = 1};
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        int gone = socket(AF_UNIX, SOCK_STREAM, 0);
        dup2(gone, connection->fd);
        close(gone);
    }
    shutdown(connection->fd, SHUT_RDWR);
    free(request);
    return NULL;
}

static void *accept_all(void *argument)
{
    struct server *server = argument;
    for (;;) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        unsigned n = atomic_load(&server->accepted);
        if (fd < 0 || n == CONNECTIONS_MAX)
            return NULL;
        server->connections[n] = (struct connection){.server = server, .fd = fd};
        pthread_create(&server->connections[n].thread, NULL, serve, &server->connections[n]);
        atomic_fetch_add(&server->accepted, 1);
    }
}

static struct server *start(int fd, const struct sockaddr *address, socklen_t size,
                            server_answer *answer, void *userdata)
{
    struct server *server = calloc(1, sizeof *server);
    server->listener = fd;
    server->answer = answer;
    server->userdata = userdata;
    if (fd < 0 || bind(fd, address, size) < 0 || listen(fd, 128) < 0) {
        perror("the test's server cannot listen");
        abort();
    }
    pthread_create(&server->thread, NULL, accept_all, server);
    return server;
}

struct server *server_tcp(server_answer *answer, void *userdata)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return start(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&address,
                 sizeof address, answer, userdata);
}

struct server *server_unix(const char *path, server_answer *answer, void *userdata)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    struct server *server = start(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                  (struct sockaddr *)&address, sizeof address, answer, userdata);
    snprintf(server->path, sizeof server->path, "%s", path);
    return server;
}

void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    for (unsigned i = 0; i < atomic_load(&server->accepted); i++) {
        shutdown(server->connections[i].fd, SHUT_RDWR);
        pthread_join(server->connections[i].thread, NULL);
        close(server->connections[i].fd);
    }
    if (server->path[0])
        unlink(server->path);
    free(server);
}

uint16_t server_port(const struct server *server)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    return getsockname(server->listener, (struct sockaddr *)&address, &size) < 0
               ? 0
               : ntohs(address.sin_port);
}

unsigned server_connections(const struct server *server)
{
    return atomic_load(&server->accepted);
}

unsigned server_requests(const struct server *server)
{
    return atomic_load(&server->requests);
}

static void tick(uv_timer_t *timer)
{
    (void)timer; /* its only use is to wake the loop */
}

bool loop_until(uv_loop_t *loop, const unsigned *counter, unsigned wanted, unsigned limit_ms)
{
    uv_timer_t timer;
    uint64_t until_ns = uv_hrtime() + (uint64_t)limit_ms * 1000000;
    uv_timer_init(loop, &timer);
    uv_timer_start(&timer, tick, 5, 5);
    while ((!counter || *counter < wanted) && uv_hrtime() < until_ns)
        uv_run(loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop, UV_RUN_NOWAIT);
    return counter && *counter >= wanted;
}

void loop_for(uv_loop_t *loop, unsigned ms)
{
    loop_until(loop, NULL, 1, ms);
}

bool loop_end(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop) == 0;
}
