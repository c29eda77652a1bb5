/* Does it grow, how fast, and is that more than chance? The slope is Theil's and Sen's: the median
 * of the slopes between all pairs of points, which a third of wild points does not move (Sen, J.
 * Am. Stat. Assoc. 63, 1968). Whether it rises at all is Mann's and Kendall's test (Kendall, Rank
 * Correlation Methods), with ties. No allocation; a struct trend is a value. */
#ifndef SUPERVISOR_JUDGE_TREND_H
#define SUPERVISOR_JUDGE_TREND_H

#include <stdbool.h>
#include <stddef.h>

enum {
    TREND_POINTS_MAX = 64, /* 2,016 pairs: 16 KiB on the stack while a slope is taken */
    TREND_POINTS_MIN = 8,  /* of fewer no test says anything */
};

struct trend {
    double at_s[TREND_POINTS_MAX], value[TREND_POINTS_MAX];
    size_t n;
    double spacing_s; /* between two points that are kept; doubled whenever it is full */
};

/* Empty; points nearer than spacing_s (> 0) to the last one are not kept. */
void trend_begin(struct trend *trend, double spacing_s);
/* Returns whether the point was kept. at_s: of one clock, rising; an earlier one than the last
 * begins anew. When the struct is full every second point is dropped and the spacing doubled, so
 * that the whole segment stays covered.
 */
bool trend_add(struct trend *trend, double at_s, double value);
/* The same, but a full struct forgets its oldest point: the window moves on. */
bool trend_slide(struct trend *trend, double at_s, double value);

struct trend_slope {
    size_t n;
    double span_s;    /* from the first point to the last */
    double per_s;     /* the median of the slopes */
    double low_per_s; /* with 95 % certainty it is at least this (Sen's bound) */
    double rise;      /* the last third's median less the first third's */
    double late;      /* the last third's median less the middle one's */
    double from_s;    /* the first point */
    double chance;    /* that values without a trend rise so: one-sided p, 0 to 1 */
};
/* false: too few points, *ret_slope is unchanged. */
bool trend_slope(const struct trend *trend, struct trend_slope *ret_slope);

#endif
