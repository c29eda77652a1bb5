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
    fact server; /* the process whose socket it is; FACT_NONE: that cannot be told */
    uint16_t port;
    uint16_t
        others[LISTENER_OTHERS_MAX]; /* that it may be as well: the one that answers; 0: none */
    char address[INET6_ADDRSTRLEN];  /* "": all of its namespace's */
    bool loopback, v4_only;
    bool full; /* connections wait that nobody has accepted */
};

/* From the LISTEN rows of the namespace of its servers (PROCFS/PID/net/tcp and tcp6) and the
 * sockets among their open files. Of several servers, or several ports of one, that with the wanted
 * port goes first. Where the files cannot be seen (that needs the capability SYS_PTRACE where a
 * process has more capabilities than we), one server alone in the container's own network owns the
 * only port there that no runner has; of several the wanted one, or all, are given, and it is not
 * told whose; in another container's network only the port that is the only one there. Where no
 * server is seen, whoever listens on the wanted port is asked, in a network that is not the
 * container's alone only if that is one of its processes. container->processes must be known. 0;
 * -ESRCH: no server runs in it, and nobody listens there; -ENOENT: a server runs and listens
 * nowhere; -EPERM: somebody else has the port; -EACCES: it cannot be seen who; -E2BIG: there is
 * more to search than is searched; another -errno. */
int listener_find(const char *procfs, const struct container *container, enum network network,
                  uint16_t wanted, struct listener *ret_listener);

/* Whether one process alone looks like a server: with another, also one that was forked a moment
 * ago, it cannot be told whose a port is while the open files are hidden. */
bool listener_only(const struct container *container);

#endif
