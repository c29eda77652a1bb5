/* One container under supervision: what was last seen of it and how to see it again. Private to
 * sense/sense.c and sense/watch.c. */
#ifndef SUPERVISOR_SENSE_WATCH_H
#define SUPERVISOR_SENSE_WATCH_H

#include "sense/cgroup.h"
#include "sense/docker.h"
#include "sense/place.h"
#include "sense/process.h"
#include "sense/sense.h"
#include "sense/signals.h"

/* What is kept of a container's labels, and of its environment: all the labels that there are of
 * ours have 2 KiB. */
enum { LABELS_KEPT_MAX = 4096, ENV_KEPT_MAX = 2048, VALUE_KEPT_MAX = 512 };

struct watch {
    struct sense *sense;
    struct container container; /* owned */
    struct docker_details details;
    double interval_s, poll_s; /* as they hold for it */
    struct cgroup *cgroup;     /* NULL: not open */
    char cgroup_error[512];
    double cgroup_retry_s, cgroup_pause_s; /* boottime: not before; how long, longer each time */
    bool stats_pending, stats_due, cgroup_said;
    struct ollama_client *client;
    struct place place;          /* where its Ollama listens, as it was last found in this life; */
    uint64_t place_of;           /* of which servers and which of the engine's words, */
    uint64_t place_servers;      /* of which servers alone, */
    bool place_only;             /* listener_only then, */
    bool place_known, place_due; /* and whether it must be looked for again, */
    double place_retry_s, place_wait_s; /* or when (boottime), and how long that was waited for */
    bool alone;                         /* the network namespace is its own */
    fact network;                       /* place_network of its main process, */
    bool on_host;                       /* and that is the host's */
    bool absent;                        /* as its place was last looked for, it listens nowhere */
    size_t way;                         /* which of the place's ways the client goes; */
    size_t tried;                       /* how many have failed since an answer was taken, */
    bool proves, met;        /* whether who is connected there is its server; one of these was, */
    bool foreign;            /* or one answered as no Ollama does */
    uint16_t heard;          /* at which port there somebody answered as Ollama does; 0: not yet */
    char not_asked[160];     /* why its Ollama may not be asked; "" */
    char way_error[160];     /* what went wrong on the first of the ways that were tried */
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
    uint64_t inspect_turn; /* when it was inspected last: sense->inspect_turn then; 0: never */
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
/* Its processes, before its first sample; processes_known says whether that could be. */
void watch_see_processes(struct watch *watch, const struct sampler *sampler, double now_s);
/* Takes Ollama's answer (deep copy). */
void watch_answer(struct watch *watch, const struct ollama *answer, uint64_t sent_ns);
/* The client for where its server listens; NULL where nobody can be asked (not_asked) or it does
 * not run. That is looked for when its servers, the engine's words or the kind of its network are
 * others than before, before a remedy, and after a question that got no answer. */
struct ollama_client *watch_client(struct watch *watch, const struct sampler *sampler);
/* An answer came, or none. False: it is not the last word. The place's next way is asked, or it
 * listens elsewhere now, which is asked with the next tick. True: answer is to be taken. Silence on
 * all ways is its server's own where one of them met it by a connection that its own namespace has
 * too, where it was looked for and listens nowhere (where no server runs: while it is known what is
 * read from disks and nobody waits for one), and where connections wait that it does not accept;
 * else it is doubted. Who answers where it listens nowhere is somebody else. */
bool watch_settle(struct watch *watch, struct ollama *answer);
/* Nobody is asked any more, and what he answered is unknown. */
void watch_drop_client(struct watch *watch);
/* A process in the network namespace of its server, also when that is gone. */
fact watch_net_pid(const struct watch *watch);
void watch_free(struct watch *watch);

#endif
