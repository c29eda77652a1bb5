/* How one container's Ollama is reached from here. */
#ifndef SUPERVISOR_SENSE_PLACE_H
#define SUPERVISOR_SENSE_PLACE_H

#include "sense/docker.h"
#include "sense/listener.h"

enum { PLACE_WAYS_MAX = 12 };

enum way_kind {
    WAY_DIRECT,    /* from our namespace, to an address that must turn out to be the container's */
    WAY_HERE,      /* in our own namespace: the port is known to be its */
    WAY_PUBLISHED, /* a port of the host that the engine forwards */
    WAY_INSIDE     /* from within its namespace */
};

struct way {
    enum way_kind kind;
    char address[64];
    uint16_t port, inside; /* to be connected to; where that leads, in its namespace */
};

struct place {
    fact server;  /* whose list will be heard; FACT_NONE: that cannot be told */
    fact net_pid; /* a process in its network namespace */
    struct way ways[PLACE_WAYS_MAX];
    size_t n;
    char why[160]; /* why there is none */
    bool no_server;
    bool full; /* connections wait there that nobody has accepted */
};

/* Nothing is asked. network: whether others have servers in the container's network namespace. 0
 * with one way at least; else why is set if there is none: -ESRCH: no server runs in it; -ENOENT:
 * it listens nowhere, or its processes are not known, and the engine's word (its address, the port
 * of its environment) is all that there is, in a network of its own; other -errno. */
int place_find(const char *procfs, const struct container *container,
               const struct docker_details *details, enum network network, struct place *ret_place);

/* Which network namespace a process is in, as a number; unknown where that cannot be read. */
fact place_network(const char *procfs, fact pid);

/* A descriptor of the network namespace of a process, for http's netns; -errno. */
int place_enter(const char *procfs, fact pid);

#endif
