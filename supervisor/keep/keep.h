/* What must survive the supervisor's own death: intents, their outcomes, holds. SQLite (WAL,
 * synchronous FULL) in the state directory; the daemon and commands may have it open at once. Calls
 * block (they commit): from the loop call them on a worker (uv_queue_work); one struct keep may be
 * used from any thread, one call at a time (it has a mutex). A database that goes bad while it is
 * open (corrupt, moved, replaced, unreadable) is opened anew by the next call, with a back-off;
 * what this process itself has begun is put back into it. */
#ifndef SUPERVISOR_KEEP_KEEP_H
#define SUPERVISOR_KEEP_KEEP_H

#include "base/error.h"
#include "base/fact.h"
#include "judge/deeds.h"
#include "judge/uses.h"
#include "sense/world.h"

struct keep;
struct keep_lock;

/* Makes DIRECTORY (0700) and supervisor.db in it where missing, and preallocates: spare pages in
 * the database and a WAL that is already long enough, so that on a full disk an intent and its
 * outcome still find room. -EROFS/-EACCES/-ENOSPC …: names the directory. A corrupt file is set
 * aside as supervisor.db.corrupt-<time> only if `repair` (the daemon); else it is an error. */
int keep_open(const char *directory, bool repair, bool room, struct keep **ret_keep,
              struct error *err);
/* What keep_open preallocates where room is set: a thousand writes, which the daemon's first look
 * need not wait for. */
int keep_take_room(struct keep *keep, struct error *err);
/* From now on it is used only while this is the lock of its directory (borrowed, for as long as the
 * keep is open): where that was moved or removed the lock is taken anew in the one that is there,
 * and where another supervisor has that, the keep is bad. */
void keep_own(struct keep *keep, struct keep_lock *lock);
/* 0, also where no lock was given; or whose the directory is now. */
int keep_owned(struct keep *keep, struct error *err);
void keep_close(struct keep *keep);

/* What keep_check has to tell once. */
struct keep_report {
    char
        set_aside[544]; /* where a corrupt file was put since the last report; "": there was none */
    bool replaced;      /* the file is another one than that which was opened */
};
/* Proves that what has to be remembered can be: that the files are those that are open and may be
 * written, and, once a minute or while that is in doubt, by reading all and by a write. For a
 * worker, every few seconds. 0: it is good. Else it is bad (the error says why) and is tried again
 * by the next check; a database that another process holds is bad after a minute of it. */
int keep_check(struct keep *keep, struct keep_report *ret_report, struct error *err);

enum intent_state {
    INTENT_OPEN,
    INTENT_DONE,
    INTENT_FAILED,
    INTENT_DROPPED /* was certainly not carried out */
};

struct intent {
    int64_t id; /* given by keep_intent_begin */
    char container[CONTAINER_ID_SIZE];
    char started_at[48];
    char key[CONTAINER_NAME_SIZE]; /* name + label: a recreated container does not start afresh
                                      (docs/judgement.md, acting 10) */
    char verdict[32], step[16]; /* "idle-leak", "restart" | "kill" | "unload" | "limit" | "reclaim"
                                   | "high" | "stop" */
    fact pid, process_started_us; /* step kill */
    char blob[80];                /* of the model whose deeds are counted (verdict.blob); "" */
    fact grace_s;
    int64_t begun_wall_ms;
    char boot_id[40];
    double begun_boottime_s;
    fact attempt;                 /* 1, 2, … of the back-off */
    fact held_before, held_after; /* bytes */
    enum intent_state state;
    int64_t ended_wall_ms; /* 0 while open */
    char outcome[256];
};

/* Commits the intent durably (fsync) before it returns 0; fills intent->id. Any other result: the
 * deed must not be done. -ENOSPC, -EROFS, -EIO, -EBUSY (another process held the database for more
 * than 2 s). */
int keep_intent_begin(struct keep *keep, struct intent *intent, struct error *err);
/* It is about the life that began then: a stop came upon one that had begun since. */
int keep_intent_move(struct keep *keep, int64_t id, const char *started_at, struct error *err);
/* Ends an open one with state, held_after and outcome. Ending twice keeps the first end. */
int keep_intent_end(struct keep *keep, int64_t id, enum intent_state state, fact held_after,
                    int64_t ended_wall_ms, const char *outcome, struct error *err);
/* All open intents (for the next supervisor), oldest first; *ret_intents is the caller's (free). */
int keep_intents_open(struct keep *keep, struct intent **ret_intents, size_t *ret_n,
                      struct error *err);
/* The newest n ended or open intents of a key ("" = all), newest first. */
int keep_intents_recent(struct keep *keep, const char *key, size_t limit,
                        struct intent **ret_intents, size_t *ret_n, struct error *err);

/* Now, for ages: within a boot by the clock since boot, across boots by the wall clock. */
struct keep_now {
    int64_t wall_ms;
    double boottime_s;
    char boot_id[40];
};
struct keep_now keep_now_is(const char *boot_id);
/* How long ago it was begun, seconds; never negative, and of another boot at least as long ago as
 * this one began, whatever the wall clock did. Where a boot has no id that could be read: by the
 * wall clock. */
double keep_intent_age_s(const struct intent *intent, const struct keep_now *now);

/* The verdict in an intent of step "restart" that only starts what was left stopped: each try is
 * one, and counts. */
#define KEEP_START "start"

struct keep_last { /* the newest intent of step "stop" or "restart" of a container; id 0: none */
    int64_t id;
    bool stop;  /* by the kill switch */
    bool start; /* a KEEP_START */
    enum intent_state state;
    double age_s;
    char started_at[48]; /* of the life that it ended */
    char outcome[256];
};
int keep_last(struct keep *keep, const char *container, const struct keep_now *now,
              struct keep_last *ret_last, struct error *err);
/* How many starts of the life that this intent is about were in vain. */
int keep_starts(struct keep *keep, const struct intent *intent, size_t *ret_n, struct error *err);

struct restart_history { /* of step "restart", not dropped ones, since the last release */
    size_t in_last_hour;
    double oldest_in_hour_age_s; /* when the first slot frees: an hour less this */
    double last_age_s;           /* < 0: never */
    int64_t last_id;             /* 0: never */
    fact last_attempt;           /* its number in the back-off; 0 if never */
};
int keep_restarts(struct keep *keep, const char *key, const struct keep_now *now,
                  struct restart_history *ret_history, struct error *err);

/* What was done about models of the key in the last hour, not what was dropped, the newest
 * DEEDS_MAX; what this supervisor, an earlier one or a command has begun. told_s is 0. */
int keep_deeds(struct keep *keep, const char *key, const struct keep_now *now,
               struct deeds *ret_deeds, struct error *err);

/* A load of ours, of a key's model: begun, which is committed before it is asked for, and ended.
 * The newest KEEP_LOADS_MAX are kept. */
int keep_load_begin(struct keep *keep, const char *key, const char *model,
                    const struct keep_now *now, struct error *err);
int keep_load_end(struct keep *keep, const char *key, const char *model, const struct keep_now *now,
                  struct error *err);
struct keep_load {
    char key[CONTAINER_NAME_SIZE];
    struct own_load load;
};
/* Those of this boot, the newest first; *ret_loads is the caller's (free). */
int keep_loads(struct keep *keep, const struct keep_now *now, struct keep_load **ret_loads,
               size_t *ret_n, struct error *err);

/* HOLD: the restart budget is spent. since 0 = not held. */
int keep_hold_set(struct keep *keep, const char *key, int64_t since_wall_ms, const char *why,
                  struct error *err);
int keep_hold_get(struct keep *keep, const char *key, int64_t *ret_since_wall_ms,
                  struct error *err);
/* Ends a hold and forgets the restarts counted so far for the key. -ENOENT: it was not held (the
 * counters are cleared all the same). */
int keep_release(struct keep *keep, const char *key, int64_t now_wall_ms, struct error *err);

/* The most ever held with a model loaded, by key; raises only. For the floor of a limit
 * (docs/judgement.md, acting 5). */
int keep_footprint_raise(struct keep *keep, const char *key, fact held, struct error *err);
int keep_footprint_get(struct keep *keep, const char *key, fact *ret_held,
                       struct error *err); /* unknown if never seen */

/* What the idle server of that life was seen to hold, of the newest KEEP_KEYS_MAX containers;
 * unknown. */
int keep_baseline_set(struct keep *keep, const char *container, const char *started_at, fact held,
                      struct error *err);
int keep_baseline_get(struct keep *keep, const char *container, const char *started_at,
                      fact *ret_held, struct error *err);

/* Locks by flock: "supervisor.lock" in DIRECTORY for the daemon; for a container "locks/<id>.lock"
 * there, "locks/name-<name>.lock" as long as it has no id, and the file of that name in
 * /run/supervisor/locks: whoever shares no state directory with us shares that with everybody on
 * the host, containers in which it is bound included. Nobody without root's rights can hold it:
 * what others could hold is not believed, and where there is no such place (keep_life_place) the
 * first one is all. The kernel drops them with the process. -EWOULDBLOCK: somebody else has one;
 * *ret_holder (may be NULL) gets its pid or unknown. All of them block as the disk does: from the
 * loop call them on a worker. */
int keep_lock_daemon(const char *directory, struct keep_lock **ret_lock, fact *ret_holder,
                     struct error *err);
/* It is the lock's own directory that is locked, not one that another has taken the place of: where
 * it was moved or removed, the daemon's lock is taken in the one that is there now. 0, or
 * -EWOULDBLOCK: another has it, and the old one is still held. */
int keep_lock_daemon_again(const char *directory, struct keep_lock *lock, struct error *err);
int keep_lock_container(const char *directory, const char *id, struct keep_lock **ret_lock,
                        fact *ret_holder, struct error *err);
/* engine: its address, docker.host. */
int keep_lock_name(const char *directory, const char *engine, const char *name,
                   struct keep_lock **ret_lock, fact *ret_holder, struct error *err);
/* The host's memory, for whoever counts what is left of it and then takes some; one for all
 * engines.
 */
int keep_lock_memory(const char *directory, struct keep_lock **ret_lock, fact *ret_holder,
                     struct error *err);
/* Who is adopted, for whoever changes that: "locks/adopted.lock" in DIRECTORY, both made where
 * missing. Waits for up to 5 s, as the holder only reads and writes a file. */
int keep_lock_adoptions(const char *directory, struct keep_lock **ret_lock, struct error *err);
/* 0, or why there is no place on this host for locks that all share. Tries one. */
int keep_life_place(struct error *err);
/* false: a file was taken away or replaced, so that another may have the lock as well. */
bool keep_lock_holds(const struct keep_lock *lock);
void keep_unlock(struct keep_lock *lock);

#endif
