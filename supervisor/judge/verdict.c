#include "judge/verdict.h"
#include "judge/kinds.h"

#include <stdlib.h>
#include <string.h>

void judgement_clear(struct judgement *judgement)
{
    free(judgement->verdicts);
    free(judgement->assessments);
    *judgement = (struct judgement){0};
}

const struct verdict *judgement_find(const struct judgement *judgement, const char *id,
                                     enum verdict_kind kind)
{
    for (size_t i = 0; i < judgement->n_verdicts; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        if (v->state != VERDICT_CLEARED && (kind == VERDICT_KINDS || v->kind == kind) &&
            !strcmp(v->id, id))
            return v;
    }
    return NULL;
}

const struct assessment *judgement_assessment(const struct judgement *judgement, const char *id)
{
    for (size_t i = 0; i < judgement->n_assessments; i++)
        if (!strcmp(judgement->assessments[i].id, id))
            return &judgement->assessments[i];
    return NULL;
}

const char *verdict_kind_name(enum verdict_kind kind)
{
    return kind < VERDICT_KINDS ? kinds_table[kind].name : "?";
}

const char *verdict_state_name(enum verdict_state state)
{
    static const char *const names[] = {"suspect", "raised", "cleared"};
    return names[state];
}

const char *remedy_name(enum remedy remedy)
{
    static const char *const names[] = {"none",  "unload",  "kill-runner", "restart",
                                        "limit", "reclaim", "high",        "throttle",
                                        "flush", "stop",    "wait"};
    return names[remedy];
}

const char *severity_name(enum severity severity)
{
    static const char *const names[] = {"info", "warning", "critical"};
    return names[severity];
}

const char *activity_name(enum activity activity)
{
    static const char *const names[] = {"unknown", "stopped", "idle", "loaded", "loading", "busy"};
    return names[activity];
}

void verdict_add(struct verdict *verdict, const char *name, enum unit unit, double value)
{
    if (verdict->n_evidence < EVIDENCE_MAX)
        verdict->evidence[verdict->n_evidence++] = (struct evidence){name, unit, value};
}

void verdict_add_fact(struct verdict *verdict, const char *name, enum unit unit, fact value)
{
    if (fact_known(value))
        verdict_add(verdict, name, unit, (double)value);
}

double verdict_evidence(const struct verdict *verdict, const char *name)
{
    for (size_t i = 0; i < verdict->n_evidence; i++)
        if (!strcmp(verdict->evidence[i].name, name))
            return verdict->evidence[i].value;
    return -1;
}
