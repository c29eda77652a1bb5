/* What the healer's own files share. */
#ifndef SUPERVISOR_ACT_PRIVATE_H
#define SUPERVISOR_ACT_PRIVATE_H

#include "act/run.h"

/* ---- what the healer remembers of each container between two remedies: when the next may begin,
 * and what was told already. What must survive lies in keep; forgetting this is safe. */

struct remedy_rest { /* of one kind of remedy */
    double until_s;  /* boottime */
    char told[128];  /* why it could not be begun: told once */
};

struct place {
    char id[CONTAINER_ID_SIZE];
    double not_before_s; /* boottime: a remedy that could not be begun is not tried again at once */
    double locked_s, locked_last_s; /* since when somebody else has it, and when that was last seen,
                                       boottime; 0: nobody has */
    bool followed;                  /* what an earlier supervisor may have left open there */
    bool told[HEAL_KINDS];          /* what stands in the way is told once */
    bool lock_warned;
    fact footprint;   /* the last one that was kept, */
    fact baseline;    /* and the baseline */
    double unsent_s;  /* boottime: when the engine's ring said that it was not told to stop; 0 */
    bool ring_wanted; /* it is to be asked */
    struct remedy_rest rests[REMEDIES];
    char acted[160];
};

struct places {
    struct place *all; /* owned */
    size_t n;
};

/* The container's, a new one where there is none; never NULL. */
struct place *places_of(struct places *places, const char *id) __attribute__((returns_nonnull));
/* NULL: there is none. */
const struct place *places_find(const struct places *places, const char *id);
/* Forgets those whose container the world has no more, so that there are never more than
 * containers. */
void places_look(struct places *places, const struct world *world);
void places_clear(struct places *places);

/* ---- the healer */

struct healer {
    struct act act;
    struct run *runs;
    struct places places;
    struct throttles throttles;
    struct sweep {
        uv_work_t work;
        bool under_way;
        struct intent *open; /* owned */
        size_t n, at;
        bool locked; /* by whoever works on one */
    } sweep;
    struct { /* the question to the engine's ring that is under way: of whom, since (boottime) */
        bool under_way;
        char id[CONTAINER_ID_SIZE];
        double asked_s;
    } ring;
    bool unswept;    /* the engine did not answer of all, or somebody works on one */
    bool unfollowed; /* what may be left open of some was not followed yet: found, locked, … */
    double follow_s; /* boottime: from when on that is done */
    double swept_s;  /* boottime of the last one's beginning */
};

void healer_tell(struct healer *healer, const struct heal_event *event);
void healer_tell_run(struct healer *healer, const struct run *run, enum heal_event_kind kind,
                     const char *text);
/* A run's callbacks (struct act); userdata is the healer. */
void healer_told(void *userdata, struct run *run, enum heal_event_kind kind, const char *text);
void healer_ended(void *userdata, struct run *run);
/* The one that is under way there; NULL: none is. */
struct run *healer_run(const struct healer *healer, const char *id);

/* The verdict's container: every model is told to go at once. Nothing waits for it, it takes no
 * lock and leaves no intent: asking twice does no more than asking once. Not again for some
 * seconds. */
void flush_models(struct healer *healer, const struct container *c, const struct verdict *verdict);

/* What was held with a model loaded is kept for the floor of a limit. */
void remember_footprint(struct healer *healer, const struct container *c,
                        const struct assessment *a);
/* Tells the judge, where the kill switch is near, who is being stopped or restarted by anybody. */
void tell_stopping(struct healer *healer, const struct world *world);
/* Open intents of containers that the world does not have: those that the engine says are gone are
 * ended, the others are followed. */
void sweep(struct healer *healer);
/* Follows what is left open of this container, unless it is worked on. */
void healer_follow(struct healer *healer, const struct container *c);

#endif
