#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char separators[] = ", \t";

static int wrong(struct error *err, const char *text, const char *why)
{
    return error_set(err, FAILURE_USAGE, -EINVAL, "cannot listen on \"%s\": %s", text, why);
}

int net_address_local(const char *path, struct net_address *ret_address, struct error *err)
{
    struct net_address address = {0};
    struct sockaddr_un *to = &address.to.local;
    int n = snprintf(address.text, sizeof address.text, "unix:%s", path);
    if (*path != '/')
        return wrong(err, address.text, "a unix socket is written unix:/path/to/socket");
    if (n < 0 || strlen(path) >= sizeof to->sun_path)
        return wrong(err, address.text, "a socket's path has at most 107 bytes");
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path, strlen(path) + 1);
    *ret_address = address;
    return 0;
}

static bool read_port(const char *text, in_port_t *ret_port)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 5 || text[digits] != '\0')
        return false;
    long port = strtol(text, NULL, 10);
    *ret_port = htons((uint16_t)port);
    return port <= UINT16_MAX;
}

static int internet(struct net_address *address, struct error *err)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address->to.storage;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address->to.storage;
    char host[NET_ADDRESS_SIZE + 1];
    in_port_t port;
    snprintf(host, sizeof host, "%s", address->text);
    char *colon = strrchr(host, ':');
    if (!colon || !read_port(colon + 1, &port))
        return wrong(err, address->text, "write ADDRESS:PORT, as in 127.0.0.1:9000");
    *colon = '\0';
    size_t length = strlen(host);
    if (length > 1 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1)
            return 0;
    } else if (length == 0 || strcmp(host, "*") == 0) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = port;
        v6->sin6_addr = in6addr_any;
        return 0;
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = port;
        if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host,
                      &v4->sin_addr) == 1)
            return 0;
    }
    return wrong(err, address->text, "an address is an IPv4 one, [an IPv6 one], localhost or *");
}

int net_address_next(const char **list, struct net_address *ret_address, struct error *err)
{
    struct net_address address = {0};
    const char *at = *list + strspn(*list, separators);
    size_t length = strcspn(at, separators);
    if (length == 0)
        return 0;
    *list = at + length;
    snprintf(address.text, sizeof address.text, "%.*s", (int)length, at);
    if (length >= sizeof address.text)
        return wrong(err, address.text, "that is too long");
    bool is_local = strncmp(address.text, "unix:", 5) == 0;
    int result =
        is_local ? net_address_local(address.text + 5, &address, err) : internet(&address, err);
    if (result < 0)
        return result;
    *ret_address = address;
    return 1;
}

static void from_v4(const struct in_addr *from, in_port_t port, struct net_peer *peer)
{
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, from, text, sizeof text);
    snprintf(peer->text, sizeof peer->text, "%s:%u", text, ntohs(port));
    memcpy(peer->site, from, sizeof *from);
    peer->loopback = ntohl(from->s_addr) >> 24 == 127;
}

static void from_v6(const struct sockaddr_in6 *from, struct net_peer *peer)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &from->sin6_addr, text, sizeof text);
    snprintf(peer->text, sizeof peer->text, "[%s]:%u", text, ntohs(from->sin6_port));
    /* Of neighbours on a link the first half is the same, and the second tells who it is. */
    size_t telling = IN6_IS_ADDR_LINKLOCAL(&from->sin6_addr) ? 8 : 0;
    memcpy(peer->site, from->sin6_addr.s6_addr + telling, sizeof peer->site);
    peer->loopback = IN6_IS_ADDR_LOOPBACK(&from->sin6_addr);
}

void net_peer_from(const struct sockaddr *address, struct net_peer *ret_peer)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
    *ret_peer = (struct net_peer){.text = "?", .counted = true};
    if (address->sa_family == AF_INET) {
        from_v4(&v4->sin_addr, v4->sin_port, ret_peer);
    } else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        struct in_addr inside;
        memcpy(&inside, v6->sin6_addr.s6_addr + 12, sizeof inside);
        from_v4(&inside, v6->sin6_port, ret_peer);
    } else if (address->sa_family == AF_INET6) {
        from_v6(v6, ret_peer);
    }
    ret_peer->counted = !ret_peer->loopback;
}

void net_peer_local(int fd, struct net_peer *ret_peer)
{
    struct ucred who;
    socklen_t size = sizeof who;
    *ret_peer = (struct net_peer){.text = "unix"};
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) {
        ret_peer->local = true;
        ret_peer->uid = who.uid;
    }
}
