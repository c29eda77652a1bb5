/* thermal: a GPU of the host is too hot. */
#include "judge/host.h"
#include "judge/rules.h"

#include <stdio.h>

static const double thermal_hold_s = 30;

static void remember(struct host_history *history, const struct gpu *gpu)
{
    size_t i = 0;
    while (i < history->n_gpus &&
           (history->gpus[i].vendor != gpu->vendor || history->gpus[i].index != gpu->index))
        i++;
    if (i < history->n_gpus || i == GPUS_MAX)
        return;
    history->gpus[i].vendor = gpu->vendor;
    history->gpus[i].index = gpu->index;
    matters_reset(history->gpus[i].own);
    history->n_gpus++;
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

static struct ruling hot(const struct look *look, const struct gpu *gpu, fact alert)
{
    return !gpu || !fact_known(gpu->temperature_c) ? UNKNOWN("its temperature")
           : gpu->temperature_c > alert
               ? YES(look->now_s)
               : NO("GPU @ has @ degrees Celsius, it is told above @", COUNT(gpu->index),
                    COUNT(gpu->temperature_c), COUNT(alert));
}

static void judge(struct look *look)
{
    const struct world *world = look->world;
    struct host_history *history = look->host;
    fact alert = config_settings(look->config)->gpu_temperature_alert;
    for (size_t i = 0; i < world->n_gpus; i++)
        if (fact_known(world->gpus[i].temperature_c))
            remember(history, &world->gpus[i]);
    for (size_t i = 0; i < history->n_gpus; i++) {
        const struct gpu *gpu = gpu_of(world, history, i);
        struct verdict *v = look_judge(look, VERDICT_THERMAL, history->gpus[i].own,
                                       hot(look, gpu, alert), thermal_hold_s);
        if (!v)
            continue;
        SHOW(look, v, NULL, {"gpu", UNIT_COUNT, history->gpus[i].index},
             {"celsius", UNIT_COUNT, gpu ? (double)gpu->temperature_c : -1},
             {"alert", UNIT_COUNT, (double)alert});
        snprintf(v->why, sizeof v->why, "GPU %u%s%.90s is hotter than gpu.temperature_alert",
                 history->gpus[i].index, gpu && gpu->name[0] ? ", " : "", gpu ? gpu->name : "");
    }
}

const struct rule rule_thermal = {
    {"thermal", SEVERITY_WARNING, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "a GPU of the host is hotter than `gpu.temperature_alert` (70 \u00b0C)", "30 s",
     "gpu celsius alert", "any deed: the card slows down by itself"},
    .unless = "the host has no GPU that tells its temperature",
    .of_host = judge,
};
