/* Holding: conditions over time, and the verdicts that rest on them (docs/judgement.md, "Holding").
 */
#include "judge/history.h"
#include "judge/kinds.h"

#include <stdlib.h>
#include <string.h>

void condition_reset(struct condition *condition)
{
    *condition = (struct condition){TRI_UNKNOWN, -1, -1};
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

/* Nobody takes the others' room: a server may list as many models as it likes, one verdict each. */
static bool has_its_share(const struct look *look)
{
    enum { ALL = 3072, LEAST = 12 }; /* 4 MiB of them */
    const struct judgement *j = look->judgement;
    size_t share = ALL / (look->world->n_containers + 1), n = 0;
    if (share < LEAST)
        share = LEAST;
    while (n < share && n < j->n_verdicts &&
           !strcmp(j->verdicts[j->n_verdicts - 1 - n].id, look->container->id))
        n++;
    return n == share;
}

struct verdict *look_verdict(struct look *look, enum verdict_kind kind)
{
    struct judgement *j = look->judgement;
    if (look->container && look->world && has_its_share(look))
        return NULL;
    if (j->n_verdicts == j->cap_verdicts) {
        size_t cap = j->cap_verdicts + j->cap_verdicts / 4 + 4;
        struct verdict *verdicts =
            cap > JUDGEMENT_VERDICTS_MAX ? NULL : realloc(j->verdicts, cap * sizeof *verdicts);
        if (!verdicts)
            return NULL;
        j->verdicts = verdicts;
        j->cap_verdicts = cap;
    }
    struct verdict *v = &j->verdicts[j->n_verdicts++];
    const struct container *c = look->container;
    *v = (struct verdict){.kind = kind,
                          .mode = c ? c->mode : MODE_OBSERVE,
                          .severity = kinds_table[kind].severity,
                          .pid = FACT_UNKNOWN,
                          .started_us = FACT_UNKNOWN};
    if (!c)
        return v;
    memcpy(v->id, c->id, sizeof v->id);
    memcpy(v->name, c->name, sizeof v->name);
    memcpy(v->started_at, c->started_at, sizeof v->started_at);
    return v;
}

struct verdict *look_settle(struct look *look, enum verdict_kind kind, struct standing *standing,
                            double since_s, bool all_now, bool contradicted, bool suspicious,
                            double hold_s)
{
    struct standing before = *standing;
    bool was_raised = before.raised;
    bool held = since_s >= 0 && look->now_s - since_s >= hold_s;
    bool anew = since_s >= 0 && (since_s > before.since_s || !held);
    if (contradicted || anew)
        standing->raised = false;
    if (!contradicted && all_now && held) {
        standing->raised = true;
        standing->since_s = since_s;
    }
    if (!was_raised)
        standing->told = 0;
    if (!standing->raised && !was_raised && (contradicted || !suspicious))
        return NULL;
    struct verdict *v = look_verdict(look, kind);
    if (!v) {
        *standing = before; /* what could not be told is told in the next look */
        return NULL;
    }
    v->state = standing->raised ? VERDICT_RAISED : was_raised ? VERDICT_CLEARED : VERDICT_SUSPECT;
    v->changed = standing->raised != was_raised;
    v->confirmed = standing->raised && all_now && held;
    v->since_s = standing->raised || was_raised ? standing->since_s
                 : since_s >= 0                 ? since_s
                                                : look->now_s;
    v->hold_s = hold_s;
    return v;
}

struct verdict *look_judge(struct look *look, enum verdict_kind kind, enum tri value,
                           double true_from_s, bool suspicious, double hold_s)
{
    struct matter *matter = &look->history->own[kind];
    condition_take(&matter->condition, value, true_from_s, look->now_s, look->allowance_s);
    bool all_now, contradicted;
    double since_s = conditions_since(&matter->condition, 1, &all_now, &contradicted);
    return look_settle(look, kind, &matter->standing, since_s, all_now, contradicted, suspicious,
                       hold_s);
}

void look_remedy(struct verdict *verdict, struct standing *standing, enum remedy remedy)
{
    verdict->remedy = remedy;
    if (verdict->state != VERDICT_RAISED || remedy == REMEDY_NONE)
        return;
    if (!(standing->told & 1u << remedy))
        verdict->changed = true;
    standing->told |= 1u << remedy;
}

void look_want_connections(struct look *look, double patience_s)
{
    look->assessment->wants_connections |=
        look->connections_age_s < 0 || look->connections_age_s + look->interval_s > patience_s;
}

enum tri look_connected(const struct look *look, double within_s)
{
    double age_s = look->connections_age_s;
    if (age_s < 0 || age_s > within_s + look->interval_s)
        return TRI_UNKNOWN;
    return look->history->connections > 0 ? TRI_TRUE : TRI_FALSE;
}

double look_gap_s(const struct settings *settings)
{
    return 3 * (settings->interval_s > 1 ? settings->interval_s : 1);
}

bool clocks_jumped(double step_s, double wall_step_s, double gap_s)
{
    return step_s > gap_s || step_s < 0 || wall_step_s > gap_s || step_s - wall_step_s > gap_s;
}
