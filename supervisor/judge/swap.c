/* swap-in-use (docs/judgement.md). */
#include "judge/look.h"

#include <stdio.h>

static const double swap_hold_s = 60;
/* Less of the host's swap is what was never used again since its start. */
static const fact host_swap_worth = 64 << 20, own_swap_worth = 1 << 20;

/* What of the container's memory is on the swap alone. */
static fact swapped(const struct container *c)
{
    const struct cgroup_memory *m = &c->cgroup;
    if (m->swap >= 0) {
        fact cached = m->version == 2 && m->swapcached > 0 ? m->swapcached : 0;
        return m->swap > cached ? m->swap - cached : 0;
    }
    fact sum = c->processes_known ? 0 : FACT_UNKNOWN;
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].state != 'Z')
            sum = fact_add(sum, c->processes[i].swap);
    return sum;
}

/* An orphan is none: nobody waits for what it holds. */
static enum tri a_model_is_loaded(const struct look *look)
{
    const struct container *c = look->container;
    enum tri loaded = c->processes_known ? TRI_FALSE : TRI_UNKNOWN;
    for (size_t i = 0; i < c->n_processes && loaded != TRI_TRUE; i++) {
        enum tri listed = process_is_live_runner(&c->processes[i])
                              ? runner_listed(look, &c->processes[i])
                              : TRI_FALSE;
        if (listed != TRI_FALSE)
            loaded = listed;
    }
    return loaded;
}

void judge_swap(struct look *look)
{
    const struct container *c = look->container;
    const struct host *host = &look->world->host;
    fact own = swapped(c);
    bool own_is = own >= own_swap_worth, host_is = host->swap_used > host_swap_worth;
    enum tri loaded = a_model_is_loaded(look);
    enum tri in_use = loaded == TRI_FALSE || host->swap_total == 0       ? TRI_FALSE
                      : loaded == TRI_UNKNOWN                            ? TRI_UNKNOWN
                      : own_is || host_is                                ? TRI_TRUE
                      : !fact_known(own) || !fact_known(host->swap_used) ? TRI_UNKNOWN
                                                                         : TRI_FALSE;
    struct verdict *v =
        look_judge(look, VERDICT_SWAP_IN_USE, in_use, look->now_s, false, swap_hold_s);
    if (!v)
        return;
    v->severity = own_is ? SEVERITY_WARNING : SEVERITY_INFO;
    verdict_add_fact(v, "swap", UNIT_BYTES, own);
    verdict_add_fact(v, "swap_used", UNIT_BYTES, host->swap_used);
    verdict_add_fact(v, "swap_total", UNIT_BYTES, host->swap_total);
    verdict_add_fact(v, "held", UNIT_BYTES, look->held);
    snprintf(v->why, sizeof v->why, "%s",
             own_is ? "a model is loaded, and memory of its container is swapped out: it answers "
                      "slowly until that is read back"
                    : "a model is loaded, and the host's swap is in use");
}
