/* A number that was read, or was not. Unknown is never 0: every number of the world is a `fact`. */
#ifndef SUPERVISOR_BASE_FACT_H
#define SUPERVISOR_BASE_FACT_H

#include <stdbool.h>
#include <stdint.h>

typedef int64_t fact; /* bytes, counts, microseconds: >= 0 when known */

#define FACT_UNKNOWN ((fact) - 1) /* could not be read; the JSON member is absent */
#define FACT_NONE    ((fact) - 2) /* known to be none, as in "no limit"; JSON null */

static inline bool fact_known(fact f)
{
    return f >= 0;
}

/* Sum and product; unknown as soon as one of the two is not a known number, or where no fact can
 * hold what comes out. */
static inline fact fact_add(fact a, fact b)
{
    fact sum;
    return a < 0 || b < 0 || __builtin_add_overflow(a, b, &sum) ? FACT_UNKNOWN : sum;
}
static inline fact fact_times(fact a, fact b)
{
    fact product;
    return a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product) ? FACT_UNKNOWN : product;
}
/* The same with a factor >= 0 that is no whole number, to within 2^-53. */
static inline fact fact_scale(fact a, double factor)
{
    double product = (double)a * factor;
    return a < 0 || !(product < 0x1p63) ? FACT_UNKNOWN : (fact)product;
}

/* The difference of two counters that need not agree to the page: never below 0. */
static inline fact fact_less(fact a, fact b)
{
    return a < 0 || b < 0 ? FACT_UNKNOWN : a > b ? a - b : 0;
}

#endif
