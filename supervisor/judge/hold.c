/* Holding: conditions over time, and the verdicts that rest on them (docs/judgement.md, "Holding").
 */
#include "judge/kinds.h"
#include "judge/look.h"

#include <stdlib.h>
#include <string.h>

void condition_reset(struct condition *condition)
{
    *condition = (struct condition){TRI_UNKNOWN, .since_s = -1, .unknown_since_s = -1};
}

void matters_reset(struct matter own[static VERDICT_KINDS])
{
    for (int kind = 0; kind < VERDICT_KINDS; kind++)
        condition_reset(&own[kind].condition);
}

void condition_take(struct condition *condition, enum tri value, double true_from_s, double now_s,
                    double allowance_s)
{
    condition->now = value;
    if (value == TRI_UNKNOWN) {
        if (condition->unknown_since_s < 0)
            condition->unknown_since_s = now_s;
        if (now_s - condition->unknown_since_s > allowance_s)
            condition->since_s = -1;
        return;
    }
    condition->unknown_since_s = -1;
    if (value == TRI_FALSE)
        condition->since_s = -1;
    else if (condition->since_s < 0)
        condition->since_s = true_from_s;
}

double conditions_since(const struct condition *conditions, size_t n, bool *ret_all_now,
                        bool *ret_contradicted)
{
    double since_s = 0;
    *ret_all_now = true;
    *ret_contradicted = false;
    for (size_t i = 0; i < n; i++) {
        if (conditions[i].since_s < 0)
            since_s = -1;
        else if (since_s >= 0 && conditions[i].since_s > since_s)
            since_s = conditions[i].since_s;
        *ret_all_now &= conditions[i].now == TRI_TRUE;
        *ret_contradicted |= conditions[i].now == TRI_FALSE;
    }
    return since_s;
}

struct finding conditions_find(const struct condition *conditions, size_t n)
{
    struct finding f = {.against = NULL};
    f.since_s = conditions_since(conditions, n, &f.all_now, &f.contradicted);
    while (f.n_true < n && conditions[f.n_true].now == TRI_TRUE)
        f.n_true++;
    if (f.n_true < n)
        f.against = &conditions[f.n_true].reason;
    return f;
}
