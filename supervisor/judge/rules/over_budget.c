/* over-budget: the loaded models hold more than is wanted, in one container or in all together. */
#include "judge/host.h"
#include "judge/rules.h"

#include <stdio.h>

/* A model that goes while another one comes is there for seconds. */
static const double budget_hold_s = 10;

static struct ruling over(double now_s, fact held, fact budget)
{
    return budget < 0          ? NO("memory.max_model_memory is not set")
           : !fact_known(held) ? UNKNOWN("what its models hold")
           : held > budget     ? YES(now_s)
                               : NO("its models hold @ of @", BYTES(held), BYTES(budget));
}

static struct verdict *settle(struct look *look, struct matter *own, struct ruling ruling,
                              fact held, fact budget, size_t runners)
{
    struct verdict *v = look_judge(look, VERDICT_OVER_BUDGET, own, ruling, budget_hold_s);
    if (v)
        SHOW(look, v, NULL, {"models_held", UNIT_BYTES, (double)held},
             {"budget", UNIT_BYTES, (double)budget}, {"runners", UNIT_COUNT, (double)runners});
    return v;
}

static void judge(struct look *look)
{
    fact budget = look->history->settings->memory_max_model_memory;
    fact held = look->assessment->models_held;
    struct verdict *v = settle(look, look->history->own, over(look->now_s, held, budget), held,
                               budget, look->live_runners);
    if (v)
        snprintf(v->why, sizeof v->why, "its loaded models hold more than memory.max_model_memory");
}

/* Where one container alone is over it, that is told of the container. */
static void judge_all(struct look *look)
{
    const struct judgement *j = look->judgement;
    fact budget = j->models_budget, held = j->models_held;
    bool one_alone = j->n_assessments < 2;
    size_t runners = 0;
    for (size_t i = 0; i < j->n_assessments; i++) {
        one_alone |= j->assessments[i].models_held > budget;
        runners += j->assessments[i].live_runners;
    }
    struct verdict *v = settle(look, look->host->own,
                               one_alone ? NO("its models alone") : over(look->now_s, held, budget),
                               held, budget, runners);
    if (v)
        snprintf(
            v->why, sizeof v->why,
            "the loaded models of all containers together hold more than memory.max_model_memory");
}

const struct rule rule_over_budget = {
    {"over-budget", SEVERITY_WARNING, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "the container's runners, or those of all containers together, hold more than "
     "`memory.max_model_memory`",
     "10 s", "models_held budget runners",
     "any deed: which model goes is a person's to say (`models.single`)"},
    .of_container = judge,
    .of_host = judge_all,
};
