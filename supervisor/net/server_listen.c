#include "net/server_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 511 }; /* the kernel's own cap (net.core.somaxconn) is 4,096 */

static void on_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    struct net_server *server = listener->server;
    free(listener->path);
    free(listener);
    server_handle_closed(server);
}

void server_listener_close(struct listener *listener)
{
    struct stat now;
    if (listener->path && lstat(listener->path, &now) == 0 && now.st_dev == listener->device &&
        now.st_ino == listener->inode)
        unlink(listener->path);
    uv_close(&listener->uv.handle, on_closed);
}

/* Whether the socket there is nobody's any more: then it is removed. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat there;
    if (lstat(address->sun_path, &there) < 0 || !S_ISSOCK(there.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED)
        unlink(address->sun_path);
    close(fd);
}

static int listen_local(struct listener *listener, const struct net_address *address, mode_t mode)
{
    const char *path = address->to.local.sun_path;
    struct stat made = {0};
    int result = uv_pipe_init(listener->server->loop, &listener->uv.pipe, 0);
    if (result < 0)
        return result;
    remove_stale(&address->to.local);
    /* libuv would unlink the name in the end, whoever has it then: so it gets a socket that was
     * bound here. Nobody can come in before it listens, with its mode. */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, &address->to.any, sizeof address->to.local) < 0) {
        result = -errno;
        close(fd);
        return result;
    }
    listener->path = strdup(path);
    if (!listener->path)
        result = -ENOMEM;
    else if (chmod(path, mode) < 0 || lstat(path, &made) < 0)
        result = -errno;
    else
        result = uv_pipe_open(&listener->uv.pipe, fd);
    if (result < 0) {
        unlink(path);
        close(fd);
    }
    listener->device = made.st_dev;
    listener->inode = made.st_ino;
    return result;
}

static int listen_internet(struct listener *listener, const struct net_address *address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address->to.storage;
    int result = uv_tcp_init(listener->server->loop, &listener->uv.tcp);
    if (result == 0)
        result = uv_tcp_bind(&listener->uv.tcp, &address->to.any, 0);
    /* "*" on a kernel without IPv6 */
    if (result == -EAFNOSUPPORT && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr)) {
        v4.sin_port = v6->sin6_port;
        result = uv_tcp_bind(&listener->uv.tcp, (const struct sockaddr *)&v4, 0);
    }
    return result;
}

int net_server_listen(struct net_server *server, const struct net_address *address,
                      struct net_tls *tls, mode_t unix_mode, struct error *err)
{
    struct listener *listener = calloc(1, sizeof *listener);
    bool is_local = address->to.any.sa_family == AF_UNIX;
    if (!listener)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left to listen");
    listener->server = server;
    listener->tls = is_local ? NULL : tls;
    int result =
        is_local ? listen_local(listener, address, unix_mode) : listen_internet(listener, address);
    listener->uv.handle.data = listener;
    server->n_handles++;
    if (result == 0)
        result = uv_listen(&listener->uv.stream, BACKLOG, server_accept);
    if (result < 0) {
        server_listener_close(listener);
        return error_set(err, FAILURE_UNREACHABLE, result, "cannot listen on %s: %s", address->text,
                         strerror(-result));
    }
    SLIST_INSERT_HEAD(&server->listeners, listener, link);
    return 0;
}

int net_server_port(const struct net_server *server, unsigned i)
{
    struct sockaddr_storage at = {0};
    int size = sizeof at;
    const struct listener *listener;
    SLIST_FOREACH(listener, &server->listeners, link)
    {
        if (i-- > 0)
            continue;
        if (listener->uv.handle.type != UV_TCP ||
            uv_tcp_getsockname(&listener->uv.tcp, (struct sockaddr *)&at, &size) < 0)
            return -1;
        return ntohs(at.ss_family == AF_INET ? ((const struct sockaddr_in *)&at)->sin_port
                                             : ((const struct sockaddr_in6 *)&at)->sin6_port);
    }
    return -1;
}
