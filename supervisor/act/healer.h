/* The healer: carries out what a verdict asks for, one remedy a container at a time, as
 * docs/judgement.md ("Acting") says: a lock, a fresh look, the intent committed, the deed, the
 * check by bytes, the outcome committed. What an earlier supervisor left half done is finished
 * first. */
#ifndef SUPERVISOR_ACT_HEALER_H
#define SUPERVISOR_ACT_HEALER_H

#include "base/log.h"
#include "judge/judge.h"
#include "keep/keep.h"
#include "sense/sense.h"

struct healer;

enum heal_event_kind {
    HEAL_WOULD_ACT, /* observe mode or dry run */
    HEAL_ACTING,    /* the intent is committed, the deed begins */
    HEAL_DONE,      /* verified */
    HEAL_NOT_DONE,  /* carried out, but the bytes did not come back; or refused by the engine */
    HEAL_DROPPED,   /* the fresh look no longer bears it, or somebody was faster */
    HEAL_PENDING,   /* an unload that waits for a request or a load */
    HEAL_HOLD,      /* the budget is spent: CRITICAL ALERT */
    HEAL_HOLD_OVER,
    HEAL_WAITING,         /* back-off; text says how long */
    HEAL_LOCKED,          /* another supervisor works on it */
    HEAL_NO_MEMORY_OF_IT, /* the intent cannot be committed: nothing is done */
    HEAL_RECOVERED,       /* what an earlier supervisor had begun was followed to its end */
    HEAL_START_FAILED, /* stopped to be restarted, and the engine refused to start it: it is tried
                          again; text has its words */
    HEAL_LOCKED_LONG,  /* another supervisor has worked on it for more than a minute */
    HEAL_KINDS
};

struct heal_kind {     /* how each is called */
    const char *acted; /* in status: healer_acted */
    const char *event; /* in the history */
    enum log_level level;
    const char *msg; /* in the log */
};
extern const struct heal_kind heal_kinds[HEAL_KINDS];

struct heal_event {
    enum heal_event_kind kind;
    const char *id, *name;
    const char *verdict, *step; /* "idle-leak"; "restart" "kill" "unload" "limit" "reclaim" "high"
                                    "throttle" "unthrottle" */
    const struct verdict *evidence; /* may be NULL */
    const char *model;              /* "" unless the step is about one */
    fact before, after;             /* held, bytes */
    fact expected; /* bytes that should come back; unknown where it is not about them */
    fact page_cache_before, page_cache_after; /* step reclaim; else unknown */
    enum remedy next; /* what was done was not enough: the step of the ladder that follows in the
                         next looks, while its verdict stands; else none */
    bool carried_out; /* a restart, kill or stop was done, by us or by an earlier supervisor */
    fact attempt;
    double took_s;
    const char *text; /* one sentence, "" if there is nothing to add */
};

struct healer_options {
    uv_loop_t *loop;
    const struct config *config;
    struct docker *docker;
    struct sense *sense;
    struct judge *judge;
    struct keep *keep; /* NULL: nothing can be remembered, so nothing is done */
    const char *state; /* directory of the locks */
    bool dry_run;      /* tell, do nothing */
    void (*tell)(void *userdata, const struct heal_event *event);
    void *userdata;
};

int healer_new(const struct healer_options *options, struct healer **ret_healer);
/* Leaves what is under way where it is (the next supervisor takes it up). Then docker_free,
 * sense_free, and the loop turned until its workers are done; healer_delete frees the rest. */
void healer_free(struct healer *healer);
void healer_delete(struct healer *healer);

/* After every look: both are those of this look and stay valid until the next. automatic: what is
 * raised is acted on; else only a person's word begins anything. remembered: what was done before
 * is known; until then it is only told what would be done where nothing may be, since that is told
 * in the one look in which a verdict is raised. */
void healer_consider(struct healer *healer, const struct world *world,
                     const struct judgement *judgement, bool automatic, bool remembered);

/* After healer_consider, in the daemon: follows open intents of earlier supervisors to their end,
 * once of each container that is found. */
void healer_recover(struct healer *healer);
/* This container was found, perhaps again: something may have been left half done there. */
void healer_found(struct healer *healer, const struct container *c);

/* A person's word: heals this container of this verdict (from the last judgement, or made by the
 * caller) now. force: although it is busy or a client is connected; never against an identity that
 * changed. 0, -EBUSY (a remedy is under way there). The end is told: HEAL_LOCKED, each time, where
 * another supervisor works on it. */
int healer_heal(struct healer *healer, const struct verdict *verdict, bool force);
/* Unloads one model, not for a verdict but for a reason (static): "asked" is a person's word.
 * wait_s: how long to wait for a busy or loading one. force: the context reset, its runner is
 * killed when the memory does not come back. 0, -EBUSY (a remedy is under way there), or
 * -errno. */
int healer_unload(struct healer *healer, const struct container *container, const char *model,
                  double wait_s, bool force, const char *reason);
/* Restarts a container, not for a verdict but for a reason (static) that is a person's word: it
 * passes the back-off and the budget, and is counted. 0, -EBUSY, -EPERM (a Swarm task: told), or
 * -errno. */
int healer_restart(struct healer *healer, const struct container *container, const char *reason);

/* What restarts are counted by: the container's name and how it is labelled (enable: the value of
 * the label docker.label, or NULL), so that a recreated container does not start afresh. */
void healer_key(const char *name, const char *enable, char *key, size_t size);
/* The same of a container, into at least CONTAINER_NAME_SIZE bytes. */
void healer_key_of(const struct config *config, const struct container *c, char *key);

/* Remedies under way. */
size_t healer_busy(const struct healer *healer);
/* What was last done or is in the way for a container, for status ("acted"); "" if nothing. */
const char *healer_acted(const struct healer *healer, const char *id);

#endif
