/* high-drift: the same of memory.high, which lives with the cgroup: a restart of the container
 * loses it, and this finds it. While a throttle stands this is silent, and for the look that ends
 * it, so that it is undone first. */
#include "judge/rules.h"

#include <stdio.h>

static struct ruling drift(const struct look *look)
{
    const struct cgroup_memory *m = &look->container->cgroup;
    fact wanted = look->history->settings->memory_high;
    return wanted < 0             ? NO("memory.high is not set: none is wanted")
           : m->version == 1      ? YES(look->now_s)
           : look_throttled(look) ? NO("it is throttled: what stands there goes with that")
           : m->version == 0 || m->high == FACT_UNKNOWN || !fact_known(look->held)
               ? UNKNOWN("its memory.high, or what it holds")
           : m->high != FACT_NONE && same_pages(m->high, wanted)
               ? NO("it has what is wanted, @", BYTES(wanted))
               : YES(look->now_s);
}

static void judge(struct look *look)
{
    const struct cgroup_memory *m = &look->container->cgroup;
    fact wanted = look->history->settings->memory_high, floor = look->assessment->floor;
    struct verdict *v =
        look_judge(look, VERDICT_HIGH_DRIFT, look->history->own, drift(look), two_looks(look));
    if (!v)
        return;
    SHOW(look, v, NULL, {"wanted", UNIT_BYTES, (double)wanted});
    bool may = m->version != 1 && fact_known(floor) && wanted >= floor;
    v->remedy = may ? REMEDY_HIGH : REMEDY_NONE;
    snprintf(v->why, sizeof v->why, "%s",
             m->version == 1 ? "memory.high is wanted and this host has none: it needs cgroup v2"
             : !may          ? "the wanted memory.high is below the floor: what it holds, or has "
                               "held with a model, plus 20 %"
             : m->high == FACT_NONE ? "it has no memory.high and one is wanted"
                                    : "its memory.high is not the wanted one");
}

const struct rule rule_high_drift = {
    {"high-drift", SEVERITY_WARNING, REMEDY_HIGH, REMEDY_HIGH, DEEDS,
     "the same of memory.high (`memory.high`); on cgroup v1, which has none, told", "two looks",
     "wanted high floor held held_with_model", "a limit below the floor: told"},
    .of_container = judge,
};
