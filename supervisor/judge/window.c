#include "judge/window.h"

/* docs/judgement.md, fact 6: over the last 5 s. */
static const double window_s = 5;

void window_take(struct window *window, double now_s, fact cpu_us, fact received)
{
    /* Looks may come faster than the ring is long: keep what is enough to span the window. */
    if (window->n > 1) {
        size_t last = (window->first + window->n - 1) % WINDOW_SAMPLES;
        size_t before = (window->first + window->n - 2) % WINDOW_SAMPLES;
        if (now_s - window->samples[before].t_s < 2 * window_s / WINDOW_SAMPLES) {
            window->samples[last].t_s = now_s;
            window->samples[last].cpu_us = cpu_us;
            window->samples[last].received = received;
            return;
        }
    }
    if (window->n == WINDOW_SAMPLES) {
        window->first = (window->first + 1) % WINDOW_SAMPLES;
        window->n--;
    }
    size_t at = (window->first + window->n++) % WINDOW_SAMPLES;
    window->samples[at].t_s = now_s;
    window->samples[at].cpu_us = cpu_us;
    window->samples[at].received = received;
    /* Drop what is older than needed, but keep the newest one that is at least the window old. */
    while (window->n > 2 &&
           now_s - window->samples[(window->first + 1) % WINDOW_SAMPLES].t_s >= window_s) {
        window->first = (window->first + 1) % WINDOW_SAMPLES;
        window->n--;
    }
}

static double rate(fact from, fact to, double span_s, fact *ret_used)
{
    *ret_used = from < 0 || to < 0 || to < from ? FACT_UNKNOWN : to - from;
    return *ret_used < 0 || span_s <= 0 ? -1 : (double)*ret_used / span_s;
}

struct window_use window_use(const struct window *window, double now_s)
{
    struct window_use use = {.from_s = now_s,
                             .cpu_percent = -1,
                             .received_per_s = -1,
                             .cpu_used_us = -1,
                             .received_bytes = -1};
    if (!window || window->n < 2)
        return use;
    size_t first = window->first, last = (window->first + window->n - 1) % WINDOW_SAMPLES;
    use.from_s = window->samples[first].t_s;
    use.span_s = window->samples[last].t_s - use.from_s;
    double cpu_us_per_s = rate(window->samples[first].cpu_us, window->samples[last].cpu_us,
                               use.span_s, &use.cpu_used_us);
    use.cpu_percent =
        cpu_us_per_s < 0 ? -1 : cpu_us_per_s / 1e4; /* 1e6 us a second is 100 % of a core */
    use.received_per_s = rate(window->samples[first].received, window->samples[last].received,
                              use.span_s, &use.received_bytes);
    return use;
}

enum rest window_rest(const struct window *window, double busy_cpu_percent)
{
    static const double least_s = 4.5; /* looks are not evenly spaced */
    struct window_use used = window_use(window, 0);
    if (used.cpu_percent < 0)
        return REST_UNKNOWN;
    bool full = used.span_s >= least_s;
    double over_s = full ? used.span_s : window_s;
    if ((double)used.cpu_used_us > busy_cpu_percent * 1e4 * over_s)
        return REST_BUSY;
    return full ? REST_IDLE : REST_UNKNOWN;
}
