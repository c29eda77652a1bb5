/* thermal, and over-budget of all containers together: verdicts about the host (docs/judgement.md).
 */
#include "judge/host.h"

#include <stdio.h>

static const double thermal_hold_s = 30, budget_hold_s = 10;

void host_history_begin(struct host_history *history)
{
    *history = (struct host_history){.last_s = -1, .last_wall_ms = -1};
    condition_reset(&history->budget.condition);
    host_pressure_begin(&history->pressure);
}

static void reset_holds(struct host_history *history)
{
    condition_reset(&history->budget.condition);
    host_pressure_reset(&history->pressure);
    for (size_t i = 0; i < history->n_gpus; i++)
        condition_reset(&history->gpus[i].matter.condition);
}

static struct verdict *settle(struct look *look, enum verdict_kind kind, struct matter *matter,
                              enum tri value, double hold_s)
{
    bool all_now, contradicted;
    condition_take(&matter->condition, value, look->now_s, look->now_s, look->allowance_s);
    double since_s = conditions_since(&matter->condition, 1, &all_now, &contradicted);
    return look_settle(look, kind, &matter->standing, since_s, all_now, contradicted, false,
                       hold_s);
}

static struct matter *matter_of(struct host_history *history, const struct gpu *gpu)
{
    size_t i = 0;
    while (i < history->n_gpus &&
           (history->gpus[i].vendor != gpu->vendor || history->gpus[i].index != gpu->index))
        i++;
    if (i == GPUS_MAX)
        return NULL;
    if (i == history->n_gpus) {
        history->gpus[i].vendor = gpu->vendor;
        history->gpus[i].index = gpu->index;
        history->gpus[i].matter = (struct matter){0};
        condition_reset(&history->gpus[i].matter.condition);
        history->n_gpus++;
    }
    return &history->gpus[i].matter;
}

static const struct gpu *gpu_of(const struct world *world, const struct host_history *history,
                                size_t i)
{
    for (size_t k = 0; k < world->n_gpus; k++)
        if (world->gpus[k].vendor == history->gpus[i].vendor &&
            world->gpus[k].index == history->gpus[i].index)
            return &world->gpus[k];
    return NULL;
}

static void judge_thermal(struct look *look, struct host_history *history, fact alert)
{
    const struct world *world = look->world;
    for (size_t i = 0; i < world->n_gpus; i++)
        if (fact_known(world->gpus[i].temperature_c))
            matter_of(history, &world->gpus[i]);
    for (size_t i = 0; i < history->n_gpus; i++) {
        const struct gpu *gpu = gpu_of(world, history, i);
        bool known = gpu && fact_known(gpu->temperature_c);
        enum tri hot = !known ? TRI_UNKNOWN : gpu->temperature_c > alert ? TRI_TRUE : TRI_FALSE;
        struct verdict *v =
            settle(look, VERDICT_THERMAL, &history->gpus[i].matter, hot, thermal_hold_s);
        if (!v)
            continue;
        verdict_add(v, "gpu", UNIT_COUNT, history->gpus[i].index);
        verdict_add_fact(v, "celsius", UNIT_COUNT, known ? gpu->temperature_c : FACT_UNKNOWN);
        verdict_add_fact(v, "alert", UNIT_COUNT, alert);
        snprintf(v->why, sizeof v->why, "GPU %u%s%.90s is hotter than gpu.temperature_alert",
                 history->gpus[i].index, gpu && gpu->name[0] ? ", " : "", gpu ? gpu->name : "");
        if (!known)
            snprintf(v->missing, sizeof v->missing, "its temperature");
    }
}

/* Where one container alone is over it, that is told of the container. */
static void judge_budget_of_all(struct look *look, struct host_history *history)
{
    const struct judgement *j = look->judgement;
    fact budget = j->models_budget, held = j->models_held;
    bool one_alone = j->n_assessments < 2;
    size_t runners = 0;
    for (size_t i = 0; i < j->n_assessments; i++) {
        one_alone |= j->assessments[i].models_held > budget;
        runners += j->assessments[i].live_runners;
    }
    enum tri over = budget < 0 || one_alone ? TRI_FALSE
                    : !fact_known(held)     ? TRI_UNKNOWN
                    : held > budget         ? TRI_TRUE
                                            : TRI_FALSE;
    struct verdict *v = settle(look, VERDICT_OVER_BUDGET, &history->budget, over, budget_hold_s);
    if (!v)
        return;
    verdict_add_fact(v, "models_held", UNIT_BYTES, held);
    verdict_add_fact(v, "budget", UNIT_BYTES, budget);
    verdict_add(v, "runners", UNIT_COUNT, (double)runners);
    snprintf(v->why, sizeof v->why,
             "the loaded models of all containers together hold more than memory.max_model_memory");
}

void judge_host(struct host_history *history, const struct world *world,
                const struct config *config, struct history *const *histories,
                struct judgement *judgement)
{
    const struct settings *settings = config_settings(config);
    struct look look = {.world = world,
                        .judgement = judgement,
                        .now_s = world->monotonic_s,
                        .interval_s = settings->interval_s,
                        .poll_s = settings->poll_s};
    look.allowance_s = look_gap_s(settings);
    double step_s = history->last_s < 0 ? 0 : look.now_s - history->last_s, wall_step_s = step_s;
    if (world->time_ms >= 0 && history->last_wall_ms >= 0)
        wall_step_s = (double)(world->time_ms - history->last_wall_ms) / 1000;
    if (clocks_jumped(step_s, wall_step_s, look.allowance_s))
        reset_holds(history);
    history->last_s = look.now_s;
    history->last_wall_ms = world->time_ms >= 0 ? world->time_ms : history->last_wall_ms;
    if (look.allowance_s < 2 * look.poll_s)
        look.allowance_s = 2 * look.poll_s;
    judge_thermal(&look, history, settings->gpu_temperature_alert);
    judge_budget_of_all(&look, history);
    judge_host_pressure(&history->pressure, &look, config, histories);
}
