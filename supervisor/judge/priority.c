/* low-priority: while the host is short of memory, who gives way is throttled (row C11;
 * docs/judgement.md). */
#include "base/profile.h"
#include "judge/look.h"

#include <stdio.h>

/* Three looks: memory in use swings by gigabytes while a model loads. */
static const double hold_intervals = 1.5;
/* It ends so much below, for so long: what was slowed down asks for its memory as soon as it may.
 */
static const double slack_percent = 5, relief_s = 30;

bool look_throttled(const struct look *look)
{
    const struct matter *m = &look->history->own[VERDICT_LOW_PRIORITY];
    /* Before it is raised it may be so by an earlier supervisor. */
    return look->container->mode == MODE_ENFORCE &&
           (m->standing.raised || m->condition.since_s >= 0);
}

static bool gives_way(const struct container *c)
{
    const char *label = container_label(c, "supervisor.priority");
    enum priority priority = PRIORITY_NORMAL;
    return label && priority_parse(label, &priority) == 0 && priority == PRIORITY_LOW;
}

/* Whether the host has been relieved for long enough to end what was raised. */
static bool is_over(struct look *look, double in_use_percent)
{
    struct history *h = look->history;
    if (in_use_percent >= h->settings.level_critical - slack_percent)
        h->relieved_s = -1;
    else if (h->relieved_s < 0)
        h->relieved_s = look->now_s;
    return h->relieved_s >= 0 && look->now_s - h->relieved_s >= relief_s;
}

void judge_priority(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    const struct host *host = &look->world->host;
    bool known = c->cgroup.version && fact_known(host->available) && host->total > 0;
    double in_use_percent =
        known ? 100.0 * (double)(host->total - host->available) / (double)host->total : 0;
    enum tri wanted = TRI_FALSE;
    if (!gives_way(c)) {
        wanted = TRI_FALSE;
    } else if (!known) {
        wanted = TRI_UNKNOWN;
        h->relieved_s = -1;
    } else if (pressure_of_host(host, &h->settings) == LEVEL_CRITICAL) {
        wanted = TRI_TRUE;
        h->relieved_s = -1;
    } else if (h->own[VERDICT_LOW_PRIORITY].standing.raised && !is_over(look, in_use_percent)) {
        wanted = TRI_UNKNOWN; /* neither bears a deed nor ends the verdict */
    }
    /* A suspicion keeps what an earlier supervisor throttled until this one knows. */
    struct verdict *v = look_judge(look, VERDICT_LOW_PRIORITY, wanted, look->now_s,
                                   wanted == TRI_TRUE, hold_intervals * look->interval_s);
    if (!v)
        return;
    v->remedy = REMEDY_THROTTLE;
    if (known)
        verdict_add(v, "in_use", UNIT_PERCENT, in_use_percent);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add_fact(v, "high", UNIT_BYTES, c->cgroup.high);
    verdict_add(v, "quota", UNIT_PERCENT, h->settings.remedy_throttle_cpu_percent);
    snprintf(v->why, sizeof v->why,
             "the host is short of memory, and its label supervisor.priority says that it gives "
             "way");
}
