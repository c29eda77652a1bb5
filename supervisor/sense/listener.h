/* Where Ollama listens, and whose port it is: a name in a container's environment is no proof. */
#ifndef SUPERVISOR_SENSE_LISTENER_H
#define SUPERVISOR_SENSE_LISTENER_H

#include "sense/world.h"
#include <netinet/in.h>

enum network {
    NETWORK_OWN,    /* the container's, */
    NETWORK_JOINED, /* another container's, in which no other server is known, */
    NETWORK_SHARED  /* the host's, or one with other servers in it */
};

enum { LISTENER_OTHERS_MAX = 3 };

struct listener {
    fact server, started_us; /* the process whose socket it is; unknown: that cannot be told */
    uint16_t port;
    uint16_t
        others[LISTENER_OTHERS_MAX]; /* that it may be as well: the one that answers; 0: none */
    char address[INET6_ADDRSTRLEN];  /* "": all of its namespace's */
    bool loopback, v4_only;
};

/* From the LISTEN rows of the namespace of its servers (PROCFS/PID/net/tcp and tcp6) and the
 * sockets among their open files. Of several servers, or several ports of one, that with the wanted
 * port goes first. Where the files cannot be seen (that needs the capability SYS_PTRACE where a
 * process has more capabilities than we), one server alone in its network owns the wanted port, or
 * one of those that no runner has. Where no server is seen, whoever listens on the wanted port is
 * asked, in a network that is not the container's alone only if that is one of its processes.
 * container->processes must be known. 0; -ESRCH: no server runs in it, and nobody listens there;
 * -ENOENT: a server runs and listens nowhere; -EPERM: somebody else has the port; -EACCES: it
 * cannot be seen who; another -errno. */
int listener_find(const char *procfs, const struct container *container, enum network network,
                  uint16_t wanted, struct listener *ret_listener);

/* Whether the namespace of pid has a connection to its port from remote_port. */
bool listener_has(const char *procfs, int64_t pid, uint16_t port, uint16_t remote_port);

#endif
