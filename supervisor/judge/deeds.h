/* What was done about models of late: those remedies of which only so many may be in a time. keep
 * has them, by the container's name and label, so that neither a daemon's restart nor a container
 * that is made anew begins a new count; the judge is told (judge_tell_deeds). */
#ifndef SUPERVISOR_JUDGE_DEEDS_H
#define SUPERVISOR_JUDGE_DEEDS_H

#include "judge/verdict.h"

static const double deeds_kept_s = 3600; /* older ones count no more */

struct deed {
    enum verdict_kind kind;
    enum remedy remedy;
    char blob[80]; /* of the model */
    double age_s;  /* when it was told; not negative */
};

/* Of one container; where more fall into the hour than these, the oldest are forgotten. */
enum { DEEDS_MAX = 16 };
struct deeds {
    struct deed all[DEEDS_MAX];
    size_t n;
    double told_s; /* monotonic: when these were told */
};

/* deeds NULL: none. How many of that verdict's remedy were within the last within_s; blob NULL: of
 * any model. Of more than are remembered: as many as could be. */
size_t deeds_count(const struct deeds *deeds, enum verdict_kind kind, enum remedy remedy,
                   const char *blob, double now_s, double within_s);

#endif
