/* What the files of the room act share. */
#ifndef SUPERVISOR_ACT_PRIVATE_H
#define SUPERVISOR_ACT_PRIVATE_H

#include "act/run.h"

struct rest {       /* of one kind of remedy */
    double until_s; /* boottime */
    char told[128]; /* why it could not be begun: told once */
};

struct place { /* what the healer remembers of one container between runs; what must survive is in
                  keep */
    char id[CONTAINER_ID_SIZE];
    double not_before_s; /* boottime: a remedy that could not be begun is not tried again at once */
    bool held_told, locked_told, memory_told, waiting_told, footprint_told;
    fact footprint; /* the last one that was kept */
    struct rest rests[REMEDIES];
    char acted[160];
};

struct throttled { /* a container that is throttled; its row in keep says the same */
    struct throttle t;
    bool earlier; /* by an earlier supervisor */
    bool working; /* it is being undone */
    bool undone;  /* it is, but its row could not be forgotten yet */
    double not_before_s;
    char told[160]; /* why it could not be undone: told once */
    struct throttled *next;
};

struct healer {
    struct healer_options o;
    struct throttled *throttled; /* owned */
    bool throttles_known;        /* what earlier supervisors left throttled was read */
    bool may_throttle;           /* one was begun in this life */
    struct run *runs;
    struct place *places;
    size_t n_places;
    const struct world *world;
    const struct judgement *judgement;
    struct settings settings;
    char boot_id[40];
    bool closing;
};

/* What is remembered of this container; never NULL. */
struct place *place_of(struct healer *healer, const char *id);

struct throttled *throttled_find(const struct healer *healer, const char *id); /* NULL: it is not */
/* Takes a copy in; NULL when memory is spent. */
struct throttled *throttled_add(struct healer *healer, const struct throttle *t);
void throttled_remove(struct healer *healer, struct throttled *throttled);

/* Begins a run: takes the container's lock. verdict NULL: it only comes to follow what an earlier
 * supervisor left open. -EWOULDBLOCK: somebody else works on it; -EROFS: nothing can be
 * remembered. */
int run_begin(struct healer *healer, const struct container *c, const struct step *step,
              const struct verdict *verdict, struct run **ret_run);
/* Then: what was left open, the restart budget, the back-off, the fresh look, the intent, the
 * deed. */
void run_gate(struct run *run);
/* Gives everything back, the lock too; the memory goes in the loop's next turn. */
void run_free(struct run *run);

/* The verdict's container: every model is told to go at once. Nothing waits for it, it takes no
 * lock and leaves no intent: asking twice does no more than asking once. Not again for some
 * seconds. */
void flush_models(struct healer *healer, const struct container *c, const struct verdict *verdict);
extern const struct step step_flush; /* its name; it is no run */

/* What was held with a model loaded is kept for the floor of a limit (row C4). */
void remember_footprint(struct healer *healer, const struct container *c,
                        const struct assessment *a);
/* Ends the open intents of containers that are no longer here: nobody will come for them. */
void sweep(struct healer *healer);

/* A remedy that was dropped, locked out or refused is not begun again before this. */
static const double retry_s = 2;

#endif
