/* Levels of pressure: of the host, of each container's limit, of the budget of models, and
 * of all together. They inform; nothing is done about them. */
#include "judge/look.h"

/* What the runners of a container hold; file-backed weights are page cache and do not count. */
static fact models_held(const struct container *c)
{
    fact sum = c->processes_known ? 0 : FACT_UNKNOWN;
    for (size_t i = 0; i < c->n_processes; i++)
        if (process_is_live_runner(&c->processes[i]))
            sum = fact_add(sum, process_held(&c->processes[i]));
    return sum;
}

void judge_level(struct look *look)
{
    struct assessment *a = look->assessment;
    const struct settings *s = look->history->settings;
    a->models_held = models_held(look->container);
    /* A label may give this container a budget of its own; that of all is an upper bound. */
    a->level = pressure_combine(pressure_of(look->held, cgroup_bound(&look->container->cgroup), s),
                                pressure_of(a->models_held, s->memory_max_model_memory, s));
}

void judge_levels(struct judgement *judgement, const struct host *host,
                  const struct settings *settings)
{
    fact sum = 0;
    enum pressure_level level = judgement->host_level = pressure_of_host(host, settings);
    for (size_t i = 0; i < judgement->n_assessments; i++) {
        sum = fact_add(sum, judgement->assessments[i].models_held);
        level = pressure_combine(level, judgement->assessments[i].level);
    }
    judgement->models_held = sum;
    judgement->models_budget = settings->memory_max_model_memory;
    judgement->models_level = pressure_of(sum, settings->memory_max_model_memory, settings);
    judgement->level = pressure_combine(level, judgement->models_level);
}
