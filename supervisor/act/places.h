/* What the healer remembers of each container between two remedies: when the next may begin, and
 * what was told already. What must survive lies in keep; forgetting this is safe. Private to act.
 */
#ifndef SUPERVISOR_ACT_PLACES_H
#define SUPERVISOR_ACT_PLACES_H

#include "judge/verdict.h"
#include "sense/world.h"

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

#endif
