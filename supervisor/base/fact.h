/* A number that was read, or was not. Unknown is never 0: every number of the world is a `fact`. */
#ifndef SUPERVISOR_BASE_FACT_H
#define SUPERVISOR_BASE_FACT_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t fact; /* bytes, counts, microseconds: >= 0 when known */

#define FACT_UNKNOWN ((fact)-1) /* could not be read; the JSON member is absent */
#define FACT_NONE    ((fact)-2) /* known to be none, as in "no limit"; JSON null */

static inline bool fact_known(fact f)
{
    return f >= 0;
}

/* The sum; unknown as soon as one of the two is not a known number. */
static inline fact fact_add(fact a, fact b)
{
    return a < 0 || b < 0 ? FACT_UNKNOWN : a + b;
}

/* The difference of two counters that need not agree to the page: never below 0. */
static inline fact fact_less(fact a, fact b)
{
    return a < 0 || b < 0 ? FACT_UNKNOWN : a > b ? a - b : 0;
}

#endif
