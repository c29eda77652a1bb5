#include "judge/room.h"
#include "base/model_name.h"

#include <string.h>

const struct loaded_model *room_model(const struct room *room, const char *name, const char *digest)
{
    for (size_t i = 0; i < room->n_models; i++)
        if (model_same(room->models[i].name, name) ||
            (*digest && !strcmp(room->models[i].digest, digest)))
            return &room->models[i];
    return NULL;
}

static struct bound bound_of(const char *name, fact of, fact used, fact freed)
{
    struct bound bound = {.name = name, .of = of, .used = used, .bounded = of != FACT_NONE};
    bound.known = fact_known(of) && fact_known(used);
    if (bound.known)
        bound.free = of - (used > freed ? used - freed : 0);
    return bound;
}

/* Row B6: the available figure is cut the more of the host is in use. */
static struct bound bound_of_host(const struct room *room, fact freed)
{
    static const struct {
        double percent;
        int cut;
    } cuts[] = {{90, 20}, {85, 10}, {75, 5}};
    struct bound bound = {.name = "the host", .bounded = true, .of = room->host_total};
    bound.reserve = room->settings.memory_reserve;
    bound.known = room->host_total > 0 && fact_known(room->host_available);
    bound.used = FACT_UNKNOWN;
    if (!bound.known)
        return bound;
    fact available = room->host_available + freed;
    if (available > room->host_total)
        available = room->host_total;
    bound.used = room->host_total - available;
    double percent = 100.0 * (double)bound.used / (double)room->host_total;
    for (size_t i = sizeof cuts / sizeof cuts[0]; i-- > 0;)
        if (percent >= cuts[i].percent)
            bound.cut_percent = cuts[i].cut;
    bound.free = available - available / 100 * bound.cut_percent - bound.reserve;
    return bound;
}

struct bound room_bound(const struct room *room, enum room_bound which, fact freed)
{
    switch (which) {
    case BOUND_LIMIT:
        return bound_of("the container's limit", room->limit,
                        fact_add(room->held, fact_known(room->kernel) ? room->kernel : 0), freed);
    case BOUND_OWN_BUDGET:
        return bound_of("the container's max_model_memory", room->own_budget, room->own_held,
                        freed);
    case BOUND_BUDGET:
        return bound_of("memory.max_model_memory", room->budget, room->budget_held, freed);
    case BOUND_HOST:
        break;
    }
    return bound_of_host(room, freed);
}

static fact less(fact held, fact freed)
{
    return !fact_known(held) ? held : held > freed ? held - freed : 0;
}

enum pressure_level room_level(const struct room *room, fact freed)
{
    const struct settings *s = &room->settings;
    struct host host = {.total = room->host_total,
                        .available = fact_known(room->host_available) ? room->host_available + freed
                                                                      : FACT_UNKNOWN};
    enum pressure_level level = pressure_of_host(&host, s);
    level = pressure_combine(level, pressure_of(less(room->held, freed), room->limit, s));
    level = pressure_combine(level, pressure_of(less(room->own_held, freed), room->own_budget, s));
    return pressure_combine(level, pressure_of(less(room->budget_held, freed), room->budget, s));
}
