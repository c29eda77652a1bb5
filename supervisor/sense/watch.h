/* One container under supervision: what was last seen of it and how to see it again. Private to
 * sense/sense.c and sense/watch.c. */
#ifndef SUPERVISOR_SENSE_WATCH_H
#define SUPERVISOR_SENSE_WATCH_H

#include "sense/cgroup.h"
#include "sense/docker.h"
#include "sense/process.h"
#include "sense/sense.h"
#include "sense/signals.h"

struct watch {
    struct sense *sense;
    struct container container; /* owned */
    struct docker_details details;
    struct settings settings;
    struct cgroup *cgroup; /* NULL: not open */
    char cgroup_error[512];
    double cgroup_retry_s, cgroup_pause_s; /* boottime: not before; how long, longer each time */
    bool stats_pending, stats_due, cgroup_said;
    struct ollama_client *client;
    char not_asked[160]; /* why its Ollama may not be asked; "" */
    char client_address[64];
    uint16_t client_port;
    uint64_t answer_sent_ns; /* uv_hrtime */
    double poll_due_s;
    bool due;             /* it is sampled anew with the next look */
    bool sampled;         /* ever */
    double sampled_s;     /* boottime */
    double connections_s; /* boottime: when they were last read, or could not be */
    double rest_s;        /* after what it answered last; 0: it may be asked */
    bool answered_once, lost;
    bool here; /* it has, or had, a cgroup on this host */
    bool want_connections, inspecting, inspect_again, inspect_due, named, listed;
    bool refreshing, refresh_inspected, refresh_polled; /* a fresh look under way */
    fact main_started_us;     /* of its main process as last seen; 0: not seen in this life */
    int64_t oom_ns;           /* when the engine told of an OOM kill there; wall clock, 0: never */
    double followed_s;        /* boottime: its events are taken since then */
    struct signals signals;   /* as the stream of events told them */
    uint64_t refresh_from_ns; /* an answer to an older question does not count for it */
    sense_fresh_done *fresh_done;
    void *fresh_userdata;
};

struct sampler { /* what all containers share */
    const char *procfs, *cgroupfs;
    struct process_memory *processes;
    struct http *http;
};

/* Reads cgroup, processes, received bytes and (if wanted) connections into watch->container. now_s:
 * boottime. */
void watch_sample(struct watch *watch, const struct sampler *sampler, double now_s);
/* Takes what inspect said; a new StartedAt drops all that was known of the old life. Of its labels
 * `label`, which chooses containers, and ours are kept. Returns whether something that matters
 * changed. */
bool watch_take(struct watch *watch, const struct container *container,
                const struct docker_details *details, const char *label);
/* Takes the engine's word that it died, where the kernel bears it out: its main process, seen by
 * watch_sample before, is gone. The engine says so at once, but answers an inspect only when it has
 * taken the network down (40 to 100 ms). False: only inspect can tell. */
bool watch_died(struct watch *watch, const struct sampler *sampler,
                const struct docker_event *event);
/* While the engine is away nobody says whether a container still runs but its main process: one
 * that was seen by watch_sample and is gone has ended, with an unknown exit code (true, once);
 * where none was seen the status is unknown until the engine is back. */
bool watch_left_alone(struct watch *watch, const struct sampler *sampler);
/* Takes Ollama's answer (deep copy). */
void watch_answer(struct watch *watch, const struct ollama *answer, uint64_t sent_ns);
/* The client for the address and port of the last inspect; NULL where the address is unknown or it
 * does not run. */
struct ollama_client *watch_client(struct watch *watch, const struct sampler *sampler);
void watch_free(struct watch *watch);

#endif
