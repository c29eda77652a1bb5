/* Which containers are throttled now; their rows in keep say the same. Private to act. */
#ifndef SUPERVISOR_ACT_THROTTLES_H
#define SUPERVISOR_ACT_THROTTLES_H

#include "keep/throttles.h"

struct throttled {
    struct throttle t;
    bool earlier; /* by an earlier supervisor */
    bool working; /* it is being undone */
    bool undone;  /* it is, but its row could not be forgotten yet */
    double not_before_s;
    char told[160]; /* why it could not be undone: told once */
    struct throttled *next;
};

struct throttles {
    struct throttled *first; /* owned */
    bool known;              /* what earlier supervisors left throttled was read */
    bool begun;              /* one was begun in this life */
};

struct throttled *throttles_find(const struct throttles *throttles,
                                 const char *id); /* NULL: none */
/* Takes a copy in; NULL when memory is spent. */
struct throttled *throttles_add(struct throttles *throttles, const struct throttle *t);
void throttles_remove(struct throttles *throttles, struct throttled *throttled);

#endif
