/* The Docker Engine API as far as the supervisor reads and calls it. All calls are asynchronous on
 * the loop; callbacks come exactly once. */
#ifndef SUPERVISOR_SENSE_DOCKER_H
#define SUPERVISOR_SENSE_DOCKER_H

#include "base/http.h"
#include "sense/world.h"

struct docker;

enum {
    DOCKER_API_MIN = 40,
    DOCKER_API_MAX = 52
}; /* 1.40 … 1.52: the versions this client speaks */

int docker_new(struct http *http, const char *socket_path, struct docker **ret_docker);
void docker_free(struct docker *docker); /* outstanding calls are cancelled, their callbacks run
                                            with -ECANCELED */

typedef void docker_done(void *userdata, int result,
                         const struct error *err); /* err only if result < 0 */

/* HEAD/GET /_ping, version = min(the engine's, ours). Every other call negotiates first if that was
 * not done, and again after docker_forget() (call it when the engine was away: it may have been
 * upgraded). err: socket missing, refused, not permitted: names the socket, its owner and mode, and
 * what to do (FAILURE_UNREACHABLE). */
void docker_ping(struct docker *docker, docker_done *done, void *userdata);
void docker_forget(struct docker *docker);
/* "1.41", "" before the first ping. */
const char *docker_api_version(const struct docker *docker);

struct docker_entry { /* a line of the list */
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE], image[CONTAINER_NAME_SIZE];
    struct pair *labels;
    size_t n_labels;
    enum container_status status;
    bool unread; /* it was too large, or no JSON: only id and name (or "") are known */
};
typedef void docker_entry_seen(void *userdata, const struct docker_entry *entry);
/* skipped: containers that were not understood, not even who they are. err with result 0: the list
 * had no end (skipped counts its rest as one). */
typedef void docker_listed(void *userdata, int result, size_t skipped, const struct error *err);
/* GET /containers/json?all=1, container by container as they come: seen for each, during whose call
 * the entry is valid, then done. */
void docker_list(struct docker *docker, docker_entry_seen *seen, docker_listed *done,
                 void *userdata);

enum { DOCKER_PUBLISHED_MAX = 4 };
struct docker_details { /* what inspect says and the world does not carry */
    fact memory, memory_swap, memory_reservation; /* HostConfig; bytes, 0 = none, memory_swap may be
                                                     -1 = unlimited (given as FACT_NONE) */
    char restart_policy[32];
    fact restart_max_retries;
    fact stop_timeout_s; /* Config.StopTimeout; unknown = the engine's default of 10 s */
    char address[64]; /* where Ollama answers from the host: a network's IPv4, "127.0.0.1" with host
                         networking, "" unknown */
    bool labels_cut;  /* it has more labels of any kind, or longer ones, than are given */
    bool host_network;
    bool start_failed;   /* it does not run, and its last start ended in an error (State.Error) */
    int64_t finished_ms; /* State.FinishedAt, Unix epoch; FACT_UNKNOWN: it never ended */
    bool gpu;      /* a GPU was handed to it: a device request, the runtime nvidia, /dev/kfd */
    uint16_t port; /* from OLLAMA_HOST in its environment, 11434 without; never published ports */
    bool joined;   /* it has no network of its own, but another container's */
    struct {
        uint16_t inside, outside; /* TCP */
        char address[64];         /* of the host, to reach it at */
    } published[DOCKER_PUBLISHED_MAX];
    size_t n_published;
};
typedef void docker_inspected(void *userdata, int result, const struct container *container,
                              const struct docker_details *details, const struct error *err);
/* GET /containers/{id or name}/json: fills id, name, image (Config.Image), labels, env (OLLAMA_ and
 * LLAMA_ARG_ only), status, health, started_at, restart_count, oom_killed, exit_code, pid (unknown
 * when 0), auto_remove, swarm_task (label com.docker.swarm.task.id). Valid during the callback.
 * result -ENOENT: no such container. */
void docker_inspect(struct docker *docker, const char *id, docker_inspected *done, void *userdata);

struct docker_event {
    char id[CONTAINER_ID_SIZE], action[48];
    int64_t time_ns; /* Unix epoch */
    fact exit_code, signal;
};
typedef void docker_event_seen(void *userdata, const struct docker_event *event);
typedef void docker_events_ended(void *userdata, int result, const struct error *err);
/* GET /events, a stream of container events start die stop kill oom update rename destroy restart
 * pause unpause create, and health_status, which the engine sends when a container's health became
 * another one (exact filter: no noise of each check). One stream at a time; ended is called once
 * when it breaks. */
void docker_events(struct docker *docker, docker_event_seen *seen, docker_events_ended *ended,
                   void *userdata);
void docker_events_stop(struct docker *docker);
typedef void docker_ring_read(void *userdata, int result, int64_t oldest_ns,
                              const struct error *err);
/* The engine's ring of the last 256 events, of all kinds: calls seen for each of a container, in
 * the order in which they came, then done. oldest_ns: the time of the ring's oldest event of
 * whatever kind (Unix epoch), 0: it has none. It holds nothing from before the engine's start.
 * -EMSGSIZE: some of them, or all together, are too large to be read. */
void docker_events_ring(struct docker *docker, docker_event_seen *seen, docker_ring_read *done,
                        void *userdata);

/* POST restart?t=. timeout_ms must exceed the grace: the client waits longer than the stop.
 * result: 0 = 204; -ENOENT; -EIO with the engine's words (HTTP 4xx/5xx:
 * refused, state unknown: look); -ECONNRESET/-ETIMEDOUT/… = the answer was lost: it may have been
 * carried out; -ECONNREFUSED/-ENOENT socket with err->failure UNREACHABLE = it was not sent. */
void docker_restart(struct docker *docker, const char *id, int64_t grace_s, long timeout_ms,
                    docker_done *done, void *userdata);
void docker_start(struct docker *docker, const char *id, docker_done *done,
                  void *userdata); /* 304 already started is success */
/* POST update with Memory, MemorySwap and the restart policy together. Bytes
 * > 0. */
void docker_update(struct docker *docker, const char *id, fact memory, fact memory_swap,
                   const char *restart_policy, fact max_retries, docker_done *done, void *userdata);
/* GET /containers/{id}/stats?stream=false&one-shot=true into the cgroup form: the fallback where
 * the cgroup cannot be reached (no swap there). */
typedef void docker_stats_read(void *userdata, int result, const struct cgroup_memory *memory,
                               const struct error *err);
void docker_stats(struct docker *docker, const char *id, docker_stats_read *done, void *userdata);

#endif
