#include "judge/verdict.h"
#include "base/size.h"
#include "judge/kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(VERDICT_KINDS <= 32, "assessment.stands has a bit of each");

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
    return kind < VERDICT_KINDS ? kind_of(kind)->name : "?";
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

static const char *number_text(struct number number, char *text, size_t size)
{
    char rate[16];
    switch (number.unit) {
    case UNIT_BYTES:
        return size_format((fact)number.value, text, size);
    case UNIT_SECONDS:
        return duration_format(number.value, text, size);
    case UNIT_BYTES_PER_SECOND:
        snprintf(text, size, "%s/s", size_format((fact)number.value, rate, sizeof rate));
        break;
    case UNIT_PERCENT:
        snprintf(text, size, "%.0f %%", number.value);
        break;
    case UNIT_COUNT:
        snprintf(text, size, "%.0f", number.value);
        break;
    }
    return text;
}

const char *why_not(const struct assessment *assessment, enum verdict_kind kind, char *text,
                    size_t size)
{
    const struct reason *reason = &assessment->why_not[kind];
    char number[32];
    size_t at = 0, n = 0, numbers = sizeof reason->numbers / sizeof reason->numbers[0];
    *text = '\0';
    if (!reason->text || assessment->stands & UINT32_C(1) << kind)
        return text;
    if (reason->unknown)
        at = (size_t)snprintf(text, size, "unknown: ");
    for (const char *c = reason->text; *c && at < size; c++)
        if (*c == '@' && n < numbers)
            at += (size_t)snprintf(text + at, size - at, "%s",
                                   number_text(reason->numbers[n++], number, sizeof number));
        else
            at += (size_t)snprintf(text + at, size - at, "%c", *c);
    if (reason->detail && at < size)
        snprintf(text + at, size - at, ": %s", reason->detail);
    return text;
}
