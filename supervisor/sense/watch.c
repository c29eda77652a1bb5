#include "sense/watch.h"
#include "base/clock.h"
#include "sense/private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OWN_PORTS_MAX = 64 };

/* A process in the network namespace of its server, also when that is gone. */
static fact net_pid(const struct watch *w)
{
    const struct container *c = &w->container;
    for (size_t i = 0; w->place_known && i < c->n_processes; i++)
        if (c->processes[i].pid == w->place.net_pid)
            return c->processes[i].pid;
    return c->pid;
}

static void read_connections(struct watch *w, const struct sampler *sampler)
{
    uint16_t ports[OWN_PORTS_MAX];
    struct own_port own[OWN_PORTS_MAX];
    size_t n = http_local_ports(sampler->http, ports, OWN_PORTS_MAX);
    for (size_t i = 0; i < n; i++)
        own[i].port = ports[i];
    fact count;
    bool known = w->place_known && w->place.n > 0;
    int r =
        connections_count(sampler->procfs, net_pid(w),
                          known ? w->place.ways[w->way].inside : w->details.port, own, n, &count);
    if (r == -ENOENT && known) /* nobody listens where he did: nobody is a client */
        count = 0;
    if (r == 0 || (r == -ENOENT && known))
        w->container.connections = count;
}

static void open_cgroup(struct watch *w, const struct sampler *sampler, double now_s)
{
    struct error err = {0};
    if (now_s < w->cgroup_retry_s)
        return;
    w->cgroup_retry_s = now_s + 1;
    int r = cgroup_open(sampler->cgroupfs, w->container.id, w->container.pid, &w->cgroup, &err);
    if (r == -ESRCH) /* found, but not that process: the pid is of another namespace or the life
                        just changed */
        snprintf(w->cgroup_error, sizeof w->cgroup_error, "%s", err.message);
    else
        snprintf(w->cgroup_error, sizeof w->cgroup_error, "%s", r < 0 ? err.message : "");
}

enum { PIDS_MAX = WORLD_PROCESSES_MAX };

static void read_processes(struct watch *w, const struct sampler *sampler, double now_s)
{
    struct container *c = &w->container;
    int64_t pids[PIDS_MAX];
    int n = cgroup_pids(w->cgroup, pids, PIDS_MAX);
    if (n < 0 || processes_read(sampler->procfs, sampler->processes, pids, (size_t)n, c) < 0) {
        c->processes_known = false;
        return;
    }
    /* Without the host's pids (no pid: host) the numbers in cgroup.procs are 0 or name nothing
     * here. */
    bool main_seen = false;
    for (size_t i = 0; i < c->n_processes; i++) {
        if (c->processes[i].pid != c->pid)
            continue;
        main_seen = true;
        if (fact_known(c->processes[i].started_us))
            w->main_started_us = c->processes[i].started_us;
        if (c->uptime_s < 0 && fact_known(c->processes[i].started_us))
            c->uptime_s = now_s - (double)c->processes[i].started_us / 1e6;
    }
    c->processes_known = main_seen;
}

void watch_sample(struct watch *w, const struct sampler *sampler, double now_s)
{
    struct container *c = &w->container;
    w->due = false;
    w->sampled = true;
    w->sampled_s = now_s;
    bool connections = w->want_connections;
    w->want_connections = false;
    if (connections)
        w->connections_s = now_s;
    c->connections = c->received = FACT_UNKNOWN;
    c->uptime_s = -1;
    if (c->status != STATUS_RUNNING || !fact_known(c->pid)) {
        cgroup_memory_init(&c->cgroup);
        c->processes_known = false;
        c->n_processes = 0;
        return;
    }
    if (!w->cgroup)
        open_cgroup(w, sampler, now_s);
    if (w->cgroup && cgroup_read(w->cgroup, &c->cgroup) < 0) {
        cgroup_close(w->cgroup);
        w->cgroup = NULL;
    }
    if (!w->cgroup) {
        if (!w->stats_pending && c->cgroup.inode != FACT_UNKNOWN)
            cgroup_memory_init(&c->cgroup);
        c->processes_known = false;
        return;
    }
    read_processes(w, sampler, now_s);
    if (w->alone)
        received_read(sampler->procfs, c->pid, &c->received);
    else
        c->received = FACT_NONE; /* who knows for whom that was */
    if (connections && c->processes_known)
        read_connections(w, sampler);
}

static void drop_client(struct watch *w)
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
    if (!w->container.processes_known) { /* it was only found; the sample comes after this */
        if (!w->cgroup)
            open_cgroup(w, sampler, now_s);
        if (w->cgroup)
            read_processes(w, sampler, now_s);
    }
    w->place_due = false;
    w->place_of = place_of(w);
    int r = place_find(sampler->procfs, &w->container, &w->details, network_of(w, sampler), &place);
    /* Nobody listens where somebody did: he is asked on, and his silence is told. */
    if ((r == -ESRCH || r == -ENOENT) && w->place_known && w->place.n > 0)
        return;
    if (!w->place_known || !same_place(&w->place, &place)) {
        if (w->client)
            drop_client(w);
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
    drop_client(w);
    return true;
}

struct ollama_client *watch_client(struct watch *w, const struct sampler *sampler)
{
    w->not_asked[0] = '\0';
    if (w->container.status != STATUS_RUNNING || !container_is_ollama(&w->container)) {
        if (w->client)
            drop_client(w);
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

bool watch_take(struct watch *w, const struct container *from, const struct docker_details *details)
{
    struct container *c = &w->container;
    bool new_life =
        strcmp(c->started_at, from->started_at) || strcmp(c->id, from->id) || c->pid != from->pid;
    bool changed = new_life || c->status != from->status || strcmp(c->name, from->name) ||
                   w->details.memory != details->memory ||
                   w->details.memory_swap != details->memory_swap;
    struct container fresh;
    if (container_copy(&fresh, from) < 0)
        return false;
    /* What inspect does not say stays as it was sampled. */
    fresh.cgroup = c->cgroup;
    fresh.processes = c->processes;
    fresh.n_processes = c->n_processes;
    fresh.processes_known = c->processes_known;
    fresh.ollama = c->ollama;
    fresh.baseline = c->baseline;
    fresh.uptime_s = c->uptime_s;
    c->processes = NULL;
    c->ollama = (struct ollama){0};
    container_clear(c);
    *c = fresh;
    w->details = *details;
    w->alone = !details->host_network && !details->joined;
    w->due |= changed;
    if (new_life) {
        cgroup_close(w->cgroup);
        w->cgroup = NULL;
        w->cgroup_retry_s = 0;
        w->cgroup_error[0] = 0;
        cgroup_memory_init(&c->cgroup);
        c->processes_known = false;
        c->n_processes = 0;
        c->uptime_s = -1;
        c->baseline = FACT_UNKNOWN;
        w->main_started_us = 0;
        w->place_known = false;
        w->place_wait_s = 0;
        w->network = FACT_UNKNOWN;
        drop_client(w);
    }
    return changed;
}

/* Whether the main process that was seen in this life is gone for certain. */
static bool main_gone(const struct watch *w, const struct sampler *sampler)
{
    struct process process;
    int r = process_read(sampler->procfs, w->container.pid, &process);
    return r == -ESRCH ||
           (r == 0 && (process.state == 'Z' || process.started_us != w->main_started_us));
}

bool watch_left_alone(struct watch *w, const struct sampler *sampler)
{
    struct container *c = &w->container;
    if (c->status != STATUS_RUNNING)
        return false;
    bool seen = w->main_started_us > 0, ended = seen && main_gone(w, sampler);
    if (ended)
        c->status = STATUS_EXITED, c->exit_code = c->oom_killed = FACT_UNKNOWN;
    else if (!seen)
        c->status = STATUS_UNKNOWN;
    return ended;
}

bool watch_died(struct watch *w, const struct sampler *sampler, const struct docker_event *event)
{
    static const int64_t oom_ns = 5000000000; /* a victim that is the main process ends at once */
    struct container *c = &w->container;
    if (c->status != STATUS_RUNNING || w->main_started_us <= 0 || !main_gone(w, sampler))
        return false;
    c->status = STATUS_EXITED;
    c->exit_code = event->exit_code;
    c->oom_killed = w->oom_ns > 0 && event->time_ns - w->oom_ns < oom_ns ? 1 : FACT_UNKNOWN;
    return true;
}

void watch_answer(struct watch *w, const struct ollama *answer, uint64_t sent_ns)
{
    struct ollama *o = &w->container.ollama;
    free(o->models);
    *o = *answer;
    o->server = w->place.server;
    w->heard |= answer->reachable;
    o->models = NULL;
    if (answer->n_models) {
        o->models = malloc(answer->n_models * sizeof *o->models);
        if (o->models)
            memcpy(o->models, answer->models, answer->n_models * sizeof *o->models);
        else
            o->n_models = 0, o->reachable = false; /* unknown, never empty */
    }
    w->answer_sent_ns = sent_ns;
    w->answered_once = true;
}

void watch_free(struct watch *w)
{
    if (!w)
        return;
    ollama_client_free(w->client);
    cgroup_close(w->cgroup);
    container_clear(&w->container);
    free(w);
}
