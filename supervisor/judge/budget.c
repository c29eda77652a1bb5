/* over-budget of one container (docs/judgement.md); that of all together is in host.c. */
#include "judge/look.h"

#include <stdio.h>

/* A model that goes while another one comes is there for seconds. */
static const double budget_hold_s = 10;
void judge_budget(struct look *look)
{
    fact budget = look->history->settings.memory_max_model_memory;
    fact held = look->assessment->models_held;
    enum tri over = budget < 0          ? TRI_FALSE
                    : !fact_known(held) ? TRI_UNKNOWN
                    : held > budget     ? TRI_TRUE
                                        : TRI_FALSE;
    struct verdict *v =
        look_judge(look, VERDICT_OVER_BUDGET, over, look->now_s, false, budget_hold_s);
    if (!v)
        return;
    verdict_add_fact(v, "models_held", UNIT_BYTES, held);
    verdict_add_fact(v, "budget", UNIT_BYTES, budget);
    verdict_add(v, "runners", UNIT_COUNT, (double)look->live_runners);
    snprintf(v->why, sizeof v->why, "its loaded models hold more than memory.max_model_memory");
}
