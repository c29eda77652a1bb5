/* page-cache: under the host's pressure the page cache of a container may be asked for
 * (docs/judgement.md, acting 7). It is harmless by itself, and nothing else is ever done about it.
 */
#include "judge/look.h"

#include <stdio.h>

/* Less is not worth the kernel's time: one small model's weights are 300 MiB and more. */
static const fact worth = 256 << 20;
/* Three looks: memory in use swings by gigabytes while a model loads. */
static const double hold_intervals = 1.5;
/* What was raised stays for a little less, so that it does not come and go at the edge. */
static const double slack_percent = 5;

void judge_cache(struct look *look)
{
    struct history *h = look->history;
    const struct cgroup_memory *m = &look->container->cgroup;
    const struct host *host = &look->world->host;
    bool known = m->version && fact_known(m->inactive_file) && fact_known(host->available) &&
                 host->total > 0;
    double in_use_percent =
        known ? 100.0 * (double)(host->total - host->available) / (double)host->total : 0;
    double from_percent = h->settings.action_optimize;
    enum tri wanted = TRI_FALSE;
    if (!known)
        wanted = TRI_UNKNOWN;
    else if (in_use_percent >= from_percent && m->inactive_file >= worth)
        wanted = TRI_TRUE;
    else if (h->own[VERDICT_PAGE_CACHE].standing.raised &&
             in_use_percent >= from_percent - slack_percent && m->inactive_file >= worth / 2)
        wanted = TRI_UNKNOWN; /* neither bears a deed nor ends the verdict */
    struct verdict *v = look_judge(look, VERDICT_PAGE_CACHE, wanted, look->now_s, false,
                                   hold_intervals * look->interval_s);
    if (!v)
        return;
    verdict_add_fact(v, "inactive_file", UNIT_BYTES, m->inactive_file);
    verdict_add_fact(v, "file", UNIT_BYTES, m->file);
    verdict_add_fact(v, "available", UNIT_BYTES, host->available);
    verdict_add_fact(v, "total", UNIT_BYTES, host->total);
    if (known)
        verdict_add(v, "in_use", UNIT_PERCENT, in_use_percent);
    if (m->version == 2) {
        v->remedy = REMEDY_RECLAIM;
        snprintf(v->why, sizeof v->why,
                 "the host is short of memory, and this page cache was not used lately");
    } else {
        snprintf(v->why, sizeof v->why,
                 "the host is short of memory, but page cache can only be asked for on cgroup v2; "
                 "the kernel takes it back by itself when it must");
    }
}
