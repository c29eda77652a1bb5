/* One remedy under way. Private to the room act. */
#ifndef SUPERVISOR_ACT_RUN_H
#define SUPERVISOR_ACT_RUN_H

#include "act/healer.h"
#include "keep/throttles.h"

#include <stdatomic.h>

struct run;
typedef void run_next(struct run *run);

struct step { /* what kind of deed */
    const char *name;
    /* Before the intent is committed: opens what the deed needs. 0, or -errno with a sentence: the
     * remedy is dropped. */
    int (*prepare)(struct run *run, char *why, size_t size);
    /* The deed; ends in run_end. */
    void (*deed)(struct run *run);
    /* Follows run->intent of an earlier supervisor to its end; ends in run_end. NULL: the deed may
     * be repeated, the intent is dropped. */
    void (*recover)(struct run *run);
    bool gentle;      /* takes nothing away that other verdicts' holds rest on: those go on; what it
                         cannot do is told once */
    double rest_s;    /* at least, between two on one container; 0: none */
    bool last_resort; /* waits for nobody: not for what another remedy rests, not for Ollama's
                         answer; an unload under way makes room for it */
};

extern const struct step step_restart, step_kill, step_unload, step_limit, step_reclaim, step_high,
    step_throttle, step_stop;

struct run {
    struct healer *healer;
    const struct step *step;
    struct verdict verdict; /* a copy */
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE], started_at[48], key[CONTAINER_NAME_SIZE];
    char model[CONTAINER_NAME_SIZE];
    bool asked; /* a person's word: no back-off */
    bool force, recovering, begun, ending;
    bool yields;   /* the kill switch wants the container: an unload ends as soon as it can */
    double wait_s; /* unload: how long to wait for a busy or loading model */
    size_t budget; /* restarts an hour */
    struct keep_lock *lock, *life_lock; /* life_lock: on its cgroup; NULL where it cannot be had */
    struct intent intent;
    fact before, expected;                    /* held before; bytes that should come back */
    double began_s;                           /* boottime */
    double deadline_s;                        /* boottime: of the phase under way */
    fact page_cache_before, page_cache_after; /* bytes; unknown where it is not about them */
    int pidfd;
    char *directory, *cgroupfs; /* owned: run_control */
    struct throttle *throttle;  /* owned: step throttle, what it is about to set */
    bool throttle_stands;       /* something of it may be set: its row is kept */
    const char *reason;         /* static: why, where it is not for a verdict */
    bool others_signal, started_it, request_under_way;
    uv_timer_t timer;
    uv_work_t work;
    bool working;
    atomic_bool stop;      /* the healer is going: long work ends at its next step */
    bool refused;          /* it could not even be prepared */
    enum remedy next_step; /* of the ladder, after one that was not enough */
    bool nothing_left;   /* what it was for is gone: no further step follows, whatever came back */
    double failed_ago_s; /* an earlier supervisor's same step was not enough so long ago; < 0: no */
    double rest_left_s;
    run_next *after_work, *on_timer;
    int work_result;
    struct error work_error;
    struct restart_history restarts;
    int64_t hold_since_ms;
    struct intent *open;
    size_t n_open, n_open_here; /* here: of this container */
    struct keep_stop last_stop;
    bool stopped_since; /* the kill switch stopped it after the intent that is followed */
    enum intent_state end_state;
    enum heal_event_kind end_kind;
    fact after;
    char text[320];
    struct run *next;
};

/* true: the healer is going, and the run with it; every callback asks this first. */
bool run_closed(struct run *run);
/* Calls next on the loop after delay_ms. */
void run_later(struct run *run, uint64_t delay_ms, run_next *next);
/* Calls job on a worker, then next on the loop; what job has to tell goes to run->work_result and
 * run->work_error. */
void run_work(struct run *run, uv_work_cb job, run_next *next);
/* The container's cgroup into run->directory and its root into run->cgroupfs, if FILE there can be
 * written; else -errno with a sentence. */
int run_control(struct run *run, const char *file, char *why, size_t size);
/* The end: the outcome is committed, told, and the run freed. state is ignored where no intent was
 * committed. */
void run_end(struct run *run, enum intent_state state, enum heal_event_kind kind, fact after,
             const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same for what was carried out and was not enough: what, then the bytes that were expected and
 * those that came back. */
void run_end_short(struct run *run, enum intent_state state, fact after, const char *what);
void run_tell(struct run *run, enum heal_event_kind kind, fact after, const char *text);

/* What the healer's last look says of the run's container; NULL: it is gone. */
const struct container *run_container(const struct run *run);
fact run_held(const struct run *run);

struct docker *run_docker(const struct run *run);
struct sense *run_sense(const struct run *run);
const struct settings *run_settings(const struct run *run);

/* When the intent of an earlier supervisor was begun, boottime; of another boot: now. */
double run_intent_began_s(const struct run *run);
/* The stop grace in seconds: remedy.stop_grace, else the container's own, else the engine's 10. */
fact run_grace_s(const struct run *run);

#endif
