/* Verdicts about the host: thermal, host-pressure, and over-budget of all containers together. */
#include "judge/host.h"
#include "judge/rules.h"

void host_history_begin(struct host_history *history)
{
    *history = (struct host_history){.last_s = -1, .last_wall_ms = -1};
    matters_reset(history->own);
    host_pressure_begin(&history->pressure);
}

static void reset_holds(struct host_history *history)
{
    matters_reset(history->own);
    host_pressure_reset(&history->pressure);
    for (size_t i = 0; i < history->n_gpus; i++)
        matters_reset(history->gpus[i].own);
}

void judge_host(struct host_history *history, const struct world *world,
                const struct config *config, struct history *const *histories,
                struct judgement *judgement)
{
    const struct settings *settings = config_settings(config);
    struct look look = {.config = config,
                        .world = world,
                        .host = history,
                        .histories = histories,
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
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        if (rules_table[kind]->of_host)
            rules_table[kind]->of_host(&look);
}
