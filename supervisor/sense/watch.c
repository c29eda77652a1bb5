#include "sense/watch.h"
#include "base/clock.h"
#include "sense/private.h"

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
    fact count, unread;
    bool known = w->place_known && w->place.n > 0;
    int r = connections_count(sampler->procfs, watch_net_pid(w),
                              known ? w->place.ways[w->way].inside : w->details.port, own, n,
                              &count, &unread);
    if (r == -ENOENT && known) /* nobody listens where he did: nobody is a client */
        count = unread = 0;
    if (r == 0 || (r == -ENOENT && known)) {
        w->container.connections = count;
        w->container.unread = unread;
    }
    connections_of_runners(sampler->procfs, watch_net_pid(w), w->container.processes,
                           w->container.n_processes);
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
    c->connections = c->unread = c->received = FACT_UNKNOWN;
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
    if (w->alone)
        received_read(sampler->procfs, c->pid, &c->received);
    else
        c->received = FACT_NONE; /* who knows for whom that was */
    if (connections && c->processes_known)
        read_connections(w, sampler);
}

void watch_see_processes(struct watch *w, const struct sampler *sampler, double now_s)
{
    if (!w->cgroup)
        open_cgroup(w, sampler, now_s);
    if (w->cgroup)
        read_processes(w, sampler, now_s);
}

enum { PAIR_BYTES = 48 }; /* what each costs beside its text */

struct keeping {
    struct pair kept[WORLD_PAIRS_MAX];
    size_t n, bytes, bytes_max;
};

static bool keep_pair(struct keeping *keeping, const struct pair *pair)
{
    size_t value = strlen(pair->value), more = PAIR_BYTES + strlen(pair->key) + value;
    if (value > VALUE_KEPT_MAX || keeping->bytes + more > keeping->bytes_max)
        return false;
    keeping->bytes += more;
    keeping->kept[keeping->n++] = *pair;
    return true;
}

/* A copy of what is read here. What chooses a container and its mode comes first. */
static int take_copy(const struct container *from, const char *label, bool any_cut,
                     struct container *copy)
{
    static const char ours[] = "supervisor.";
    struct keeping labels = {.bytes_max = LABELS_KEPT_MAX}, env = {.bytes_max = ENV_KEPT_MAX};
    /* One that chooses it and is none of ours may be among what was cut. */
    bool cut = from->labels_cut ||
               (any_cut && strncmp(label, ours, sizeof ours - 1) && !container_label(from, label));
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < from->n_labels; i++) {
            const char *key = from->labels[i].key;
            bool first = !strcmp(key, label) || !strcmp(key, "supervisor.mode");
            if (pass == 0 ? first : !first && !strncmp(key, ours, sizeof ours - 1))
                cut |= !keep_pair(&labels, &from->labels[i]);
        }
    }
    for (size_t i = 0; i < from->n_env; i++)
        keep_pair(&env, &from->env[i]);
    struct container lean = *from;
    lean.labels = labels.kept;
    lean.n_labels = labels.n;
    lean.labels_cut = cut;
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
    if (take_copy(from, label, details->labels_cut, &fresh) < 0)
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
        w->cgroup_retry_s = w->cgroup_pause_s = 0;
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
        watch_drop_client(w);
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
