/* swap-in-use: a model is loaded, and swap is in use. */
#include "judge/rules.h"

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

static struct ruling in_use(const struct look *look, fact own)
{
    const struct host *host = &look->world->host;
    enum tri loaded = a_model_is_loaded(look);
    return host->swap_total == 0   ? NO("the host has no swap")
           : loaded == TRI_FALSE   ? NO("no model is loaded")
           : loaded == TRI_UNKNOWN ? UNKNOWN("loaded models or processes")
           : own >= own_swap_worth || host->swap_used > host_swap_worth ? YES(look->now_s)
           : !fact_known(own) || !fact_known(host->swap_used)
               ? UNKNOWN("what is swapped out")
               : NO("@ of it are swapped out", BYTES(own));
}

static void judge(struct look *look)
{
    fact own = swapped(look->container);
    struct verdict *v =
        look_judge(look, VERDICT_SWAP_IN_USE, look->history->own, in_use(look, own), swap_hold_s);
    if (!v)
        return;
    v->severity = own >= own_swap_worth ? SEVERITY_WARNING : SEVERITY_INFO;
    SHOW(look, v, NULL, {"swap", UNIT_BYTES, (double)own});
    snprintf(v->why, sizeof v->why, "%s",
             own >= own_swap_worth
                 ? "a model is loaded, and memory of its container is swapped out: it answers "
                   "slowly until that is read back"
                 : "a model is loaded, and the host's swap is in use");
}

const struct rule rule_swap_in_use = {
    {"swap-in-use", SEVERITY_INFO, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "a model is loaded, and more than 64 MiB of the host's swap are in use, or 1 MiB of the "
     "container's memory is swapped out (then a warning)",
     "60 s", "swap swap_used swap_total held",
     "any deed: what was swapped out comes back when it is used"},
    .of_container = judge,
};
