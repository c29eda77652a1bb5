/* One remedy under way: what it is about, its stages, its timer and worker, its end. A run knows no
 * healer: it gets what it needs in struct act, and tells that it began and how it ended. Private to
 * the room act. */
#ifndef SUPERVISOR_ACT_RUN_H
#define SUPERVISOR_ACT_RUN_H

#include "act/healer.h"
#include "keep/throttles.h"
#include "sense/adopted.h"
#include "sense/signals.h"

#include <stdatomic.h>

struct run;
struct throttles;
typedef void run_next(struct run *run);

/* The life of a run; each stage leads to the next one or to STAGE_END (stages.c). */
enum stage {
    STAGE_LOCK,    /* nobody else works on the container */
    STAGE_RECOVER, /* what an earlier supervisor left open is followed to its end */
    STAGE_ALLOW,   /* budget, back-off, rest */
    STAGE_FRESH,   /* everything the verdict rests on is read anew */
    STAGE_PREPARE, /* what the deed needs is opened */
    STAGE_COMMIT,  /* the intent is written down */
    STAGE_DEED,
    STAGE_CHECK, /* was it carried out, and did the bytes come back? */
    STAGE_END,   /* the outcome is written down and told */
    STAGES
};

struct step { /* what kind of deed */
    const char *name;
    /* Opens what the deed needs. 0, or -errno with a sentence: the remedy is dropped. May be NULL.
     */
    int (*prepare)(struct run *run, struct error *err);
    run_next *deed;    /* ends in run_enter(STAGE_CHECK) or in run_end */
    run_next *check;   /* ends in run_end, perhaps after some looks */
    run_next *recover; /* follows run->intent of an earlier supervisor; ends in run_end. NULL: the
                          deed may be repeated, the intent is dropped */
    run_next *arrived; /* after a restart: the new life is there; ends in run_end */
    bool gentle;      /* takes nothing away that other verdicts' holds rest on: those go on; what it
                         cannot do is told once */
    double rest_s;    /* at least, between two on one container; 0: none */
    bool last_resort; /* waits for nobody: not for what another remedy rests, not for Ollama's
                         answer; an unload under way makes room for it */
};

/* act/steps/ */
extern const struct step step_restart, step_kill, step_unload, step_limit, step_reclaim, step_high,
    step_throttle, step_stop;
extern const struct step step_flush;               /* its name; it is no run (flush.c) */
extern const struct step *const step_of[REMEDIES]; /* NULL: nothing is done for it (healer.c) */

struct act { /* what every run works with; borrowed, but for o and boot_id */
    struct healer_options o;
    char boot_id[40];
    struct throttles *throttles;
    const struct world *world; /* of the last look; NULL before it */
    const struct judgement *judgement;
    bool closing; /* the supervisor ends: runs are left where they are */
    /* What happens on the way. */
    void (*told)(void *userdata, struct run *run, enum heal_event_kind kind, const char *text);
    /* Once for each run, by run->end; then it goes. */
    void (*ended)(void *userdata, struct run *run);
    void *userdata;
};

struct past {              /* what the database says before anything is done */
    struct intent open;    /* the oldest that is open for this container */
    size_t n_open;         /* of this container */
    size_t starts;         /* in vain, of the life that `open` is about */
    struct keep_last last; /* the newest restart or stop of it */
    struct restart_history restarts;
    bool held;           /* it was on hold before */
    double failed_ago_s; /* an earlier supervisor's same step was not enough; < 0: no */
    double rest_left_s;
    struct deeds deeds; /* of the verdict's container, where they are counted */
};

struct run_end {
    enum intent_state state; /* of the intent, where there is one */
    enum heal_event_kind kind;
    bool silent;       /* it only came to follow what was left open: nothing to tell */
    bool refused;      /* it could not even be prepared */
    bool carried_out;  /* the deed was done, by us or by an earlier supervisor of ours */
    bool left_stopped; /* we stopped it, and it does not start again */
    bool nothing_left; /* what it was for is gone: no further step follows, whatever came back */
    double wait_s;     /* not tried again before; 0: the usual */
    enum remedy next;  /* of the ladder, after one that was not enough */
    fact after;        /* held */
    char text[512];
};

struct run {
    struct act *act;
    const struct step *step;
    enum stage stage;
    /* what it is about */
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    struct verdict verdict; /* a copy; kind VERDICT_KINDS: for no verdict */
    /* whose word it is */
    bool asked; /* a person's: no back-off */
    bool force;
    const char *reason; /* static: why, where it is not for a verdict */
    fact budget;        /* restarts an hour */
    double wait_s;      /* unload: how long to wait for a busy or loading model */
    /* where it is */
    bool recovering, begun, ending;
    bool yields;       /* the kill switch wants the container: an unload ends as soon as it can */
    double began_s;    /* boottime */
    double deadline_s; /* boottime: of the phase under way */
    struct keep_lock *lock;
    bool lock_lost; /* its file was taken away before the intent was committed */
    fact holder;    /* who has it where it is locked: a pid, or unknown */
    struct past past;
    struct intent intent;
    struct adopted_one adopted; /* by which alone we may act; name "": it is not needed */
    bool abandoned;             /* it stood no longer when the intent was committed */
    /* bytes */
    fact before, expected;                    /* held before; what should come back */
    fact page_cache_before, page_cache_after; /* unknown where it is not about them */
    int pidfd;
    struct run_end end;
    union { /* each step's own */
        struct life {
            double asked_s;         /* boottime of the request */
            double refused_since_s; /* inspect is answered by an error; 0: it is not */
            bool answered_no;       /* the request was, too */
            bool asked_signals;
            bool moved;   /* the intent is about another life now */
            size_t tries; /* starts in vain */
            double start_due_s;
            int64_t start_row;
            bool not_sent, words_told;
            char words[256]; /* the engine's, of the last refusal */
        } life;
        struct {
            bool killed; /* the context reset was done */
        } unload;
        struct {
            char directory[1024], cgroupfs[256]; /* run_control */
            const char *early;                   /* why reclaiming ended early; "" */
        } control;
        struct {
            char cgroupfs[256];
            struct throttle t;   /* what is about to be set */
            bool stands;         /* something of it may be set: its row is kept */
            bool not_remembered; /* its row could not be written */
        } throttle;
    } of;
    /* mechanics */
    uv_timer_t timer;
    uv_work_t work;
    bool working, request_under_way;
    atomic_bool stop; /* the healer is going: long work ends at its next step */
    run_next *job, *then, *on_timer;
    int work_result; /* of the last work or question, with its error */
    struct error work_error;
    struct signals_sent signals; /* of run_ask_signals */
    double signals_asked_s;      /* boottime: when */
    struct run *next;            /* the owner's list */
};

/* A run about this container, at STAGE_LOCK. NULL when memory is spent. */
struct run *run_new(struct act *act, const struct container *c, const struct step *step,
                    const struct verdict *verdict);
/* Gives everything back, the lock too; the memory goes in the loop's next turn. */
void run_free(struct run *run);
/* Ends what can be ended at once; run_free where nothing of it is under way (else its callback does
 * that, by run_closed). act->closing is set. */
void run_close(struct run *run);

/* The one place where a run changes its stage (stages.c). One function in the program too, so that
 * the fault matrix can stop it there (tests/system/faults.py). */
void run_enter(struct run *run, enum stage stage) __attribute__((noinline));

/* true: the healer is going, and the run with it; every callback asks this first. */
bool run_closed(struct run *run);
/* Calls next on the loop after delay_ms. */
void run_later(struct run *run, uint64_t delay_ms, run_next *next);
/* Calls job on a worker, then next on the loop; what job has to tell goes to run->work_result and
 * run->work_error. */
void run_work(struct run *run, run_next *job, run_next *next);
/* A question to the engine or to Ollama, which is asked now, with run as its userdata: the answer
 * goes to run->work_result and run->work_error, then next is called. */
docker_done *run_asks(struct run *run, run_next *next);
/* The last look at who is about to be touched, after the intent was committed, which may have taken
 * long: in the same life, running, its verdict as raised as it was. Then next; else it is dropped.
 * A lock keeps only those away who share it (stages.c). */
void run_look_last(struct run *run, run_next *next);
/* A fresh look; without Ollama's answer for a last resort. 0, then its result goes the same way; or
 * -errno of sense_fresh. */
int run_fresh(struct run *run, run_next *next);
/* What was sent to the container into run->signals, then next: `sent` where that is enough, else
 * what the engine's ring has since that wall time. */
void run_ask_signals(struct run *run, struct signals_sent sent, bool enough, int64_t since_ms,
                     run_next *next);
/* The container's cgroup and its root into run->of.control, if FILE there can be written; else
 * -errno with a sentence. */
int run_control(struct run *run, const char *file, struct error *err);
/* The end. state is ignored where no intent was committed. Twice is once. */
void run_end(struct run *run, enum intent_state state, enum heal_event_kind kind, fact after,
             const char *format, ...) __attribute__((format(printf, 5, 6)));
/* The same for what was carried out and was not enough: what, then the bytes that were expected and
 * those that came back. */
void run_end_short(struct run *run, enum intent_state state, fact after, const char *what);
/* Dropped before anything was done; carried out and verified; carried out in vain. */
#define run_drop(run, ...) run_end(run, INTENT_DROPPED, HEAL_DROPPED, FACT_UNKNOWN, __VA_ARGS__)
#define run_done(run, ...) run_end(run, INTENT_DONE, HEAL_DONE, run_held(run), __VA_ARGS__)
#define run_not_done(run, ...)                                                                     \
    run_end(run, INTENT_FAILED, HEAL_NOT_DONE, run_held(run), __VA_ARGS__)
/* Where the kernel shows what was set it is done; else `check` looks again until the deadline, then
 * it is not done: `else_text`. */
void run_shows(struct run *run, bool shown, run_next *check, const char *else_text);
/* The same where nothing is to be told. */
void run_leave(struct run *run);

/* Whether it was for a verdict, was carried out, and did not help. */
bool run_failed(const struct run *run);

/* What the last look says of the run's container; NULL: it is gone. */
const struct container *run_container(const struct run *run);
/* The same, in the life that the run is about. */
const struct container *run_same_life(const struct run *run);
fact run_held(const struct run *run);
/* Valid until the next call for another container. */
const struct settings *run_settings(const struct run *run);

/* An event of the healer's: everything unknown, but whom it is about and what (events.c). */
struct heal_event heal_event_of(enum heal_event_kind kind, const char *id, const char *name,
                                const char *verdict, const char *step, const char *text);
/* Of a run; what it points to lives as long as that. */
struct heal_event heal_event_of_run(const struct run *run, enum heal_event_kind kind,
                                    const char *text);

/* A job for run_work: fills run->past, and sets or ends the hold as the budget has it. It blocks
 * (past.c). */
run_next past_job;

/* When the intent was begun, boottime; of another boot: now. */
double run_intent_began_s(const struct run *run);
/* The stop grace in seconds: remedy.stop_grace, else the container's own, else the engine's 10; of
 * the kill switch at most 15. */
fact run_grace_s(const struct run *run);
/* Of any container, for a restart. */
fact act_grace_s(const struct act *act, const struct container *container);

/* ---- which containers are throttled now; their rows in keep say the same (throttler.c) */

struct throttled {
    struct throttle t;
    bool earlier; /* by an earlier supervisor */
    bool working; /* it is being undone */
    bool undone;  /* it is, but its row could not be forgotten yet */
    double not_before_s;
    char told[160]; /* why it could not be undone: told once */
    struct throttled *next;
    /* Of the undoing under way, or of the last one: */
    struct healer *healer;
    uv_work_t work;
    char cgroupfs[256];
    int result, forgotten; /* of the files, of the row */
    double began_s;
    char text[160];
    struct error error;
};

struct throttles {
    struct throttled *first; /* owned */
    bool known;              /* what earlier supervisors left throttled was read */
    bool begun;              /* one was begun in this life */
    bool ending;             /* the supervisor ends: all are undone */
    /* Reading what earlier supervisors left: */
    bool reading;
    double not_before_s;
    uv_work_t work;
    struct throttle *read; /* owned */
    size_t n_read;
    int result;
};

struct throttled *throttles_find(const struct throttles *throttles,
                                 const char *id); /* NULL: none */
/* Takes a copy in; NULL when memory is spent. */
struct throttled *throttles_add(struct throttles *throttles, const struct throttle *t);
void throttles_remove(struct throttles *throttles, struct throttled *throttled);

#endif
