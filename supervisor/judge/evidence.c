/* The numbers that a verdict shows: those that its kind names, in that order. */
#include "judge/kinds.h"
#include "judge/look.h"
#include "judge/pressure.h"

#include <string.h>

static const struct evidence *find(const struct evidence *all, size_t n, const char *name,
                                   size_t length)
{
    for (size_t i = 0; i < n; i++)
        if (!strncmp(all[i].name, name, length) && !all[i].name[length])
            return &all[i];
    return NULL;
}

void look_show(const struct look *look, struct verdict *verdict, const struct runner *r,
               const struct evidence *own, size_t n)
{
    static const struct container no_container;
    static const struct assessment no_assessment = {.floor = FACT_UNKNOWN};
    const struct container *c = look->container ? look->container : &no_container;
    const struct assessment *a = look->assessment ? look->assessment : &no_assessment;
    const struct host *host = &look->world->host;
    const struct process *p = r ? r->now : NULL;
    const struct evidence common[] = {
        {"held", UNIT_BYTES, (double)look->held},
        {"held_with_model", UNIT_BYTES, (double)a->held_with_model},
        {"serve", UNIT_BYTES, (double)look->serve_held},
        {"baseline", UNIT_BYTES, (double)look->baseline},
        {"threshold", UNIT_BYTES, (double)look->threshold},
        {"floor", UNIT_BYTES, (double)a->floor},
        {"limit", UNIT_BYTES, (double)cgroup_bound(&c->cgroup)},
        {"high", UNIT_BYTES, (double)c->cgroup.high},
        {"page_cache", UNIT_BYTES, (double)c->cgroup.file},
        {"file", UNIT_BYTES, (double)c->cgroup.file},
        {"inactive_file", UNIT_BYTES, (double)c->cgroup.inactive_file},
        {"models", UNIT_COUNT, (double)c->ollama.n_models},
        {"runners", UNIT_COUNT, (double)look->live_runners},
        {"connections", UNIT_COUNT, (double)look->connections},
        {"cpu", UNIT_PERCENT, look->use.cpu_percent},
        {"received", UNIT_BYTES_PER_SECOND, look->use.received_per_s},
        {"pid", UNIT_COUNT, r ? (double)r->pid : -1},
        {"runner", UNIT_BYTES, r ? (double)r->held : -1},
        {"runner_file", UNIT_BYTES, p ? (double)p->rss_file : -1},
        {"runner_cpu_us", UNIT_COUNT, p ? (double)p->cpu_us : -1},
        {"in_use", UNIT_PERCENT, pressure_in_use(host)},
        {"available", UNIT_BYTES, (double)host->available},
        {"total", UNIT_BYTES, (double)host->total},
        {"swap_used", UNIT_BYTES, (double)host->swap_used},
        {"swap_total", UNIT_BYTES, (double)host->swap_total},
    };
    for (const char *at = kind_of(verdict->kind)->evidence; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        const struct evidence *e = find(own, n, at, length);
        if (!e)
            e = find(common, sizeof common / sizeof common[0], at, length);
        if (e && e->value >= 0)
            verdict_add(verdict, e->name, e->unit, e->value);
        at += length;
    }
}
