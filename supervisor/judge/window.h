/* The last five seconds of CPU time and received bytes (docs/judgement.md, fact 6). Private to the
 * judge's room. */
#ifndef SUPERVISOR_JUDGE_WINDOW_H
#define SUPERVISOR_JUDGE_WINDOW_H

#include "base/fact.h"
#include "judge/tiers.h"

enum { WINDOW_SAMPLES = 64 };

struct window {
    struct {
        double t_s;
        fact cpu_us, received;
    } samples[WINDOW_SAMPLES];
    size_t first, n;
};

void window_take(struct window *window, double now_s, fact cpu_us, fact received);

/* Use over the window. */
struct window_use {
    double span_s;                      /* how much the window really covers */
    double from_s;                      /* when it began */
    double cpu_percent, received_per_s; /* of one core; < 0 unknown */
    fact cpu_used_us, received_bytes;   /* in the window; unknown if not read */
};
/* window NULL: nothing is known. */
struct window_use window_use(const struct window *window, double now_s);
/* Of a runner: busy when it has used more than busy_cpu_percent of a core in the window; one that
 * is not full yet is busy as soon as it has used what a full one may, else unknown. */
enum rest window_rest(const struct window *window, double busy_cpu_percent);

#endif
