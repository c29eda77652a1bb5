/* page-cache: under the host's pressure the page cache of a container may be asked for
 * (docs/judgement.md, acting 7). It is harmless by itself, and nothing else is ever done about it.
 */
#include "judge/rules.h"

#include <stdio.h>

/* Less is not worth the kernel's time: one small model's weights are 300 MiB and more. */
static const fact worth = 256 << 20;
/* What was raised stays for a little less, so that it does not come and go at the edge. */
static const double slack_percent = 5;

static struct ruling wanted(const struct look *look)
{
    const struct cgroup_memory *m = &look->container->cgroup;
    double in_use = pressure_in_use(&look->world->host),
           from = look->history->settings->action_optimize;
    if (!m->version || !fact_known(m->inactive_file) || in_use < 0)
        return UNKNOWN("the host's memory, or its page cache");
    if (in_use >= from && m->inactive_file >= worth)
        return YES(look->now_s);
    if (look->history->own[VERDICT_PAGE_CACHE].standing.raised && in_use >= from - slack_percent &&
        m->inactive_file >= worth / 2)
        return STAYS("it is nearly over");
    return NO("@ of the host's memory are in use (from @ on), @ are inactive page cache",
              PERCENT(in_use), PERCENT(from), BYTES(m->inactive_file));
}

static void judge(struct look *look)
{
    struct verdict *v =
        look_judge(look, VERDICT_PAGE_CACHE, look->history->own, wanted(look), three_looks(look));
    if (!v)
        return;
    SHOW(look, v, NULL);
    if (look->container->cgroup.version == 2)
        v->remedy = REMEDY_RECLAIM;
    snprintf(v->why, sizeof v->why, "%s",
             v->remedy == REMEDY_RECLAIM
                 ? "the host is short of memory, and this page cache was not used lately"
                 : "the host is short of memory, but page cache can only be asked for on cgroup "
                   "v2; the kernel takes it back by itself when it must");
}

const struct rule rule_page_cache = {
    {"page-cache", SEVERITY_INFO, REMEDY_RECLAIM, REMEDY_RECLAIM, DEEDS,
     "of the host's memory all but MemAvailable is `pressure.action_optimize` (90 %) or more, and "
     "at least 256 MiB of the container's page cache are inactive; it ends 5 % below that, or with "
     "half of that page cache; told on cgroup v1",
     "three looks", "inactive_file file available total in_use",
     "anything that makes memory of processes go"},
    .of_container = judge,
};
