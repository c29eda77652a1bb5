#include "judge/tiers.h"

#include "base/size.h"
#include <stdio.h>

static const double protected_idle_s = 1800;

enum staying model_stays(const struct loaded_model *model, enum pressure_level level, bool lifted)
{
    if (model->pinned)
        return STAYS_PINNED;
    if (model->rest == REST_BUSY)
        return STAYS_BUSY;
    if (!fact_known(model->held))
        return STAYS_UNMATCHED;
    if (tier_protected(model->tier) && !lifted &&
        (level != LEVEL_CRITICAL || model->idle_s < protected_idle_s))
        return STAYS_PROTECTED;
    return model->rest == REST_UNKNOWN ? STAYS_UNKNOWN : STAYS_NOT;
}

const char *staying_text(const struct loaded_model *model, enum staying staying, char *text,
                         size_t size)
{
    static const char *const texts[] = {
        [STAYS_NOT] = "it may go",
        [STAYS_PINNED] = "it is pinned (models.pin)",
        [STAYS_BUSY] = "it is busy",
        [STAYS_UNKNOWN] = "whether it is busy is not known",
        [STAYS_UNMATCHED] = "no runner is known to be its own",
    };
    char idle[24];
    if (staying != STAYS_PROTECTED)
        snprintf(text, size, "%s", texts[staying]);
    else if (model->idle_s >= 0)
        snprintf(text, size,
                 "tier %s is protected until 30 idle minutes (it has %s) and critical "
                 "pressure",
                 tier_rank_name(model->tier), duration_format(model->idle_s, idle, sizeof idle));
    else
        snprintf(text, size, "tier %s is protected until 30 idle minutes and critical pressure",
                 tier_rank_name(model->tier));
    return text;
}

enum going_class model_class(const struct loaded_model *model, fact small_model)
{
    switch (model->tier) {
    case TIER_ULTRA_FAST:
        return GOING_ULTRA_FAST;
    case TIER_FAST:
        return GOING_FAST;
    case TIER_MEDIUM:
        return GOING_MEDIUM;
    case TIER_OTHER:
    case TIER_NONE:
        break;
    }
    fact size = fact_known(model->size) ? model->size : model->held;
    return fact_known(size) && size < small_model ? GOING_SMALL : GOING_LARGE;
}

bool model_before(const struct loaded_model *a, enum going_class a_class,
                  const struct loaded_model *b, enum going_class b_class)
{
    if (a_class != b_class)
        return a_class < b_class;
    if (a->used_s < b->used_s || a->used_s > b->used_s)
        return a->used_s < b->used_s;
    return a->held > b->held;
}

void models_order(const struct loaded_model *models, size_t n, fact small_model, size_t *ret_order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        enum going_class class = model_class(&models[i], small_model);
        while (at > 0 && model_before(&models[i], class, &models[ret_order[at - 1]],
                                      model_class(&models[ret_order[at - 1]], small_model))) {
            ret_order[at] = ret_order[at - 1];
            at--;
        }
        ret_order[at] = i;
    }
}
