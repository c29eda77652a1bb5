/* What is said again and again of one thing is counted instead, and the count is said when there is
 * room for it: nobody can fill a log or a history by repetition. Holds no memory but its own. */
#ifndef SUPERVISOR_BASE_REPEATS_H
#define SUPERVISOR_BASE_REPEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REPEATS_KINDS = 64, /* more kinds than there are: their places are not taken by others */
    REPEATS_MAX = 256,  /* with those */
    REPEATS_KIND_SIZE = 48,
    REPEATS_ABOUT_SIZE = 96
};

/* So many are said at once, then one in `every_s`: of one thing about one, and of one thing about
 * all together. */
struct repeats_rule {
    unsigned one_burst, all_burst;
    double one_every_s, all_every_s;
};

struct repeated {
    uint64_t key;                   /* 0: free */
    double room, at_s;              /* how many may be said, as of when */
    unsigned unsaid;                /* since the last one that was said */
    bool all;                       /* about all together */
    char kind[REPEATS_KIND_SIZE];   /* cut where longer, as `about` */
    char about[REPEATS_ABOUT_SIZE]; /* "": about none in particular */
    char more[REPEATS_KIND_SIZE];
};

struct repeats {
    const struct repeats_rule *rule;
    size_t counting;                   /* of the list: those of which something is unsaid */
    struct repeated list[REPEATS_MAX]; /* first those about all together */
};

/* Whether it is to be said now; else it is counted. kind: what is said; about: whom it is about;
 * more: what tells two about one apart, or "". now_s: since boot. */
bool repeats_may(struct repeats *repeats, const char *kind, const char *about, const char *more,
                 double now_s);
/* The next count that is to be said now, once: of what, and how many. NULL: there is none. Valid
 * until the next call. now_s infinite, at the end: any that there is. */
const struct repeated *repeats_due(struct repeats *repeats, double now_s, unsigned *ret_unsaid);

#endif
