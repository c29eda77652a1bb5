#include "sense/place.h"
#include "base/netns.h"
#include "sense/proc_file.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

fact place_network(const char *procfs, fact pid)
{
    char path[320];
    struct stat info;

    /* Each namespace has files of its own behind net; ns/net itself needs the right to trace. */
    snprintf(path, sizeof path, "%s/%lld/net/tcp", procfs, (long long)pid);
    return fact_known(pid) && stat(path, &info) == 0 ? (fact)info.st_ino : FACT_UNKNOWN;
}

int place_enter(const char *procfs, fact pid)
{
    char path[320];

    snprintf(path, sizeof path, "%s/%lld/ns/net", procfs, (long long)pid);
    return proc_file_open(AT_FDCWD, path);
}

static void add(struct place *place, enum way_kind kind, const char *address, uint16_t port,
                uint16_t inside)
{
    if (!address[0] || place->n == PLACE_WAYS_MAX)
        return;
    for (size_t i = 0; i < place->n; i++)
        if (place->ways[i].kind == kind && place->ways[i].port == port &&
            !strcmp(place->ways[i].address, address))
            return;
    struct way *way = &place->ways[place->n++];
    *way = (struct way){.kind = kind, .port = port, .inside = inside};
    snprintf(way->address, sizeof way->address, "%s", address);
}

struct trie {
    struct place *place;
    uint16_t port;
    char last[INET_ADDRSTRLEN]; /* the address whose routes follow */
};

/* net/fib_trie: "|-- 10.0.0.2", and below it "/32 host LOCAL". */
static int take_v4(struct text line, void *userdata)
{
    struct trie *trie = userdata;
    struct text word;

    if (!text_word(&line, &word))
        return 0;
    if (text_is(word, "|--") && text_word(&line, &word) && text_left(&word) < sizeof trie->last) {
        memcpy(trie->last, word.at, text_left(&word));
        trie->last[text_left(&word)] = '\0';
    } else if (text_is(word, "/32") && text_word(&line, &word) && text_is(word, "host") &&
               text_word(&line, &word) && text_is(word, "LOCAL") &&
               strncmp(trie->last, "127.", 4) != 0) {
        add(trie->place, WAY_DIRECT, trie->last, trie->port, trie->port);
    }
    return 0;
}

/* net/if_inet6: the address in 32 digits, index, prefix length, scope (00: global), flags, name. */
static int take_v6(struct text line, void *userdata)
{
    struct trie *trie = userdata;
    unsigned char address[16];
    char name[INET6_ADDRSTRLEN];
    struct text word, scope;
    uint64_t part;

    if (!text_word(&line, &word) || text_left(&word) != 32 || !text_word(&line, &scope) ||
        !text_word(&line, &scope) || !text_word(&line, &scope) || !text_is(scope, "00"))
        return 0;
    for (size_t i = 0; i < 16; i++, word.at += 2) {
        struct text digits = {word.at, word.at + 2};
        if (!text_hex(&digits, &part))
            return 0;
        address[i] = (unsigned char)part;
    }
    if (inet_ntop(AF_INET6, address, name, sizeof name))
        add(trie->place, WAY_DIRECT, name, trie->port, trie->port);
    return 0;
}

static void add_addresses(const char *procfs, const struct listener *listener, uint16_t port,
                          struct place *place)
{
    struct trie trie = {.place = place, .port = port};
    char path[320];

    snprintf(path, sizeof path, "%s/%lld", procfs, (long long)place->net_pid);
    CLOSE_FD int process = proc_directory_open(AT_FDCWD, path);
    if (process < 0)
        return;
    proc_file_lines(process, "net/fib_trie", take_v4, &trie);
    if (!listener->v4_only)
        proc_file_lines(process, "net/if_inet6", take_v6, &trie);
}

static void add_published(const struct docker_details *details, uint16_t port, struct place *place)
{
    for (size_t i = 0; i < details->n_published; i++)
        if (details->published[i].inside == port)
            add(place, WAY_PUBLISHED, details->published[i].address, details->published[i].outside,
                port);
}

/* Whether we may make sockets in there. */
static bool may_enter(const char *procfs, const struct place *place)
{
    CLOSE_FD int netns = place_enter(procfs, place->net_pid);
    CLOSE_FD int fd = netns < 0 ? netns : netns_socket(netns, AF_INET, SOCK_STREAM, 0);
    return fd >= 0;
}

static void say_nowhere(const struct listener *listener, struct place *place)
{
    if (listener->loopback)
        snprintf(place->why, sizeof place->why,
                 "listens on %s in its container: set OLLAMA_HOST=0.0.0.0 there, or it cannot be "
                 "asked from outside",
                 listener->address);
    else
        snprintf(place->why, sizeof place->why, "there is no way from here to where it listens");
}

static void say_hidden(int r, enum network network, uint16_t port, struct place *place)
{
    const char *whose = network == NETWORK_OWN ? "the container" : "its network";
    if (r == -ESRCH)
        snprintf(place->why, sizeof place->why, "no Ollama server runs in it");
    else if (r == -ENOENT)
        snprintf(place->why, sizeof place->why, "its server listens on no port");
    else if (r == -E2BIG)
        snprintf(place->why, sizeof place->why,
                 "it cannot be seen where it listens: there are too many servers, open files or "
                 "ports");
    else if (r == -EPERM)
        snprintf(place->why, sizeof place->why,
                 "port %u of %s is not, or not only, the container's own", (unsigned)port, whose);
    else
        snprintf(place->why, sizeof place->why, "it cannot be seen whose port %u of %s is: %s%s",
                 (unsigned)port, whose, strerror(-r),
                 r == -EACCES ? " (it needs the capability SYS_PTRACE)" : "");
}

static void add_ways(const char *procfs, const struct docker_details *details,
                     const struct listener *listener, uint16_t port, struct place *place)
{
    const char *address = listener->address;
    const char *local = address[0] ? address : "127.0.0.1";
    fact network = place_network(procfs, place->net_pid), ours = place_network("/proc", getpid());

    if (fact_known(network) && network == ours) {
        add(place, WAY_HERE, local, port, port);
        return;
    }
    if (!listener->loopback && address[0])
        add(place, WAY_DIRECT, address, port, port);
    if (!listener->loopback && !address[0]) {
        if (!details->host_network)
            add(place, WAY_DIRECT, details->address, port, port);
        add_addresses(procfs, listener, port, place);
    }
    /* The engine publishes them on the host, which may not be where we are. */
    if (!listener->loopback && fact_known(ours) && ours == place_network(procfs, 1))
        add_published(details, port, place);
    if (may_enter(procfs, place))
        add(place, WAY_INSIDE, local, port, port);
}

int place_find(const char *procfs, const struct container *c, const struct docker_details *details,
               enum network network, struct place *ret_place)
{
    struct place place = {.server = FACT_NONE, .net_pid = c->pid};
    struct listener listener = {0};
    int r = c->processes_known ? listener_find(procfs, c, network, details->port, &listener)
            : network == NETWORK_SHARED ? -ENODATA
                                        : -ENOENT;

    if (r == -ENOENT && network == NETWORK_OWN && details->address[0]) {
        add(&place, WAY_DIRECT, details->address, details->port, details->port);
    } else if (r == -ENOENT && !c->processes_known) {
        snprintf(place.why, sizeof place.why, "nobody knows its address");
    } else if (r < 0) {
        say_hidden(r, network, details->port, &place);
        place.no_server = r == -ESRCH;
    } else {
        place.server = listener.server;
        place.full = listener.full;
        if (fact_known(listener.server))
            place.net_pid = listener.server;
        add_ways(procfs, details, &listener, listener.port, &place);
        for (size_t i = 0; i < LISTENER_OTHERS_MAX && listener.others[i]; i++)
            add_ways(procfs, details, &listener, listener.others[i], &place);
        if (place.n == 0) {
            say_nowhere(&listener, &place);
            r = -EHOSTUNREACH;
        }
    }
    *ret_place = place;
    return r;
}
