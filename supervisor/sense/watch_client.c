/* Where a container's Ollama is asked: its place is looked for, and its ways are tried in turn. */
#include "base/clock.h"
#include "sense/private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void free_client(struct watch *w)
{
    ollama_client_free(w->client);
    w->client = NULL;
}

void watch_drop_client(struct watch *w)
{
    free_client(w);
    free(w->container.ollama.models);
    w->container.ollama = (struct ollama){.latency_ms = -1, .server = FACT_UNKNOWN};
    w->answered_once = false;
    w->poll_due_s = 0;
}

fact watch_net_pid(const struct watch *w)
{
    const struct container *c = &w->container;
    for (size_t i = 0; w->place_known && i < c->n_processes; i++)
        if (c->processes[i].pid == w->place.net_pid)
            return c->processes[i].pid;
    return c->pid;
}

static bool has_server(const struct watch *w)
{
    for (size_t i = 0; i < w->container.n_processes; i++)
        if (container_server(&w->container, &w->container.processes[i]))
            return true;
    return false;
}

/* Which namespace it is in, once a life, also where the engine says that it is the host's: others
 * may have joined that. */
static enum network network_of(struct watch *w)
{
    const char *procfs = w->sense->procfs;
    if (!fact_known(w->network)) {
        w->network = place_network(procfs, w->container.pid);
        w->on_host = fact_known(w->network) && w->network == place_network(procfs, 1);
    }
    if (w->details.host_network || w->on_host)
        return NETWORK_SHARED;
    for (size_t i = 0; fact_known(w->network) && i < w->sense->n; i++) {
        const struct watch *other = w->sense->watches[i];
        if (other != w && other->container.status == STATUS_RUNNING &&
            other->network == w->network && has_server(other))
            return NETWORK_SHARED;
    }
    return w->details.joined ? NETWORK_JOINED : NETWORK_OWN;
}

static const uint64_t prime = 1099511628211;

/* The servers that a place follows from: where they cannot be seen now, those of the last look. */
static uint64_t servers_of(const struct watch *w)
{
    const struct container *c = &w->container;
    if (!c->processes_known && w->place_known && w->place.n > 0)
        return w->place_servers;
    uint64_t sum = c->processes_known;
    for (size_t i = 0; i < c->n_processes; i++)
        if (container_server(c, &c->processes[i]))
            sum = sum * prime + (uint64_t)c->processes[i].pid * 2654435761 +
                  (uint64_t)c->processes[i].started_us;
    return sum;
}

static uint64_t add_text(uint64_t sum, const char *text)
{
    for (; *text; text++)
        sum = sum * prime + (unsigned char)*text;
    return sum;
}

/* The servers, the engine's words and the kind of network that a place follows from. */
static uint64_t place_of(const struct watch *w, enum network network)
{
    const struct docker_details *d = &w->details;
    uint64_t sum = (uint64_t)w->container.pid + d->port * 31 + d->n_published * 37;
    sum = add_text(sum * prime + servers_of(w), d->address);
    for (size_t i = 0; i < d->n_published; i++)
        sum = add_text(sum * prime + d->published[i].inside * 65536U + d->published[i].outside,
                       d->published[i].address);
    return sum * prime + network;
}

/* As servers_of. */
static bool only_of(const struct watch *w)
{
    return w->container.processes_known ? listener_only(&w->container) : w->place_only;
}

/* Whether the new place has the way that is gone now, of the same server: it is gone on. So is one
 * of which it could not be told, or cannot now, that leads there for certain. was: it listened
 * nowhere then. */
static bool goes_on(struct watch *w, const struct place *place, bool was)
{
    bool untold = w->place.server == FACT_NONE || place->server == FACT_NONE;
    bool leads = w->proves || w->place.ways[w->way].kind == WAY_PUBLISHED;
    bool same = w->place.server == place->server || (untold && leads && !was);
    for (size_t i = 0; w->place.n > 0 && same && i < place->n; i++)
        if (!memcmp(&w->place.ways[w->way], &place->ways[i], sizeof place->ways[i])) {
            w->way = i;
            return true;
        }
    return false;
}

static const double place_wait_max_s = 60;

/* True: it is to be asked elsewhere now, and what it answered is unknown. */
static bool find_place(struct watch *w, const struct sampler *sampler)
{
    struct place place;
    double now_s = clock_boottime_s();
    if (!w->container.processes_known) /* it was only found; the sample comes after this */
        watch_see_processes(w, sampler, now_s);
    enum network network = network_of(w);
    uint64_t of = place_of(w, network);
    bool same = w->place_known && w->place.n > 0 && w->place_of == of;
    w->place_due = false;
    w->place_of = of;
    w->place_servers = servers_of(w);
    w->place_only = only_of(w);
    bool was = w->absent;
    int r = place_find(sampler->procfs, &w->container, &w->details, network, &place);
    w->absent = w->container.processes_known && (r == -ESRCH || r == -ENOENT);
    w->place.full = place.full;
    w->place.no_server = place.no_server;
    /* It may begin to listen later, and nothing is asked whose failure would tell; or it is told
     * later whose list it is. */
    bool told = r == 0 && fact_known(place.server);
    w->place_wait_s = told ? 0 : w->place_wait_s <= 0 ? 1 : 2 * w->place_wait_s;
    if (w->place_wait_s > place_wait_max_s)
        w->place_wait_s = place_wait_max_s;
    w->place_retry_s = told ? INFINITY : now_s + w->place_wait_s;
    /* Nobody listens where somebody did: he is asked on, and his silence is told. */
    if (w->place_known && w->absent && w->place.n > 0)
        return false;
    /* It could not be seen: the same ones are asked on, and whose list it is nobody can tell. */
    if (same && r < 0 && r != -EPERM && r != -EHOSTUNREACH) {
        w->place.server = FACT_NONE;
        return false;
    }
    bool on = w->place_known && goes_on(w, &place, was);
    w->place = place;
    w->place_known = true;
    if (on)
        return false;
    if (w->client)
        watch_drop_client(w);
    w->way = w->tried = w->heard = 0;
    w->met = w->foreign = false;
    return true;
}

static bool is_its(void *userdata, const struct http_ends *ends)
{
    const struct watch *w = userdata;
    return connections_have(w->sense->procfs, watch_net_pid(w), ends);
}

static bool open_client(struct watch *w)
{
    const struct sampler *sampler = &w->sense->sampler;
    const struct way *way = &w->place.ways[w->way];
    int netns = 0;
    if (way->kind == WAY_INSIDE && (netns = place_enter(sampler->procfs, watch_net_pid(w))) <= 0)
        return false;
    if (ollama_client_new(sampler->http, way->address, way->port, &w->client) < 0) {
        w->client = NULL;
        if (netns > 0)
            close(netns);
        return false;
    }
    /* An address that a container gave itself, or that another network has too, proves nothing. */
    bool prove =
        way->kind == WAY_DIRECT && (w->container.processes_known || fact_known(w->place.server));
    w->proves = prove || way->kind == WAY_HERE || way->kind == WAY_INSIDE;
    ollama_client_meet(w->client, netns, prove ? is_its : NULL, w);
    return true;
}

/* A client for the next way, to the port at which somebody was heard; none, and the first way of
 * this round again, when all were tried. */
static bool next_way(struct watch *w)
{
    size_t n = ollama_client_works(w->client) ? 1 : w->place.n; /* it is not taken from a load */
    while (n > 1 && ++w->tried <= n) {
        w->way = (w->way + 1) % n;
        free_client(w);
        if (w->tried < n && (!w->heard || w->place.ways[w->way].inside == w->heard) &&
            open_client(w))
            return true;
    }
    return false;
}

static void fail(const struct watch *w, struct ollama *answer)
{
    const struct way *way = &w->place.ways[w->way];
    answer->reachable = false;
    answer->n_models = 0;
    answer->latency_ms = -1;
    snprintf(answer->error, sizeof answer->error,
             "who answers at %s, port %u, is not its server, which listens nowhere", way->address,
             (unsigned)way->port);
}

/* Whether nothing but its own end can be why nobody listens. Where no server runs, an entrypoint
 * may have ended it, and copies models before it starts the next: who waits for a disk, or may. */
static bool nobody_will(const struct watch *w)
{
    const struct container *c = &w->container;
    bool rests = fact_known(c->cgroup.disk_read);
    for (size_t i = 0; i < c->n_processes; i++)
        rests &= c->processes[i].state != 'D';
    return w->absent && (rests || !w->place.no_server);
}

bool watch_settle(struct watch *w, struct ollama *answer)
{
    const struct sampler *sampler = &w->sense->sampler;
    if (answer->reachable && w->absent) { /* has it begun to listen? */
        if (find_place(w, sampler))
            return false;
        if (w->absent)
            fail(w, answer);
    }
    if (answer->reachable)
        w->heard = w->place.ways[w->way].inside;
    w->met |= w->proves && ollama_client_met(w->client);
    w->foreign |= answer->foreign;
    if (w->tried == 0 || answer->foreign)
        snprintf(w->way_error, sizeof w->way_error, "%s", answer->error);
    if (!answer->reachable && !(answer->foreign && w->heard)) {
        if (next_way(w)) {
            sense_ask_ollama(w);
            return false;
        }
        if (find_place(w, sampler))
            return false;
        answer->foreign = w->foreign;
        answer->doubted = !w->met && !nobody_will(w) && !w->place.full;
        snprintf(answer->error, sizeof answer->error, "%s", w->way_error);
    }
    w->tried = 0;
    w->met = w->foreign = false;
    return true;
}

struct ollama_client *watch_client(struct watch *w, const struct sampler *sampler)
{
    w->not_asked[0] = '\0';
    if (w->container.status != STATUS_RUNNING || !container_is_ollama(&w->container)) {
        if (w->client)
            watch_drop_client(w);
        return NULL;
    }
    if (w->place_due || !w->place_known || w->place_of != place_of(w, network_of(w)) ||
        w->place_only != only_of(w) || clock_boottime_s() >= w->place_retry_s)
        find_place(w, sampler);
    snprintf(w->not_asked, sizeof w->not_asked, "%s", w->place.n ? "" : w->place.why);
    if (w->not_asked[0])
        snprintf(w->container.ollama.error, sizeof w->container.ollama.error, "%s", w->not_asked);
    if (!w->client && w->place.n > 0 && !open_client(w))
        next_way(w);
    return w->client;
}
