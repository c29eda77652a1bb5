/* limit-drift: is the memory limit the wanted one, and may it be set? */
#include "judge/rules.h"

#include <stdio.h>

/* The wanted limit is there: may it swap beyond it as much as is wanted? The kernel's figure is
 * memory + swap on version 1, swap alone on version 2. Without swap on the host, or where it is not
 * counted, there is nothing to bound. */
static bool swap_drifts(const struct look *look)
{
    const struct settings *s = look->history->settings;
    const struct cgroup_memory *m = &look->container->cgroup;
    if (!fact_known(s->memory_swap) || look->world->host.swap_total <= 0 || !fact_known(m->swap) ||
        m->swap_limit == FACT_UNKNOWN)
        return false;
    fact wanted = s->memory_swap + (m->version == 1 ? s->memory_limit : 0);
    return m->swap_limit == FACT_NONE || !same_pages(m->swap_limit, wanted);
}

static struct ruling drift(const struct look *look)
{
    fact wanted = look->history->settings->memory_limit, is = look->container->cgroup.limit;
    return wanted < 0 ? NO("memory.limit is not set: none is wanted")
           : is == FACT_UNKNOWN || !fact_known(look->held) ? UNKNOWN("its limit, or what it holds")
           : is == FACT_NONE || !same_pages(is, wanted) || swap_drifts(look)
               ? YES(look->now_s)
               : NO("it has what is wanted, @", BYTES(wanted));
}

static void judge(struct look *look)
{
    const struct cgroup_memory *m = &look->container->cgroup;
    fact wanted = look->history->settings->memory_limit;
    struct verdict *v =
        look_judge(look, VERDICT_LIMIT_DRIFT, look->history->own, drift(look), two_looks(look));
    if (!v)
        return;
    bool swaps = m->limit >= 0 && same_pages(m->limit, wanted);
    SHOW(look, v, NULL, {"wanted", UNIT_BYTES, (double)wanted},
         {"limit", UNIT_BYTES, (double)m->limit},
         {"swap_limit", UNIT_BYTES, swaps ? (double)m->swap_limit : -1});
    bool may = fact_known(look->assessment->floor) && wanted >= look->assessment->floor;
    v->remedy = may ? REMEDY_LIMIT : REMEDY_NONE;
    snprintf(v->why, sizeof v->why, "%s",
             !may ? "the wanted limit is below the floor: what it holds, or has held with a "
                    "model, plus 20 %"
             : m->limit == FACT_NONE ? "it has no limit and one is wanted"
             : swaps                 ? "it may swap beyond its limit otherwise than wanted"
                                     : "its limit is not the wanted one");
}

const struct rule rule_limit_drift = {
    {"limit-drift", SEVERITY_WARNING, REMEDY_LIMIT, REMEDY_LIMIT, DEEDS,
     "one is wanted (`memory.limit`), and another or none is there", "two looks",
     "wanted limit swap_limit floor held held_with_model",
     "a limit below the floor (*Acting* 5): told"},
    .of_container = judge,
};
