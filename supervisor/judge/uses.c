#include "judge/uses.h"
#include "base/grow.h"
#include "base/model_name.h"
#include "judge/look.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is to be remembered is as old as this, or work of a runner that is: whether it was our own
 * load is known by then. */
static const double settled_s = 5;
/* In which the kernel tells when a process began, rounded down. */
static const double tick_s = 0.01;

void uses_clear(struct uses *uses)
{
    free(uses->all);
    free(uses->loads);
    *uses = (struct uses){0};
}

const char *use_name(enum use use)
{
    static const char *const names[] = {[USE_START] = "its load",
                                        [USE_WORK] = "its work",
                                        [USE_LEASE] = "its expires_at",
                                        [USE_NONE] = "before our own load"};
    return names[use];
}

struct model_use *uses_find(const struct uses *uses, const char *model)
{
    for (size_t i = 0; i < uses->n; i++)
        if (model_same(uses->all[i].model, model))
            return &uses->all[i];
    return NULL;
}

/* The load of ours by which the model shows a use in that time; NULL: it was somebody's. */
static const struct own_load *load_of(const struct look *look, const char *model,
                                      const struct work *work)
{
    const struct uses *uses = &look->history->uses;
    double late_s = look->poll_s + 2 * look->interval_s; /* when it is seen */
    for (size_t i = 0; i < uses->n_loads; i++) {
        const struct own_load *load = &uses->loads[i];
        double ended_s = load->ended_s < 0 ? HUGE_VAL : load->ended_s;
        if (model_same(load->model, model) && work->to_s >= load->begun_s - tick_s &&
            work->from_s <= ended_s && work->to_s <= ended_s + late_s)
            return load;
    }
    return NULL;
}

struct model_use uses_of(const struct look *look, const char *model, const struct runner *r)
{
    const struct own_load *load = load_of(look, model, &r->work);
    const struct model_use *before = load ? uses_find(&look->history->uses, model) : NULL;
    struct model_use use = {.from_s = r->work.from_s, .to_s = r->work.to_s, .use = r->work.use};
    if (before && isfinite(before->to_s))
        use = *before;
    else if (load)
        use = (struct model_use){.from_s = -HUGE_VAL, .to_s = load->begun_s, .use = USE_NONE};
    return use;
}

static struct model_use *find_or_add(struct uses *uses, const char *model)
{
    struct model_use *use = uses_find(uses, model);
    if (use)
        return use;
    if (uses->all && uses->n == USES_KEPT) {
        struct model_use *oldest = uses->all;
        for (size_t i = 1; i < uses->n; i++)
            if (uses->all[i].to_s < oldest->to_s)
                oldest = &uses->all[i];
        use = oldest;
    } else if (!(use = array_more(&uses->all, &uses->n, USES_KEPT, sizeof *use))) {
        return NULL;
    }
    *use = (struct model_use){.from_s = -HUGE_VAL, .to_s = -HUGE_VAL, .use = USE_NONE};
    snprintf(use->model, sizeof use->model, "%s", model);
    return use;
}

void uses_tell(struct uses *uses, const struct model_use *told)
{
    struct model_use *use = find_or_add(uses, told->model);
    if (!use || use->to_s > told->to_s)
        return;
    *use = *told;
    use->earlier = true;
}

void uses_tell_loads(struct uses *uses, const struct own_load *loads, size_t n)
{
    free(uses->loads);
    uses->loads = NULL;
    uses->n_loads = 0;
    for (size_t i = 0; i < n; i++) {
        struct own_load *load =
            array_more(&uses->loads, &uses->n_loads, OWN_LOADS_MAX, sizeof *load);
        if (load)
            *load = loads[i];
    }
}

/* An earlier supervisor's word of a runner that is there still: it was used since if its work or
 * its expires_at tell, and not before what that had seen. */
static void resume(struct model_use *use, struct work *work)
{
    use->earlier = false;
    if (work->use != USE_START)
        return; /* newer */
    bool renewed = use->expires_ms != work->lease.expires_ms,
         worked = work_between(use->cpu_us, use->seen_s, work->cpu_us, work->cpu_at_s);
    bool unused = !renewed && !worked && !isfinite(use->to_s);
    work->from_s = renewed || worked ? use->seen_s : use->from_s;
    work->to_s = renewed || worked ? work->first_s : use->to_s;
    if (unused) /* since its start, which was our own load */
        work->from_s = work->to_s = (double)use->started_us / 1e6;
    work->use = renewed ? USE_LEASE : worked ? USE_WORK : use->use;
}

static void take(struct look *look, const char *model, struct runner *r)
{
    struct model_use *use = find_or_add(&look->history->uses, model);
    struct work *work = &r->work;
    if (!use)
        return;
    bool same = use->pid == r->pid && use->started_us == r->started_us;
    if (use->earlier && same && work->lease.expires_ms < 0)
        return; /* with the next list */
    if (use->earlier && same)
        resume(use, work);
    use->earlier = false;
    bool settled = look->now_s - work->to_s >= settled_s ||
                   (work->use == USE_WORK && work->to_s - work->first_s >= settled_s);
    use->outdated = work->to_s > use->to_s && !load_of(look, model, work);
    if (settled && use->outdated) {
        use->outdated = false;
        use->from_s = work->from_s;
        use->to_s = work->to_s;
        use->use = work->use;
    }
    use->pid = r->pid;
    use->started_us = r->started_us;
    use->cpu_us = work->cpu_us;
    use->expires_ms = work->lease.expires_ms;
    use->seen_s = work->lease.asked_s;
}

void uses_look(struct look *look)
{
    struct history *h = look->history;
    for (size_t i = 0; i < h->n_models; i++) {
        struct runner *r = h->models[i].now ? model_runner(look, h->models[i].now) : NULL;
        if (r && r->now)
            take(look, h->models[i].name, r);
    }
    look->assessment->uses = &h->uses;
}
