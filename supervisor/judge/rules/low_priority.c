/* low-priority: while the host is short of memory, who gives way is throttled
 * (docs/judgement.md). */
#include "judge/rules.h"

#include <stdio.h>

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

/* Whether the host has been relieved for long enough to end what was raised. */
static bool is_over(struct look *look, double in_use_percent)
{
    struct history *h = look->history;
    if (in_use_percent >= h->settings->level_critical - slack_percent)
        h->relieved_s = -1;
    else if (h->relieved_s < 0)
        h->relieved_s = look->now_s;
    return h->relieved_s >= 0 && look->now_s - h->relieved_s >= relief_s;
}

static struct ruling wanted(struct look *look)
{
    struct history *h = look->history;
    double in_use = pressure_in_use(&look->world->host);
    if (container_priority(look->container) != PRIORITY_LOW)
        return NO("its label supervisor.priority is not low");
    bool known = look->container->cgroup.version && in_use >= 0;
    bool critical = known && pressure_of_host(&look->world->host, h->settings) == LEVEL_CRITICAL;
    if (!known || critical)
        h->relieved_s = -1;
    if (!known)
        return UNKNOWN("the host's memory, or its cgroup");
    if (critical)
        return YES(look->now_s);
    if (h->own[VERDICT_LOW_PRIORITY].standing.raised && !is_over(look, in_use))
        return STAYS("it is nearly over");
    return NO("@ of the host's memory are in use, it is throttled above @", PERCENT(in_use),
              PERCENT(h->settings->level_critical));
}

static void judge(struct look *look)
{
    struct history *h = look->history;
    /* A suspicion keeps what an earlier supervisor throttled until this one knows. */
    look_take(look, &h->own[VERDICT_LOW_PRIORITY].condition, wanted(look));
    struct finding f = conditions_find(&h->own[VERDICT_LOW_PRIORITY].condition, 1);
    struct verdict *v =
        look_found(look, VERDICT_LOW_PRIORITY, h->own, &f, f.all_now, three_looks(look));
    if (!v)
        return;
    v->remedy = REMEDY_THROTTLE;
    SHOW(look, v, NULL, {"quota", UNIT_PERCENT, h->settings->remedy_throttle_cpu_percent});
    snprintf(v->why, sizeof v->why,
             "the host is short of memory, and its label supervisor.priority says that it gives "
             "way");
}

const struct rule rule_low_priority = {
    {"low-priority", SEVERITY_WARNING, REMEDY_THROTTLE, REMEDY_THROTTLE, DEEDS,
     "the host's level is critical (more than `pressure.level_critical`, 95 %, of its memory is "
     "not available), and the container has the label supervisor.priority=low; it ends when the "
     "host has been 5 % below that for 30 s",
     "three looks", "in_use held high quota",
     "a memory.high below what is in use and 10 % (64 MiB at least); a quota or a memory.high that "
     "is looser than what is there"},
    .of_container = judge,
};
