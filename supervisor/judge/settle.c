/* What comes of a rule's conditions: a verdict, or why there is none. */
#include "judge/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The assessments that a look may write into: of its container, of all where it is at the host. */
static struct assessment *assessments(const struct look *look, size_t *ret_n)
{
    struct judgement *j = look->judgement;
    *ret_n = look->container ? look->assessment != NULL : j->n_assessments;
    return look->container ? look->assessment : j->assessments;
}

/* Nobody takes the others' room: a server may list as many models as it likes, one verdict each.
 * So what is about models or runners has its share, of each kind; it takes nothing from the others.
 */
static bool has_its_share(const struct look *look, enum verdict_kind kind)
{
    enum { ALL = 512, LEAST = 2 };
    const struct judgement *j = look->judgement;
    size_t share = ALL / look->world->n_containers, n = 0;
    if (share < LEAST)
        share = LEAST;
    for (; n < share && n < j->n_verdicts; n++) {
        const struct verdict *last = &j->verdicts[j->n_verdicts - 1 - n];
        if (last->kind != kind || strcmp(last->id, look->container->id) != 0)
            break;
    }
    return n == share && (rules_table[kind]->of_model || rules_table[kind]->of_runner);
}

/* NULL when memory or the cap is spent. */
static struct verdict *add_verdict(struct look *look, enum verdict_kind kind)
{
    struct judgement *j = look->judgement;
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
                          .severity = kind_of(kind)->severity,
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
        if (!was_raised)
            standing->raised_s = look->now_s;
    }
    if (!was_raised)
        standing->told = 0;
    if (!standing->raised && !was_raised && (contradicted || !suspicious))
        return NULL;
    bool ends = was_raised && !standing->raised;
    bool room = ends || !look->container || !look->world || !has_its_share(look, kind);
    struct verdict *v = room ? add_verdict(look, kind) : NULL;
    if (!v) {
        *standing = before; /* what could not be told is told in the next look */
        return NULL;
    }
    v->state = standing->raised ? VERDICT_RAISED : was_raised ? VERDICT_CLEARED : VERDICT_SUSPECT;
    size_t n;
    struct assessment *a = assessments(look, &n);
    for (size_t i = 0; i < n && v->state != VERDICT_CLEARED; i++)
        a[i].stands |= UINT32_C(1) << kind;
    v->changed = standing->raised != was_raised;
    v->confirmed = standing->raised && all_now && held;
    v->since_s = standing->raised || was_raised ? standing->since_s
                 : since_s >= 0                 ? since_s
                                                : look->now_s;
    v->raised_s = standing->raised ? standing->raised_s : -1;
    v->hold_s = hold_s;
    return v;
}

static void leave_why_not(struct look *look, enum verdict_kind kind, const struct finding *finding,
                          double hold_s)
{
    size_t n;
    struct assessment *a = assessments(look, &n);
    struct reason reason = {.text = "it has not lasted yet, @ of @",
                            .near = (unsigned)finding->n_true};
    if (finding->against) {
        reason = *finding->against;
        reason.near = (unsigned)finding->n_true;
    } else {
        reason.numbers[0] = (struct number)SECONDS(look->now_s - finding->since_s);
        reason.numbers[1] = (struct number)SECONDS(hold_s);
    }
    for (size_t i = 0; i < n; i++)
        if (!a[i].why_not[kind].text || reason.near >= a[i].why_not[kind].near)
            a[i].why_not[kind] = reason;
}

struct verdict *look_found(struct look *look, enum verdict_kind kind, struct matter *own,
                           const struct finding *finding, bool suspicious, double hold_s)
{
    struct verdict *v = look_settle(look, kind, &own[kind].standing, finding->since_s,
                                    finding->all_now, finding->contradicted, suspicious, hold_s);
    if (!v || v->state == VERDICT_CLEARED)
        leave_why_not(look, kind, finding, hold_s);
    else if (finding->against && finding->against->unknown)
        snprintf(v->missing, sizeof v->missing, "%s%s%s", finding->against->text,
                 finding->against->detail ? ": " : "",
                 finding->against->detail ? finding->against->detail : "");
    return v;
}

void look_take(const struct look *look, struct condition *condition, struct ruling ruling)
{
    condition_take(condition, ruling.value, ruling.from_s, look->now_s, look->allowance_s);
    condition->reason = ruling.reason;
}

struct verdict *look_judge(struct look *look, enum verdict_kind kind, struct matter *own,
                           struct ruling ruling, double hold_s)
{
    look_take(look, &own[kind].condition, ruling);
    struct finding finding = conditions_find(&own[kind].condition, 1);
    return look_found(look, kind, own, &finding, false, hold_s);
}

void look_clear(struct look *look, struct matter *own, fact pid, fact started_us, const char *model)
{
    for (int kind = 0; kind < VERDICT_KINDS; kind++) {
        struct standing *standing = &own[kind].standing;
        if (!standing->raised || rules_table[kind]->of_stopped) /* which sees to it by itself */
            continue;
        struct verdict *v =
            look_settle(look, (enum verdict_kind)kind, standing, -1, false, true, false, 0);
        if (!v)
            continue;
        v->pid = pid;
        v->started_us = started_us;
        snprintf(v->model, sizeof v->model, "%s", model);
    }
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

bool look_near_end(const struct look *look, const struct finding *finding, double hold_s)
{
    return finding->since_s >= 0 && finding->all_now &&
           look->now_s - finding->since_s >= hold_s - 2 * look->interval_s;
}
