/* no-limit: nothing bounds the container's memory. */
#include "judge/rules.h"

#include <stdio.h>

static struct ruling none(const struct look *look)
{
    fact limit = cgroup_bound(&look->container->cgroup);
    return limit == FACT_UNKNOWN                        ? UNKNOWN("its limit")
           : limit != FACT_NONE                         ? NO("it has a limit of @", BYTES(limit))
           : look->history->settings->memory_limit >= 0 ? NO("one is wanted, see limit-drift")
                                                        : YES(look->now_s);
}

static void judge(struct look *look)
{
    struct verdict *v =
        look_judge(look, VERDICT_NO_LIMIT, look->history->own, none(look), two_looks(look));
    if (!v)
        return;
    SHOW(look, v, NULL);
    snprintf(v->why, sizeof v->why,
             "nothing bounds its memory but the host's; set the label supervisor.memory or "
             "memory.limit to have one kept");
}

const struct rule rule_no_limit = {
    {"no-limit", SEVERITY_INFO, REMEDY_NONE, REMEDY_NONE, DEEDS | BIT(REMEDY_LIMIT),
     "no limit is there, and none is wanted", "two looks", "held total",
     "a limit that nobody asked for"},
    .of_container = judge,
};
