/* Where a container's Ollama is asked: its place is looked for, and its ways are tried in turn. */
#include "base/clock.h"
#include "sense/private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void watch_drop_client(struct watch *w)
{
    ollama_client_free(w->client);
    w->client = NULL;
    free(w->container.ollama.models);
    w->container.ollama = (struct ollama){.latency_ms = -1, .server = FACT_UNKNOWN};
    w->answered_once = false;
    w->poll_due_s = 0;
}

/* The servers and the engine's words that a place follows from. */
static uint64_t place_of(const struct watch *w)
{
    const struct container *c = &w->container;
    const struct docker_details *d = &w->details;
    uint64_t sum = (uint64_t)c->pid + d->port * 31 + d->n_published * 37 + c->processes_known;
    for (size_t i = 0; i < c->n_processes; i++)
        if (container_server(c, &c->processes[i]))
            sum = sum * 1099511628211 + (uint64_t)c->processes[i].pid * 2654435761 +
                  (uint64_t)c->processes[i].started_us;
    for (const char *at = d->address; *at; at++)
        sum = sum * 1099511628211 + (unsigned char)*at;
    return sum;
}

static bool has_server(const struct watch *w)
{
    for (size_t i = 0; i < w->container.n_processes; i++)
        if (container_server(&w->container, &w->container.processes[i]))
            return true;
    return false;
}

static enum network network_of(struct watch *w, const struct sampler *sampler)
{
    if (w->details.host_network)
        return NETWORK_SHARED;
    w->network = place_network(sampler->procfs, w->container.pid);
    for (size_t i = 0; fact_known(w->network) && i < w->sense->n; i++) {
        const struct watch *other = w->sense->watches[i];
        if (other != w && other->container.status == STATUS_RUNNING &&
            other->network == w->network && has_server(other))
            return NETWORK_SHARED;
    }
    return w->details.joined ? NETWORK_JOINED : NETWORK_OWN;
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->server == b->server && a->started_us == b->started_us && a->n == b->n &&
           !memcmp(a->ways, b->ways, sizeof a->ways);
}

static const double place_wait_max_s = 60;

static void find_place(struct watch *w, const struct sampler *sampler)
{
    struct place place;
    double now_s = clock_boottime_s();
    if (!w->container.processes_known) /* it was only found; the sample comes after this */
        watch_see_processes(w, sampler, now_s);
    w->place_due = false;
    w->place_of = place_of(w);
    int r = place_find(sampler->procfs, &w->container, &w->details, network_of(w, sampler), &place);
    /* Nobody listens where somebody did: he is asked on, and his silence is told. */
    if ((r == -ESRCH || r == -ENOENT) && w->place_known && w->place.n > 0)
        return;
    if (!w->place_known || !same_place(&w->place, &place)) {
        if (w->client)
            watch_drop_client(w);
        w->way = 0;
        w->heard = false;
        w->place = place;
        w->place_known = true;
    }
    /* It may begin to listen later, and nothing is asked whose failure would tell. */
    w->place_wait_s = place.n > 0 ? 0 : w->place_wait_s <= 0 ? 1 : 2 * w->place_wait_s;
    if (w->place_wait_s > place_wait_max_s)
        w->place_wait_s = place_wait_max_s;
    w->place_retry_s = place.n > 0 ? INFINITY : now_s + w->place_wait_s;
}

static bool is_its(void *userdata, uint16_t local_port)
{
    const struct watch *w = userdata;
    return listener_has(w->sense->procfs, w->place.net_pid, w->place.ways[w->way].inside,
                        local_port);
}

static void open_client(struct watch *w, const struct sampler *sampler)
{
    const struct way *way = &w->place.ways[w->way];
    int netns = 0;
    if (way->kind == WAY_INSIDE && (netns = place_enter(sampler->procfs, &w->place)) <= 0)
        return;
    if (ollama_client_new(sampler->http, way->address, way->port, &w->client) < 0) {
        w->client = NULL;
        if (netns > 0)
            close(netns);
        return;
    }
    /* An address that a container gave itself, or that another network has too, proves nothing. */
    bool prove = way->kind == WAY_DIRECT && w->container.processes_known;
    ollama_client_meet(w->client, netns, prove ? is_its : NULL, w);
}

bool watch_next_way(struct watch *w, bool foreign)
{
    bool met = w->client && ollama_client_met(w->client) && !foreign;
    if (!w->client || w->heard || met || w->way + 1 >= w->place.n)
        return false;
    w->way++;
    watch_drop_client(w);
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
    if (w->place_due || !w->place_known || w->place_of != place_of(w) ||
        clock_boottime_s() >= w->place_retry_s)
        find_place(w, sampler);
    snprintf(w->not_asked, sizeof w->not_asked, "%s", w->place.n ? "" : w->place.why);
    if (w->not_asked[0])
        snprintf(w->container.ollama.error, sizeof w->container.ollama.error, "%s", w->not_asked);
    if (!w->client && w->place.n > 0)
        open_client(w, sampler);
    return w->client;
}
