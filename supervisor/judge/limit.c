/* no-limit, limit-drift and high-drift: are the memory limit and memory.high the wanted ones, and
 * may they be set (docs/judgement.md)? */
#include "judge/look.h"

#include <stdio.h>

static const fact page = 4096; /* the kernel rounds a limit down to pages */

/* Never below max(held + kernel, the most ever held with a model) + 20 % (JUDGEMENT, acting 5). */
static fact floor_of(const struct look *look)
{
    fact kernel = look->container->cgroup.kernel;
    if (!fact_known(look->held))
        return FACT_UNKNOWN;
    fact most = look->held;
    /* Under version 2 a page on its way to the swap is in neither figure of held: the processes
     * know of it. Measured: 950 of 2,055 MiB while a slow disk was written. */
    fact occupied = fact_add(processes_held(look->container), look->container->cgroup.shmem);
    if (occupied > most)
        most = occupied;
    most += fact_known(kernel) ? kernel : 0;
    if (look->history->held_with_model > most)
        most = look->history->held_with_model;
    return most + most / 5;
}

/* The evidence of a drift. Returns whether the wanted one is not below the floor. */
static bool add_wanted(const struct look *look, struct verdict *v, fact wanted, const char *name,
                       fact is)
{
    fact floor = look->assessment->floor;
    verdict_add_fact(v, "wanted", UNIT_BYTES, wanted);
    verdict_add_fact(v, name, UNIT_BYTES, is);
    verdict_add_fact(v, "floor", UNIT_BYTES, floor);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    verdict_add_fact(v, "held_with_model", UNIT_BYTES, look->history->held_with_model);
    return fact_known(floor) && wanted >= floor;
}

/* The wanted limit is there: may it swap beyond it as much as is wanted? The kernel's figure is
 * memory + swap on version 1, swap alone on version 2. Without swap on the host, or where it is not
 * counted, there is nothing to bound. */
static bool swap_drifts(const struct look *look)
{
    const struct settings *s = &look->history->settings;
    const struct cgroup_memory *m = &look->container->cgroup;
    if (!fact_known(s->memory_swap) || look->world->host.swap_total <= 0 || !fact_known(m->swap) ||
        m->swap_limit == FACT_UNKNOWN)
        return false;
    fact wanted = s->memory_swap + (m->version == 1 ? s->memory_limit : 0);
    return m->swap_limit == FACT_NONE || m->swap_limit / page != wanted / page;
}

void judge_limit(struct look *look)
{
    struct history *h = look->history;
    const struct cgroup_memory *m = &look->container->cgroup;
    fact wanted = h->settings.memory_limit;
    look->assessment->floor = floor_of(look);

    enum tri none = m->limit == FACT_UNKNOWN              ? TRI_UNKNOWN
                    : m->limit == FACT_NONE && wanted < 0 ? TRI_TRUE
                                                          : TRI_FALSE;
    enum tri drift = TRI_FALSE;
    if (wanted >= 0)
        drift = m->limit == FACT_UNKNOWN || !fact_known(look->held)         ? TRI_UNKNOWN
                : m->limit == FACT_NONE || m->limit / page != wanted / page ? TRI_TRUE
                : swap_drifts(look)                                         ? TRI_TRUE
                                                                            : TRI_FALSE;

    /* Two looks in a row, so that a limit that is just being changed is not contradicted. */
    struct verdict *v =
        look_judge(look, VERDICT_NO_LIMIT, none, look->now_s, false, look->interval_s / 2);
    if (v) {
        verdict_add_fact(v, "held", UNIT_BYTES, look->held);
        verdict_add_fact(v, "total", UNIT_BYTES, look->world->host.total);
        snprintf(v->why, sizeof v->why,
                 "nothing bounds its memory but the host's; set the label supervisor.memory or "
                 "memory.limit to have one kept");
    }
    v = look_judge(look, VERDICT_LIMIT_DRIFT, drift, look->now_s, false, look->interval_s / 2);
    if (!v)
        return;
    bool swaps = m->limit >= 0 && m->limit / page == wanted / page;
    if (swaps)
        verdict_add_fact(v, "swap_limit", UNIT_BYTES, m->swap_limit);
    if (add_wanted(look, v, wanted, "limit", m->limit)) {
        v->remedy = REMEDY_LIMIT;
        snprintf(v->why, sizeof v->why,
                 m->limit == FACT_NONE ? "it has no limit and one is wanted"
                 : swaps               ? "it may swap beyond its limit otherwise than wanted"
                                       : "its limit is not the wanted one");
    } else {
        v->remedy = REMEDY_NONE;
        snprintf(v->why, sizeof v->why,
                 "the wanted limit is below the floor: what it holds, or has held with a model, "
                 "plus 20 %%");
    }
}

/* While a throttle stands this is silent, and for the look that ends it, so that it is undone
 * first.
 *
 * memory.high lives with the cgroup: a restart of the container loses it, and this finds it. */
void judge_high(struct look *look)
{
    struct history *h = look->history;
    const struct cgroup_memory *m = &look->container->cgroup;
    fact wanted = h->settings.memory_high;
    enum tri drift = TRI_FALSE;
    if (wanted >= 0 && m->version == 1)
        drift = TRI_TRUE;
    else if (look_throttled(look))
        drift = TRI_FALSE; /* what stands there is ours, and goes */
    else if (wanted >= 0)
        drift = m->version == 0 || m->high == FACT_UNKNOWN || !fact_known(look->held) ? TRI_UNKNOWN
                : m->high != FACT_NONE && m->high / page == wanted / page             ? TRI_FALSE
                                                                                      : TRI_TRUE;
    struct verdict *v =
        look_judge(look, VERDICT_HIGH_DRIFT, drift, look->now_s, false, look->interval_s / 2);
    if (!v)
        return;
    bool above_floor = add_wanted(look, v, wanted, "high", m->high);
    if (m->version == 1) {
        snprintf(v->why, sizeof v->why,
                 "memory.high is wanted and this host has none: it needs cgroup v2");
    } else if (above_floor) {
        v->remedy = REMEDY_HIGH;
        snprintf(v->why, sizeof v->why,
                 m->high == FACT_NONE ? "it has no memory.high and one is wanted"
                                      : "its memory.high is not the wanted one");
    } else {
        snprintf(v->why, sizeof v->why,
                 "the wanted memory.high is below the floor: what it holds, or has held with a "
                 "model, plus 20 %%");
    }
}
