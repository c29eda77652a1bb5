#include "judge/rules/host_pressure_relief.h"

#include "base/model_name.h"
#include <string.h>

static const double rest_s = 5; /* as for busy */

/* Its window fills: idle or busy is known within five seconds. */
static bool known_soon(const struct look *look, const struct process *p, const struct runner *r)
{
    struct window_use use = window_use(&r->window, look->now_s);
    return fact_known(p->cpu_us) && (r->window.n < 2 || use.cpu_percent >= 0);
}

static enum relief_stage stage_of(const struct look *look, const struct relief_model *m)
{
    bool ghost = look->assessment->live_runners == 0 || model_haunted(look, m->model) == TRI_TRUE;
    if (!fact_known(m->pid) && ghost)
        return RELIEF_NONE;
    if (m->loaded.rest != REST_IDLE)
        return m->loaded.pinned ? RELIEF_BUSY_PINNED : RELIEF_BUSY;
    return m->loaded.pinned                 ? RELIEF_PINNED
           : tier_protected(m->loaded.tier) ? RELIEF_TIER
                                            : RELIEF_IDLE;
}

/* Idle: it used little of a core, nothing else was seen to happen in it either, and no request is
 * known to be under way: one may wait. */
static enum rest rest_of(const struct look *look, const struct runner *r)
{
    enum rest rest = window_rest(&r->window, look->history->settings->leak_busy_cpu_percent);
    bool worked = r->work.used_s >= 0 && look->now_s - r->work.used_s < rest_s;
    return rest == REST_IDLE && (worked || r->work.request_s >= 0) ? REST_BUSY : rest;
}

/* What is known of the model. Nobody has used it for as long as that was watched: what its
 * expires_at would add to that is computed by a keep-alive that need not have been asked for. */
static void describe(const struct look *look, const struct config *config,
                     const struct model *model, const struct process *p, const struct runner *r,
                     struct loaded_model *ret_model)
{
    size_t n_tiers;
    const struct tier *tiers = config_tiers(config, &n_tiers);
    double used_s = !r ? -1 : r->work.used_s >= 0 ? r->work.used_s : r->work.first_s;
    *ret_model = (struct loaded_model){
        .held = p ? process_held(p) : FACT_UNKNOWN,
        .size = model->size,
        .tier = tier_of(tiers, n_tiers, model->name),
        .pinned = model_in_list(look->history->settings->models_pin, model->name),
        .rest = r ? rest_of(look, r) : REST_UNKNOWN,
        .idle_s = used_s >= 0 ? look->now_s - used_s : -1,
        .used_s = used_s >= 0 ? used_s : look->now_s};
    memcpy(ret_model->name, model->name, sizeof ret_model->name);
}

bool relief_exclusive(const struct container *c)
{
    const char *label = container_label(c, "supervisor.exclusive");
    bool on;
    return label && switch_parse(label, &on, NULL) == 0 && on;
}

static void take(const struct look *look, const struct config *config, const struct model *model,
                 enum pressure_level level, struct relief_model *m)
{
    struct history *h = look->history;
    const struct process *p = runner_of_blob(look->container, model->blob);
    struct runner *r = p ? history_runner(h, p) : NULL;
    struct known_model *known = history_model(h, model->name);
    *m = (struct relief_model){.model = model, .pid = FACT_UNKNOWN, .started_us = FACT_UNKNOWN};
    describe(look, config, model, p, r, &m->loaded);
    m->class = model_class(&m->loaded, h->settings->models_small_model);
    if (p) {
        m->pid = p->pid;
        m->started_us = p->started_us;
    }
    bool asked = !known || look->now_s < known->skip_until_s ||
                 has_failed(&known->failures, REMEDY_UNLOAD, look->now_s, relief_skip_s);
    m->waits = !asked && r && m->loaded.rest == REST_UNKNOWN && known_soon(look, p, r);
    m->goes = !asked && model_stays(&m->loaded, level, false) == STAYS_NOT &&
              !relief_exclusive(look->container);
    m->stage = asked || m->waits ? RELIEF_NONE : stage_of(look, m);
}

void relief_models(const struct look *look, const struct config *config, enum pressure_level level,
                   struct relief_models *ret_models)
{
    const struct container *c = look->container;
    ret_models->n = 0;
    if (c->status != STATUS_RUNNING || !look->assessment->answered || !c->processes_known)
        return;
    for (size_t i = 0; i < c->ollama.n_models && ret_models->n < LOADED_MAX; i++) {
        struct relief_model one;
        take(look, config, &c->ollama.models[i], level, &one);
        size_t at = ret_models->n++;
        for (; at > 0 && model_before(&one.loaded, one.class, &ret_models->list[at - 1].loaded,
                                      ret_models->list[at - 1].class);
             at--)
            ret_models->list[at] = ret_models->list[at - 1];
        ret_models->list[at] = one;
    }
}

void relief_tell_failed(struct history *history, const struct verdict *verdict, double now_s)
{
    struct known_model *known = history_model(history, verdict->model);
    if (strcmp(history->started_at, verdict->started_at))
        return;
    if (verdict->remedy == REMEDY_STOP)
        history->relief.stop_skip_until_s = now_s + relief_skip_s;
    else if (known)
        known->skip_until_s = now_s + relief_skip_s;
}

fact relief_of(const struct container *container, const struct assessment *assessment)
{
    fact resident = fact_add(container->cgroup.anon, container->cgroup.shmem);
    return fact_known(resident) ? resident : assessment->held;
}

const char *relief_unstoppable(const struct container *container)
{
    if (container->auto_remove != 0)
        return container->auto_remove == 1 ? "its stop would delete it (--rm)"
                                           : "whether its stop would delete it is not known";
    if (container->swarm_task != 0)
        return container->swarm_task == 1 ? "it is a Swarm task, its manager's business"
                                          : "whether it is a Swarm task is not known";
    return NULL;
}
