/* What the healer's own files share. */
#ifndef SUPERVISOR_ACT_PRIVATE_H
#define SUPERVISOR_ACT_PRIVATE_H

#include "act/run.h"

/* ---- what the healer remembers of each container between two remedies: when the next may begin,
 * and what was told already. What must survive lies in keep; forgetting this is safe. */

struct rest {       /* of one kind of remedy */
    double until_s; /* boottime */
    char told[128]; /* why it could not be begun: told once */
};

struct place {
    char id[CONTAINER_ID_SIZE];
    double not_before_s; /* boottime: a remedy that could not be begun is not tried again at once */
    double locked_s, locked_last_s; /* since when somebody else has it, and when that was last seen,
                                       boottime; 0: nobody has */
    bool followed;                  /* what an earlier supervisor may have left open there */
    bool held_told, locked_told, lock_warned, memory_told, waiting_told;
    fact footprint; /* the last one that was kept */
    struct rest rests[REMEDIES];
    char acted[160];
};

struct places {
    struct place *all; /* owned */
    size_t n, room;
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
    struct healer_options o;
    struct act act;
    struct run *runs;
    struct places places;
    struct throttles throttles;
    bool sweeping, unswept; /* unswept: the engine did not answer of all */
    double swept_s;         /* boottime of the last one's beginning */
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
/* Open intents of containers that the world does not have: those that the engine says are gone are
 * ended, the others are followed. */
void sweep(struct healer *healer);
/* Follows what is left open of this container, unless it is worked on. */
void healer_follow(struct healer *healer, const struct container *c);

#endif
