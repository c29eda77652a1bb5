/* Metrics as Prometheus' text format 0.0.4, or as OpenMetrics 1.0. */
#ifndef SUPERVISOR_TELL_SERVE_METRICS_TEXT_H
#define SUPERVISOR_TELL_SERVE_METRICS_TEXT_H

#include "base/buffer.h"
#include "base/fact.h"
#include <stdbool.h>

struct metrics {
    struct buffer text;
    bool open;        /* OpenMetrics */
    bool failed;      /* no memory, or more than fits */
    const char *name; /* of the family that was begun */
    bool counter;
};

enum { METRICS_MAX = 32 * 1024 * 1024 };

/* Of a family; what follows are its samples. The name of a counter is without _total. */
void metrics_gauge(struct metrics *metrics, const char *name, const char *help);
void metrics_counter(struct metrics *metrics, const char *name, const char *help);
/* labels: names and values in turn, a NULL at the end; values are escaped here. A value that is not
 * finite is left out. */
void metrics_sample(struct metrics *metrics, const char *const *labels, double value);
void metrics_end(struct metrics *metrics);

#define LABELS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

#endif
