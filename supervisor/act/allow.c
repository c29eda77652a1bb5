#include "act/allow.h"

static const double hour_s = 3600;

/* Between -10 and +10 %, hung on the last restart, so that it is the same whoever asks. */
static double jitter(const struct restart_history *h)
{
    return (double)((uint64_t)h->last_id * 2654435761u % 2001) / 10000 - 0.1;
}

/* After how long the next one may begin, and its number. */
static double delay_s(const struct restart_history *h, const struct settings *s, fact *ret_attempt)
{
    if (h->last_age_s < 0 || h->last_age_s > s->remedy_healthy_s) {
        *ret_attempt = 1;
        return 0;
    }
    *ret_attempt = h->last_attempt + 1;
    double delay = s->remedy_backoff_s;
    for (fact i = 1; i < h->last_attempt && delay < s->remedy_backoff_cap_s; i++)
        delay *= 2;
    return (delay < s->remedy_backoff_cap_s ? delay : s->remedy_backoff_cap_s) * (1 + jitter(h));
}

struct allow allow_restart(const struct restart_history *h, const struct settings *s)
{
    struct allow allow = {.answer = ALLOW_GO};
    double left_s = delay_s(h, s, &allow.attempt) - h->last_age_s;
    if (h->in_last_hour >= (size_t)s->remedy_budget_per_hour) {
        allow.answer = ALLOW_HOLD;
        allow.wait_s = hour_s - h->oldest_in_hour_age_s;
    } else if (allow.attempt > 1 && left_s > 0) {
        allow.answer = ALLOW_WAIT;
        allow.wait_s = left_s;
    }
    return allow;
}
