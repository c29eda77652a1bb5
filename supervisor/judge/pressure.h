/* Levels of pressure: of the host, of a container's limit, of both together. They inform;
 * they act on nothing. */
#ifndef SUPERVISOR_JUDGE_PRESSURE_H
#define SUPERVISOR_JUDGE_PRESSURE_H

#include "base/config.h"
#include "base/profile.h"
#include "sense/world.h"

/* Bytes that must be available beside an exclusive container, whatever the per cent: one of 30 GiB
 * on a host of 32 GB, of which it shows 31.2 GiB, leaves about 1 GiB. */
#define PRESSURE_EXCLUSIVE_UNLOAD (INT64_C(512) << 20)
#define PRESSURE_EXCLUSIVE_STOP   (INT64_C(256) << 20)

enum pressure_level { LEVEL_UNKNOWN, LEVEL_LOW, LEVEL_MEDIUM, LEVEL_HIGH, LEVEL_CRITICAL };

/* used of total against pressure.level_*: medium from level_medium, high from level_high, critical
 * above level_critical. */
enum pressure_level pressure_of(fact used, fact total, const struct settings *settings);
/* The host: MemTotal - MemAvailable (never MemFree) of MemTotal. */
enum pressure_level pressure_of_host(const struct host *host, const struct settings *settings);
/* Per cent of the host's memory that is not available; < 0 unknown. */
double pressure_in_use(const struct host *host);
/* Label supervisor.priority: who gives way. */
enum priority container_priority(const struct container *container);
/* The higher one; unknown yields to known. */
enum pressure_level pressure_combine(enum pressure_level a, enum pressure_level b);
const char *pressure_name(enum pressure_level level);

#endif
