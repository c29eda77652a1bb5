/* Follows the engine and its Ollama containers and samples each once an interval: the one place
 * where a world is made. A look between that, because something happened to one of them, samples
 * only that one; of the others it has the last sample (age_s). Events are hints, inspect decides
 * Nothing is changed from here. */
#ifndef SUPERVISOR_SENSE_SENSE_H
#define SUPERVISOR_SENSE_SENSE_H

#include "base/config.h"
#include "base/log.h"
#include "sense/docker.h"
#include "sense/ollama.h"

struct sense;

/* So many containers are followed at one time; of more those that matter most (sense/roster.h),
 * which is said. One costs some 20 KiB, and with the most that is kept of what others say 36. */
enum { SENSE_CONTAINERS_MAX = 256 };

enum sense_note {
    NOTE_ENGINE_LOST, /* once; text says why */
    NOTE_ENGINE_BACK,
    NOTE_FOUND,   /* a container came under supervision */
    NOTE_GONE,    /* it was removed; or, with a text, gave way to another one */
    NOTE_STARTED, /* a new StartedAt */
    NOTE_DIED,    /* it runs no longer; text has the exit code */
    NOTE_OLLAMA_LOST,
    NOTE_OLLAMA_BACK,
    NOTE_CGROUP_LOST, /* its cgroup cannot be read: the engine's stats stand in; text says why */
    NOTE_LABEL_BAD,
    NOTE_UNREAD,   /* what the engine says of a container, or of some of its list, cannot be read */
    NOTE_TOO_MANY, /* more containers than SENSE_CONTAINERS_MAX; text says how many are left out */
    NOTES
};

struct note_kind {     /* how each is called */
    const char *event; /* in the history */
    enum log_level level;
    const char *msg; /* in the log */
};
extern const struct note_kind note_kinds[NOTES];

struct sense_callbacks {
    /* One look at everything. The world is valid during the call (its
     * containers' strings belong to what is followed); a learned baseline may be filled in. */
    void (*look)(void *userdata, struct world *world);
    /* container may be NULL. */
    void (*note)(void *userdata, enum sense_note note, const struct container *container,
                 const char *text);
    void *userdata;
};

struct sense_options {
    uv_loop_t *loop;
    struct http *http;
    struct docker *docker;
    const struct config *config;
    const char *named; /* a container (name or id prefix) that the command line named: looked at
                          whatever its labels; NULL: none */
    struct sense_callbacks callbacks;
};

int sense_new(const struct sense_options *options, struct sense **ret_sense);
/* Begins: ping, list, inspect, events; then a look at once and one every interval. */
int sense_start(struct sense *sense, struct error *err);
/* No callback comes after this. Order at the end: sense_stop, docker_free, sense_free, http_free,
 * then the loop turns until it is empty. */
void sense_stop(struct sense *sense);
void sense_free(struct sense *sense);

/* true once the engine was listed and every running container's Ollama answered or failed to. */
bool sense_settled(const struct sense *sense);
/* The GPUs were looked for, or that takes too long to wait for (a driver that wakes up, or hangs).
 */
bool sense_gpus_known(const struct sense *sense);
/* The engine was reached at least once and is reachable now. */
bool sense_engine_up(const struct sense *sense);
/* Why the engine is not reached; "" if it is. */
const struct error *sense_engine_error(const struct sense *sense);

/* The connections of this container (64-hex id) are read with its next sample, which is made at
 * once where the last reading is old. */
void sense_want_connections(struct sense *sense, const char *id);

typedef void sense_fresh_done(void *userdata, int result);
/* Everything about one container is read anew: inspect, Ollama's answer, then a look with
 * connections; done is called right after that look's callback. result: 0, -ENOENT (the container
 * is gone), -ECANCELED. */
int sense_fresh(struct sense *sense, const char *id, sense_fresh_done *done, void *userdata);
/* The same without Ollama's answer, for what does not rest on it. */
int sense_fresh_memory(struct sense *sense, const char *id, sense_fresh_done *done, void *userdata);
/* Ends the fresh look of that userdata, where it is under way there, with -ECANCELED. */
void sense_fresh_cancel(struct sense *sense, const char *id, const void *userdata);
/* Asks this container's Ollama for its models now, unless a question is under way or it rests: a
 * look soon has the answer. 0; -ENOENT: there is no such container; -ENOTCONN: nobody to ask. */
int sense_poll_now(struct sense *sense, const char *id);
/* A look now, in which this container (64-hex id) is sampled; NULL: nobody is, and nothing happens
 * if the last look's world still holds. */
void sense_look_now(struct sense *sense, const char *id);
/* SIGHUP: interval, poll, labels and modes are taken anew. */
void sense_settings_changed(struct sense *sense);

/* What the last inspect said; NULL for an unknown id. Valid until the loop turns. */
const struct container *sense_container(const struct sense *sense, const char *id);
const struct docker_details *sense_details(const struct sense *sense, const char *id);
struct ollama_client *sense_ollama(const struct sense *sense, const char *id);
/* The container's cgroup directory and whether memory.high can be written there; NULL unknown. */
const char *sense_cgroup_path(const struct sense *sense, const char *id);
bool sense_cgroup_writable(const struct sense *sense, const char *id);

#endif
