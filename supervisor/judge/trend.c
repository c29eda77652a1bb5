#include "judge/trend.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS_MAX = TREND_POINTS_MAX * (TREND_POINTS_MAX - 1) / 2 };

/* The normal distribution's quantile of 0.95: one side. */
static const double certain = 1.6449;

void trend_begin(struct trend *trend, double spacing_s)
{
    trend->n = 0;
    trend->spacing_s = spacing_s;
}

static void thin_out(struct trend *trend)
{
    size_t kept = 0;
    for (size_t i = 0; i < trend->n; i += 2, kept++) {
        trend->at_s[kept] = trend->at_s[i];
        trend->value[kept] = trend->value[i];
    }
    trend->n = kept;
    trend->spacing_s *= 2;
}

/* Whether a point now is far enough from the last one. */
static bool due(struct trend *trend, double at_s)
{
    if (trend->n > 0 && at_s < trend->at_s[trend->n - 1])
        trend->n = 0;
    return trend->n == 0 || at_s - trend->at_s[trend->n - 1] >= trend->spacing_s;
}

static bool put(struct trend *trend, double at_s, double value)
{
    trend->at_s[trend->n] = at_s;
    trend->value[trend->n++] = value;
    return true;
}

bool trend_add(struct trend *trend, double at_s, double value)
{
    if (!due(trend, at_s))
        return false;
    if (trend->n == TREND_POINTS_MAX) {
        thin_out(trend);
        if (!due(trend, at_s))
            return false;
    }
    return put(trend, at_s, value);
}

bool trend_slide(struct trend *trend, double at_s, double value)
{
    if (!due(trend, at_s))
        return false;
    if (trend->n == TREND_POINTS_MAX) {
        trend->n--;
        memmove(trend->at_s, trend->at_s + 1, trend->n * sizeof trend->at_s[0]);
        memmove(trend->value, trend->value + 1, trend->n * sizeof trend->value[0]);
    }
    return put(trend, at_s, value);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of n > 0 values in ascending order. */
static double middle(const double *values, size_t n)
{
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double median_of(const double *values, size_t n)
{
    double sorted[TREND_POINTS_MAX];
    for (size_t i = 0; i < n; i++)
        sorted[i] = values[i];
    qsort(sorted, n, sizeof(*sorted), ascending);
    return middle(sorted, n);
}

/* The variance of Kendall's S for n values, of which groups are equal. */
static double variance_of(const double *values, size_t n)
{
    double sorted[TREND_POINTS_MAX], variance = (double)n * (double)(n - 1) * (double)(2 * n + 5);
    for (size_t i = 0; i < n; i++)
        sorted[i] = values[i];
    qsort(sorted, n, sizeof(*sorted), ascending);
    for (size_t i = 0, same; i < n; i += same) {
        for (same = 1; i + same < n && sorted[i + same] <= sorted[i]; same++)
            ;
        double t = (double)same;
        variance -= t * (t - 1) * (2 * t + 5);
    }
    return variance / 18;
}

bool trend_slope(const struct trend *trend, struct trend_slope *ret_slope)
{
    size_t n = trend->n, pairs = 0, third = n / 3;
    double slopes[PAIRS_MAX], score = 0;
    if (n < TREND_POINTS_MIN)
        return false;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++) {
            double difference = trend->value[k] - trend->value[i];
            score += difference > 0 ? 1 : difference < 0 ? -1 : 0;
            slopes[pairs++] = difference / (trend->at_s[k] - trend->at_s[i]);
        }
    qsort(slopes, pairs, sizeof(*slopes), ascending);
    double deviation = sqrt(variance_of(trend->value, n));
    /* One less than S: the correction for a distribution of whole numbers. */
    double z = deviation <= 0 ? 0 : score > 0 ? (score - 1) / deviation : score / deviation;
    double place = ((double)pairs - certain * deviation) / 2;
    size_t low = place <= 0 ? 0 : (size_t)place;
    double last = median_of(trend->value + n - third, third);
    *ret_slope = (struct trend_slope){
        .n = n,
        .span_s = trend->at_s[n - 1] - trend->at_s[0],
        .per_s = middle(slopes, pairs),
        .low_per_s = slopes[low < pairs ? low : pairs - 1],
        .rise = last - median_of(trend->value, third),
        .late = last - median_of(trend->value + third, n - 2 * third),
        .from_s = trend->at_s[0],
        .chance = erfc(z / sqrt(2)) / 2,
    };
    return true;
}
