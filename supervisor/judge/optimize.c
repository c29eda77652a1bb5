#include "judge/optimize.h"

/* The level from which on models of the class go. */
static enum pressure_level asks_for(enum going_class class)
{
    return class == GOING_LARGE ? LEVEL_MEDIUM : class == GOING_SMALL ? LEVEL_HIGH : LEVEL_CRITICAL;
}

void optimize_plan(const struct room *room, bool now, struct optimize_plan *ret_plan)
{
    struct optimize_plan *plan = ret_plan;
    fact small = room->settings.models_small_model;
    size_t order[LOADED_MAX];
    *plan = (struct optimize_plan){.level = room_level(room, 0)};
    plan->after = plan->level;
    models_order(room->models, room->n_models, small, order);
    for (size_t i = 0; i < room->n_models; i++) {
        const struct loaded_model *m = &room->models[order[i]];
        enum going_class class = model_class(m, small);
        plan->stays[order[i]] = model_stays(m, plan->after, false);
        bool asked = plan->after >= asks_for(class) || (now && !tier_protected(m->tier));
        if (asked && plan->stays[order[i]] == STAYS_UNKNOWN)
            plan->waits = true;
        if (!asked || plan->stays[order[i]] != STAYS_NOT)
            continue;
        plan->go[plan->n_go++] = order[i];
        plan->freed += m->held;
        plan->after = room_level(room, plan->freed);
    }
}
