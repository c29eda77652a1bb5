#include "sense/watch.h"
#include "sense/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_PORTS_MAX = 64 };

static void read_connections(struct watch *w, const struct sampler *sampler)
{
    uint16_t ports[OWN_PORTS_MAX];
    struct own_port own[OWN_PORTS_MAX];
    size_t n = http_local_ports(sampler->http, ports, OWN_PORTS_MAX);
    for (size_t i = 0; i < n; i++)
        own[i].port = ports[i];
    fact count;
    if (!connections_count(sampler->procfs, w->container.pid, w->details.port, own, n, &count))
        w->container.connections = count;
}

static void open_cgroup(struct watch *w, const struct sampler *sampler, double now_s)
{
    static const double pause_max_s = 32; /* a search may visit all the cgroups that there are */
    struct error err = {0};
    if (now_s < w->cgroup_retry_s)
        return;
    w->cgroup_pause_s = w->cgroup_pause_s > 0 ? 2 * w->cgroup_pause_s : 1;
    if (w->cgroup_pause_s > pause_max_s)
        w->cgroup_pause_s = pause_max_s;
    w->cgroup_retry_s = now_s + w->cgroup_pause_s;
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
    w->here |= w->cgroup != NULL;
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
    received_read(sampler->procfs, c->pid, &c->received);
    if (connections && c->processes_known)
        read_connections(w, sampler);
}

static void drop_client(struct watch *w)
{
    ollama_client_free(w->client);
    w->client = NULL;
    free(w->container.ollama.models);
    w->container.ollama = (struct ollama){.latency_ms = -1};
    w->answered_once = false;
    w->poll_due_s = 0;
}

/* On the host's network a port may be anybody's: only one of its own is asked, or a container could
 * have us ask, and unload, at another's. Where nobody listens there is nobody to be asked in error.
 */
static bool own_port(struct watch *w, const struct sampler *sampler)
{
    const struct container *c = &w->container;
    int64_t pids[1 + PIDS_MAX];
    size_t n = 0;
    if (!w->details.host_network)
        return true;
    pids[n++] = c->pid;
    for (size_t i = 0; i < c->n_processes && n <= PIDS_MAX; i++)
        pids[n++] = c->processes[i].pid;
    int r = fact_known(c->pid) ? listener_own(sampler->procfs, pids, n, w->details.port) : -ESRCH;
    if (r == -EPERM)
        snprintf(w->not_asked, sizeof w->not_asked,
                 "port %u of the host's network is not, or not only, the container's own",
                 (unsigned)w->details.port);
    else if (r < 0 && r != -ENOENT && r != -ESRCH)
        snprintf(w->not_asked, sizeof w->not_asked,
                 "it cannot be seen whose port %u of the host's network is: %s%s",
                 (unsigned)w->details.port, strerror(-r),
                 r == -EACCES ? " (it needs the capability SYS_PTRACE)" : "");
    return r == 0 || r == -ENOENT;
}

struct ollama_client *watch_client(struct watch *w, const struct sampler *sampler)
{
    w->not_asked[0] = '\0';
    bool running = w->container.status == STATUS_RUNNING && w->details.address[0] &&
                   container_is_ollama(&w->container) && own_port(w, sampler);
    bool same = !strcmp(w->client_address, w->details.address) && w->client_port == w->details.port;
    if (w->client && (!running || !same))
        drop_client(w);
    if (w->not_asked[0])
        snprintf(w->container.ollama.error, sizeof w->container.ollama.error, "%s", w->not_asked);
    if (!w->client && running) {
        snprintf(w->client_address, sizeof w->client_address, "%s", w->details.address);
        w->client_port = w->details.port;
        if (ollama_client_new(sampler->http, w->client_address, w->client_port, &w->client) < 0)
            w->client = NULL;
    }
    return w->client;
}

/* What is kept of a container's labels, and of its environment, with what each costs beside its
 * text: all the labels that there are of ours have 2 KiB. */
enum { LABELS_KEPT_MAX = 4096, ENV_KEPT_MAX = 2048, VALUE_KEPT_MAX = 512, PAIR_BYTES = 48 };

struct keeping {
    struct pair kept[WORLD_PAIRS_MAX];
    size_t n, bytes, bytes_max;
};

static void keep_pair(struct keeping *keeping, const struct pair *pair)
{
    size_t value = strlen(pair->value), more = PAIR_BYTES + strlen(pair->key) + value;
    if (value > VALUE_KEPT_MAX || keeping->bytes + more > keeping->bytes_max)
        return;
    keeping->bytes += more;
    keeping->kept[keeping->n++] = *pair;
}

/* A copy of what is read here. What chooses a container and its mode comes first. */
static int take_copy(const struct container *from, const char *label, struct container *copy)
{
    static const char ours[] = "supervisor.";
    struct keeping labels = {.bytes_max = LABELS_KEPT_MAX}, env = {.bytes_max = ENV_KEPT_MAX};
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < from->n_labels; i++) {
            const char *key = from->labels[i].key;
            bool first = !strcmp(key, label) || !strcmp(key, "supervisor.mode");
            if (pass == 0 ? first : !first && !strncmp(key, ours, sizeof ours - 1))
                keep_pair(&labels, &from->labels[i]);
        }
    }
    for (size_t i = 0; i < from->n_env; i++)
        keep_pair(&env, &from->env[i]);
    struct container lean = *from;
    lean.labels = labels.kept;
    lean.n_labels = labels.n;
    lean.env = env.kept;
    lean.n_env = env.n;
    return container_copy(copy, &lean);
}

bool watch_take(struct watch *w, const struct container *from, const struct docker_details *details,
                const char *label)
{
    struct container *c = &w->container;
    bool new_life =
        strcmp(c->started_at, from->started_at) || strcmp(c->id, from->id) || c->pid != from->pid;
    bool changed = new_life || c->status != from->status || strcmp(c->name, from->name) ||
                   w->details.memory != details->memory ||
                   w->details.memory_swap != details->memory_swap;
    struct container fresh;
    if (take_copy(from, label, &fresh) < 0)
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
    w->due |= changed;
    if (new_life) {
        cgroup_close(w->cgroup);
        w->cgroup = NULL;
        w->cgroup_retry_s = w->cgroup_pause_s = 0;
        w->cgroup_error[0] = 0;
        cgroup_memory_init(&c->cgroup);
        c->processes_known = false;
        c->n_processes = 0;
        c->uptime_s = -1;
        c->baseline = FACT_UNKNOWN;
        w->main_started_us = 0;
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
