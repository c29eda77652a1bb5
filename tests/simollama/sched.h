/* Who may use which model when: Ollama's scheduler (server/sched.go). Loads go one at a time in the
 * order of their requests; a request for a loaded model with the same context passes them. */
#ifndef SIMOLLAMA_SCHED_H
#define SIMOLLAMA_SCHED_H

#include "loop.h"
#include "models.h"

#define SCHED_QUEUE_MAX   512 /* OLLAMA_MAX_QUEUE's default */
#define SCHED_RUNNERS_MAX 3   /* OLLAMA_MAX_LOADED_MODELS's default without GPUs */

enum runner_state {
    RUNNER_LOADING,
    RUNNER_LOADED,
    RUNNER_DEAD,   /* died by itself: stays listed until the next request or its time is over */
    RUNNER_KILLED, /* by us, not reaped yet */
};

struct ticket;

struct runner {
    struct runner *next;
    struct model model; /* as it was when loaded */
    uint64_t context, anon_bytes;
    enum runner_state state;
    pid_t pid;
    uint16_t port;
    unsigned refs;
    int64_t keep_ns;          /* how long it stays after its last request */
    int64_t idle_since_ns;    /* wall clock; 0: no request has ended yet */
    int64_t expires_after_ns; /* beyond that; both are left alone while a request is under way */
    bool stuck;               /* by stuck_unload */
    bool hung;                /* by sched_hang: the next request has it replaced, in a while */
    struct timer replace;
    struct watch log;      /* its stderr */
    struct timer keep;     /* until it expires; during a load, until that has stalled too long */
    struct ticket *loader; /* whose load this is; NULL once that is over or its client left */
};

/* One request's wish for a model. Exactly one of ready and failed is called, at once or later, but
 * none after sched_cancel. */
struct ticket {
    struct model model;
    uint64_t context;
    bool keep_set;
    int64_t keep_ns;
    void (*ready)(struct ticket *ticket, struct runner *runner); /* holds a reference */
    void (*failed)(struct ticket *ticket, int status, const char *message);
    struct ticket *next;
    bool queued;
};

struct sched_counts {
    uint64_t loads, load_failures, unloads, deaths;
};

void sched_start(void);
void sched_get(struct ticket *ticket);
/* The client left before ready: its load is aborted. */
void sched_cancel(struct ticket *ticket);
/* The request is over. */
void sched_release(struct runner *runner);
/* keep_alive 0 without a prompt: at once where idle, else after its requests; nothing where the
 * model is not loaded or still loading. */
void sched_unload(const struct model *model);
/* A setting changed: what was stuck may go on. */
void sched_recheck(void);

/* Whether a runner that was told to end has not done so: /api/ps waits for it. */
bool sched_settling(void);
/* The runners, the newest first. */
const struct runner *sched_runners(void);
const struct sched_counts *sched_counts(void);
/* SIGKILL to a loaded model's runner, nothing else: it stays listed. false: none. */
bool sched_ghost(const struct model *model);
/* A loaded model's runner stands still from now on; false: none. */
bool sched_hang(const struct model *model);
/* Kills every runner. */
void sched_end(void);
/* To be told of every child that ended; false for a pid that is no runner. */
bool sched_child_exited(pid_t pid, int wait_status);

#endif
