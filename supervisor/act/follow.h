/* What became of a restart or a stop whose answer was lost, or that an earlier supervisor had
 * begun: what was seen -> what is to be done next. Pure: no engine, no clock, no memory of its own.
 * docs/judgement.md, "Acting" 3. */
#ifndef SUPERVISOR_ACT_FOLLOW_H
#define SUPERVISOR_ACT_FOLLOW_H

#include "sense/signals.h"
#include "sense/world.h"

enum follow_saw {
    FOLLOW_SAW_NOTHING, /* the engine is away */
    FOLLOW_SAW_REFUSAL, /* it answers, but not with the container */
    FOLLOW_SAW_GONE,    /* it says that there is no such container */
    FOLLOW_SAW_LIFE
};

enum {
    FOLLOW_STARTS_MAX = 3 /* what cannot be started is tried so often, then told and left */
};

struct follow {
    bool stop;       /* a stop is followed; else a restart */
    bool recovering; /* an earlier supervisor's: whether it sent the request at all is not known */
    enum follow_saw saw;
    double refused_s; /* how long REFUSAL has been seen without anything else between */
    bool same_life;   /* StartedAt is that of the intent */
    enum container_status status;
    bool start_failed;           /* the engine shows the error of a start of this container */
    bool ended_then;             /* it ended between the intent and the end of grace and margin */
    bool may_start;              /* its mode is enforce, or a person asked */
    bool over;                   /* the stop grace and the margin have passed since the intent */
    bool answered_no;            /* the engine answered the request with an error */
    bool kill_switch;            /* the kill switch has stopped it since the intent */
    bool signals_asked;          /* below is what could be found out of the signals */
    struct signals_sent signals; /* to this life, ours among them */
    size_t tries;                /* starts in vain */
    bool start_due;              /* the back-off before the next one is over */
};

enum follow_next {
    FOLLOW_WAIT, /* look again */
    FOLLOW_ASK_SIGNALS,
    FOLLOW_START,
    /* the ends */
    FOLLOW_RESTARTED,
    FOLLOW_STOPPED,       /* of a stop: it is, in whatever life */
    FOLLOW_STARTED_SINCE, /* a new life, which came after a stop, or does not run any more and not
                             by our stop: somebody acted */
    FOLLOW_GONE,
    FOLLOW_PERSON_STOPPED, /* somebody else told it to stop: that is the last word */
    FOLLOW_KILL_SWITCH,    /* it is left stopped */
    FOLLOW_NOT_SENT,       /* certainly not carried out */
    FOLLOW_IGNORED,        /* it was, or may have been, told to stop, and runs on */
    FOLLOW_CANNOT_START,   /* stopped by us, and it does not start again */
    FOLLOW_MAY_NOT_START,  /* stopped by us, and nothing of ours starts it: it is only observed */
    FOLLOW_CANNOT_TELL,    /* the engine does not show it */
};

enum follow_next follow_next(const struct follow *follow);

/* After a restart that was carried out: whether a person's stop fell into it, which the engine's
 * own start has run over. sent: since the request. */
bool follow_person_stopped(const struct signals_sent *sent);

#endif
