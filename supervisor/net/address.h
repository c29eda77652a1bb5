/* Where a server listens, and who it is that came. */
#ifndef SUPERVISOR_NET_ADDRESS_H
#define SUPERVISOR_NET_ADDRESS_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

enum { NET_ADDRESS_SIZE = 112 }; /* "unix:" and a socket's path of 107 bytes */

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
        struct sockaddr_un local;
    } to;
    char text[NET_ADDRESS_SIZE + 1]; /* as it was written */
};

/* One of a list that commas or spaces separate: "127.0.0.1:9000", "[::1]:9000", "localhost:9000"
 * (127.0.0.1), "*:9000" or ":9000" (every address of both families), "unix:/run/x.sock". *list goes
 * behind it. 1; 0 at the end of the list; -EINVAL (FAILURE_USAGE) with the sentence. */
int net_address_next(const char **list, struct net_address *ret_address, struct error *err);
/* Of a unix socket, whatever is in its path, which begins at the root: 0, or as above. */
int net_address_local(const char *path, struct net_address *ret_address, struct error *err);

struct net_peer {
    char text[64];         /* "192.0.2.7:41234", "[2001:db8::1]:80", "unix"; for people and logs */
    unsigned char site[8]; /* the IPv4 address, the /64 of an IPv6 one, the interface of a
                              link-local one: one client's, as we count */
    bool counted;          /* it is neither loopback nor a unix socket */
    bool loopback;         /* of this machine, or of whoever a proxy on it lets in */
    bool local;            /* came over a unix socket, uid is known */
    uid_t uid;
};

/* From the address of an accepted TCP connection; an IPv4 address inside IPv6 is the IPv4 one. */
void net_peer_from(const struct sockaddr *address, struct net_peer *ret_peer);
/* From an accepted unix socket. */
void net_peer_local(int fd, struct net_peer *ret_peer);

#endif
