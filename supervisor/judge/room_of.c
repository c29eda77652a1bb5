/* The room of one container, from a world. */
#include "judge/room.h"

#include "base/model_name.h"
#include "judge/look.h"
#include "sense/policy.h"

#include <stdio.h>
#include <string.h>

/* The runner of a listed model: by its blob, else the only one of the only model. NULL: nobody can
 * tell which, or there is none. */
static const struct process *runner_of(const struct container *c, const struct model *model)
{
    const struct process *only = NULL;
    size_t n = 0;
    if (model->blob[0])
        return runner_of_blob(c, model->blob);
    for (size_t i = 0; i < c->n_processes; i++)
        if (process_is_live_runner(&c->processes[i])) {
            only = &c->processes[i];
            n++;
        }
    return n == 1 && c->ollama.n_models == 1 ? only : NULL;
}

/* What the judge knows of a use that lies between instants so far apart is better than what
 * expires_at tells. */
static const double told_within_s = 60;

/* How long nobody has used it; < 0 unknown. What was seen beats what is computed from expires_at,
 * by which a model that somebody asked to keep for less than the server does looks idle for too
 * long: no longer than since a use that is remembered. */
static double idle_of(const struct room_options *o, const struct model *model,
                      const struct process *p, double age_s)
{
    double now_s = o->world->monotonic_s;
    double used_s = p && o->uses ? runner_uses_used_s(o->uses, p) : -1;
    double watched_s = p && o->uses ? runner_uses_watched_s(o->uses, p) : -1;
    if (used_s >= 0)
        return now_s - used_s;
    const struct assessment *a = judgement_assessment(o->judgement, o->container->id);
    const struct model_use *use = a && a->uses ? uses_find(a->uses, model->name) : NULL;
    if (use && !use->earlier && !use->outdated && use->to_s - use->from_s < told_within_s)
        return now_s - use->to_s;
    struct lease lease;
    bool leased = model_lease(o->world, o->container, model, &lease) && lease.ended_s <= now_s;
    double idle_s = leased ? now_s - lease.ended_s : -1;
    if (age_s >= 0 && idle_s > age_s)
        idle_s = age_s;
    int64_t told_ms = o->last_used_ms ? o->last_used_ms(o->userdata, model->name) : 0;
    double told_s = (double)(o->world->time_ms - told_ms) / 1000;
    if (told_ms > 0 && idle_s > told_s)
        idle_s = told_s > 0 ? told_s : 0;
    return watched_s >= 0 && idle_s < now_s - watched_s ? now_s - watched_s : idle_s;
}

/* A runner whose blob is unknown may be anybody's. */
static bool is_ghost(const struct container *c, const struct model *model)
{
    bool served = !c->processes_known || !model->blob[0];
    for (size_t i = 0; c->processes && i < c->n_processes; i++)
        served |= process_is_live_runner(&c->processes[i]) &&
                  (!c->processes[i].blob[0] || !strcmp(c->processes[i].blob, model->blob));
    return !served;
}

static void take_model(const struct room_options *o, const struct model *model, struct room *room,
                       const struct tier *tiers, size_t n_tiers)
{
    const struct world *world = o->world;
    const struct process *p = runner_of(o->container, model);
    struct loaded_model *m = &room->models[room->n_models++];
    *m = (struct loaded_model){.held = p ? process_held(p) : FACT_UNKNOWN, .idle_s = -1};
    snprintf(m->name, sizeof m->name, "%s", model->name);
    snprintf(m->digest, sizeof m->digest, "%s", model->digest);
    m->ghost = is_ghost(o->container, model);
    m->size = model->size;
    m->tier = tier_of(tiers, n_tiers, model->name);
    m->pinned = model_in_list(room->settings.models_pin, model->name);
    double age_s =
        p && fact_known(p->started_us) ? world->monotonic_s - (double)p->started_us / 1e6 : -1;
    m->idle_s = idle_of(o, model, p, age_s);
    m->used_s = m->idle_s >= 0 ? world->monotonic_s - m->idle_s
                : age_s >= 0   ? world->monotonic_s - age_s
                               : world->monotonic_s;
    if (p && o->uses)
        m->rest = runner_uses_rest(o->uses, p, room->settings.leak_busy_cpu_percent);
}

void room_of(const struct room_options *o, struct room *ret_room)
{
    const struct container *c = o->container;
    const struct assessment *a = judgement_assessment(o->judgement, c->id);
    const struct settings *all = config_settings(o->config);
    size_t n_tiers;
    const struct tier *tiers = config_tiers(o->config, &n_tiers);
    memset(ret_room, 0, sizeof *ret_room);
    policy_for(o->config, c, &ret_room->settings, NULL);
    ret_room->limit = cgroup_bound(&c->cgroup);
    ret_room->held = container_held(c, &o->world->host);
    ret_room->kernel = c->cgroup.kernel;
    ret_room->budget = all->memory_max_model_memory;
    ret_room->budget_held = o->judgement->models_held;
    fact own = ret_room->settings.memory_max_model_memory;
    ret_room->own_budget = own == ret_room->budget ? FACT_NONE : own;
    ret_room->own_held = a ? a->models_held : FACT_UNKNOWN;
    ret_room->host_total = o->world->host.total;
    ret_room->host_available = o->world->host.available;
    for (size_t i = 0; i < c->ollama.n_models && ret_room->n_models < LOADED_MAX; i++)
        take_model(o, &c->ollama.models[i], ret_room, tiers, n_tiers);
}
