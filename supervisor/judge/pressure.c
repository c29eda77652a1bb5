#include "judge/pressure.h"

enum pressure_level pressure_of(fact used, fact total, const struct settings *settings)
{
    if (used < 0 || total <= 0)
        return LEVEL_UNKNOWN;
    double percent = 100.0 * (double)used / (double)total;
    if (percent > settings->level_critical)
        return LEVEL_CRITICAL;
    if (percent >= settings->level_high)
        return LEVEL_HIGH;
    return percent >= settings->level_medium ? LEVEL_MEDIUM : LEVEL_LOW;
}

enum pressure_level pressure_of_host(const struct host *host, const struct settings *settings)
{
    if (!fact_known(host->total) || !fact_known(host->available))
        return LEVEL_UNKNOWN;
    return pressure_of(host->total - host->available, host->total, settings);
}

double pressure_in_use(const struct host *host)
{
    if (host->total <= 0 || !fact_known(host->available))
        return -1;
    return 100.0 * (double)(host->total - host->available) / (double)host->total;
}

enum priority container_priority(const struct container *container)
{
    enum priority priority = PRIORITY_NORMAL;
    const char *label = container_label(container, "supervisor.priority");
    if (label)
        priority_parse(label, &priority);
    return priority;
}

enum pressure_level pressure_combine(enum pressure_level a, enum pressure_level b)
{
    return a > b ? a : b;
}

const char *pressure_name(enum pressure_level level)
{
    static const char *const names[] = {"unknown", "low", "medium", "high", "critical"};
    return names[level];
}
