/* curl's descriptors and time-out on the loop: the socket interface of libcurl's multi handle. */
#include "base/http_private.h"
#include "base/netns.h"
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void drive(struct http *http, curl_socket_t fd, int events)
{
    int running = 0;
    http->inside = true;
    curl_multi_socket_action(http->multi, fd, events, &running);
    http->inside = false;
    http_settle(http);
}

static void watch_ready(uv_poll_t *poll, int status, int events)
{
    struct http_watch *watch = poll->data;
    int ready = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        ready |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        ready |= CURL_CSELECT_OUT;
    drive(watch->http, watch->fd, ready);
    /* libuv stops the handle when it reports an error; curl does not repeat an unchanged wish. */
    if (status < 0 && !uv_is_closing((uv_handle_t *)poll) && !uv_is_active((uv_handle_t *)poll))
        uv_poll_start(poll, watch->events, watch_ready);
}

static void handle_closed(struct http *http)
{
    if (--http->open_handles == 0)
        free(http);
}

static void watch_closed(uv_handle_t *handle)
{
    struct http_watch *watch = handle->data;
    struct http *http = watch->http;
    free(watch);
    handle_closed(http);
}

/* The descriptor leaves epoll at once, so that curl may close it and get the same number again in
 * this turn; the memory goes when libuv says so. */
static void watch_close(struct http_watch *watch)
{
    LIST_REMOVE(watch, link);
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, watch_closed);
}

static struct http_watch *watch_open(struct http *http, curl_socket_t fd)
{
    struct http_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    if (uv_poll_init_socket(http->loop, &watch->poll, fd) < 0) {
        free(watch);
        return NULL;
    }
    watch->http = http;
    watch->fd = fd;
    watch->poll.data = watch;
    http->open_handles++;
    LIST_INSERT_HEAD(&http->watches, watch, link);
    return watch;
}

/* A failure here is never told to curl, which would give up the whole multi handle for it: it ends
 * the one request. */
static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *userdata, void *assigned)
{
    struct http *http = userdata;
    struct http_watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            watch_close(watch);
        curl_multi_assign(http->multi, fd, NULL);
        return 0;
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    if (!watch) {
        watch = watch_open(http, fd);
        curl_multi_assign(http->multi, fd, watch);
    }
    if (watch) {
        watch->events = events;
        if (uv_poll_start(&watch->poll, events, watch_ready) == 0)
            return 0;
    }
    struct http_request *request = NULL;
    if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &request) == CURLE_OK && request)
        http_request_fail(request, -ENOMEM);
    return 0;
}

static void timed_out(uv_timer_t *timer)
{
    drive(timer->data, CURL_SOCKET_TIMEOUT, 0);
}

static int timeout_wanted(CURLM *multi, long timeout_ms, void *userdata)
{
    (void)multi;
    struct http *http = userdata;
    if (timeout_ms < 0)
        uv_timer_stop(&http->timeout);
    else
        uv_timer_start(&http->timeout, timed_out, (uint64_t)timeout_ms, 0);
    return 0;
}

static struct http_socket *held_socket(struct http *http, curl_socket_t fd)
{
    struct http_socket *held;
    LIST_FOREACH(held, &http->sockets, link)
    {
        if (held->fd == fd)
            return held;
    }
    return NULL;
}

static void socket_forget(struct http_socket *held)
{
    LIST_REMOVE(held, link);
    free(held);
}

/* curl 7.88 closes a socket that it gives up while connecting without saying so. Where the next one
 * gets the same number, curl believes it watched, but epoll has forgotten the old one. */
static void watch_again(struct http *http, curl_socket_t fd)
{
    struct http_watch *watch;
    LIST_FOREACH(watch, &http->watches, link)
    {
        if (watch->fd == fd) {
            uv_poll_stop(&watch->poll);
            uv_poll_start(&watch->poll, watch->events, watch_ready);
        }
    }
}

curl_socket_t http_socket_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct http_request *request = userdata;
    struct http *http = request->http;
    struct stat info;
    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    int fd =
        request->netns > 0
            ? netns_socket(request->netns, address->family, address->socktype, address->protocol)
            : socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd < 0)
        return CURL_SOCKET_BAD;
    struct http_socket *held = held_socket(http, fd);
    if (held)
        socket_forget(held);
    held = malloc(sizeof *held);
    if (!held || fstat(fd, &info) < 0) {
        free(held);
        close(fd);
        return CURL_SOCKET_BAD;
    }
    held->fd = fd;
    held->inode = info.st_ino;
    LIST_INSERT_HEAD(&http->sockets, held, link);
    watch_again(http, fd);
    return fd;
}

int http_socket_close(void *userdata, curl_socket_t fd)
{
    struct http_socket *held = held_socket(userdata, fd);
    if (held)
        socket_forget(held);
    return close(fd);
}

static in_port_t local_port(const struct http_socket *held)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t size = sizeof address;
    struct stat info;
    if (fstat(held->fd, &info) < 0 || !S_ISSOCK(info.st_mode) || info.st_ino != held->inode ||
        getsockname(held->fd, &address.any, &size) < 0)
        return 0;
    return address.any.sa_family == AF_INET    ? address.v4.sin_port
           : address.any.sa_family == AF_INET6 ? address.v6.sin6_port
                                               : 0;
}

size_t http_local_ports(const struct http *http, uint16_t *ports, size_t max)
{
    size_t n = 0;
    const struct http_socket *held;
    LIST_FOREACH(held, &http->sockets, link)
    {
        in_port_t port = n < max ? local_port(held) : 0;
        if (port != 0)
            ports[n++] = ntohs(port);
    }
    return n;
}

static void abort_due(uv_timer_t *timer)
{
    http_report_failed(timer->data);
}

/* Takes up the streams that waited. */
static void resume_due(uv_timer_t *timer)
{
    struct http *http = timer->data;
    struct http_request *request;
    http->inside = true;
    LIST_FOREACH(request, &http->requests, link)
    {
        if (request->paused) {
            request->paused = false;
            curl_easy_pause(request->easy, CURLPAUSE_CONT);
            if (request->failure)
                http_request_fail(request, request->failure);
        }
    }
    http->inside = false;
    drive(http, CURL_SOCKET_TIMEOUT, 0);
}

void http_request_waits(struct http_request *request)
{
    static const uint64_t wait_ms = 50;
    request->paused = true;
    if (!request->http->closing && !uv_is_active((uv_handle_t *)&request->http->resume))
        uv_timer_start(&request->http->resume, resume_due, wait_ms, 0);
}

void http_request_fail(struct http_request *request, int failure)
{
    if (request->failure == 0)
        request->failure = failure;
    if (!request->http->closing)
        uv_timer_start(&request->http->abort, abort_due, 0, 0);
}

void http_loop_open(struct http *http)
{
    uv_timer_init(http->loop, &http->timeout);
    uv_timer_init(http->loop, &http->abort);
    uv_timer_init(http->loop, &http->resume);
    http->timeout.data = http->abort.data = http->resume.data = http;
    http->open_handles = 3;
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, timeout_wanted);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_KEPT_CONNECTIONS);
    curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_HOST_CONNECTIONS);
}

static void timer_closed(uv_handle_t *handle)
{
    handle_closed(handle->data);
}

void http_loop_close(struct http *http)
{
    while (!LIST_EMPTY(&http->watches))
        watch_close(LIST_FIRST(&http->watches));
    while (!LIST_EMPTY(&http->sockets))
        socket_forget(LIST_FIRST(&http->sockets));
    uv_close((uv_handle_t *)&http->timeout, timer_closed);
    uv_close((uv_handle_t *)&http->abort, timer_closed);
    uv_close((uv_handle_t *)&http->resume, timer_closed);
}
