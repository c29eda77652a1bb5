/* host-pressure: what the host's MemAvailable asks of the loaded models and their containers
 * (docs/judgement.md, "Pressure"). Here: how much it asks, and what is told of the host. */
#include "judge/host_pressure.h"

#include <stdio.h>
#include <string.h>

static const double hold_intervals = 1.5;
/* What was raised stays for a little less, so that it does not come and go at the edge. */
static const double slack_percent = 5;

void host_pressure_begin(struct host_pressure *pressure)
{
    *pressure = (struct host_pressure){.pass_begun_s = -1};
    host_pressure_reset(pressure);
}

void host_pressure_reset(struct host_pressure *pressure)
{
    condition_reset(&pressure->told.condition);
    condition_reset(&pressure->optimize);
    condition_reset(&pressure->unload);
    condition_reset(&pressure->stop);
    condition_reset(&pressure->flush);
    pressure->stopping[0] = '\0';
}

double pressure_hold_s(const struct turn *turn)
{
    return hold_intervals * turn->look->interval_s;
}

struct look pressure_look(const struct turn *turn, size_t container)
{
    struct look look = *turn->look;
    look.container = &look.world->containers[container];
    look.history = turn->histories[container];
    look.assessment = &look.judgement->assessments[container];
    look.answered = look.assessment->answered ? TRI_TRUE : TRI_UNKNOWN;
    return look;
}

void pressure_evidence(const struct turn *turn, struct verdict *verdict)
{
    const struct host *host = &turn->look->world->host;
    if (turn->in_use >= 0)
        verdict_add(verdict, "in_use", UNIT_PERCENT, turn->in_use);
    else
        snprintf(verdict->missing, sizeof verdict->missing, "the host's available memory");
    verdict_add_fact(verdict, "available", UNIT_BYTES, host->available);
    verdict_add_fact(verdict, "total", UNIT_BYTES, host->total);
}

static void take(const struct turn *turn, struct condition *condition, double from_percent)
{
    const struct look *look = turn->look;
    enum tri reached = from_percent < 0               ? TRI_FALSE
                       : turn->in_use < 0             ? TRI_UNKNOWN
                       : turn->in_use >= from_percent ? TRI_TRUE
                                                      : TRI_FALSE;
    condition_take(condition, reached, look->now_s, look->now_s, look->allowance_s);
}

static bool holds(const struct turn *turn, const struct condition *condition)
{
    return condition->since_s >= 0 &&
           turn->look->now_s - condition->since_s >= pressure_hold_s(turn);
}

/* How bad it is, for a person. */
static void say(const struct turn *turn, struct verdict *v)
{
    const struct host_pressure *p = turn->pressure;
    if (p->stopping[0])
        snprintf(v->why, sizeof v->why,
                 "the host is all but out of memory: a container is being stopped");
    else if (turn->asked == ASKED_NOTHING)
        snprintf(v->why, sizeof v->why, "the host is short of memory");
    else if (turn->asked == ASKED_UNLOAD && turn->least >= RELIEF_BUSY && turn->may_go)
        snprintf(v->why, sizeof v->why,
                 "the host is nearly out of memory: no idle model is left, busy ones are told to "
                 "go when their requests end");
    else if (turn->may_go)
        snprintf(v->why, sizeof v->why, "the host is short of memory: idle models go");
    else
        snprintf(v->why, sizeof v->why,
                 "the host is short of memory, and no model is left that may go");
}

static void tell_host(struct turn *turn)
{
    struct host_pressure *p = turn->pressure;
    struct look *look = turn->look;
    const struct settings *s = turn->settings;
    double grave = s->action_unload >= 0 ? s->action_unload : s->action_kill_switch;
    bool critical = grave >= 0 && turn->in_use >= grave;
    enum tri shortage = turn->in_use < 0                 ? TRI_UNKNOWN
                        : turn->in_use >= s->action_warn ? TRI_TRUE
                        : p->told.standing.raised && turn->in_use >= s->action_warn - slack_percent
                            ? TRI_UNKNOWN
                            : TRI_FALSE;
    bool all_now, contradicted;
    condition_take(&p->told.condition, shortage, look->now_s, look->now_s, look->allowance_s);
    double since_s = conditions_since(&p->told.condition, 1, &all_now, &contradicted);
    struct verdict *v = look_settle(look, VERDICT_HOST_PRESSURE, &p->told.standing, since_s,
                                    all_now, contradicted, false, pressure_hold_s(turn));
    if (!p->told.standing.raised || turn->in_use < grave - slack_percent)
        p->critical_told = false;
    if (!v)
        return;
    if (critical && v->state == VERDICT_RAISED) {
        v->severity = SEVERITY_CRITICAL;
        v->changed |= !p->critical_told; /* it became worse: told once more */
        p->critical_told = true;
    }
    fact held = 0;
    for (size_t i = 0; i < look->judgement->n_assessments; i++)
        if (look->world->containers[i].status == STATUS_RUNNING)
            held = fact_add(held, look->judgement->assessments[i].held);
    pressure_evidence(turn, v);
    verdict_add_fact(v, "held", UNIT_BYTES, held);
    verdict_add(v, "models", UNIT_COUNT, (double)turn->may_go);
    say(turn, v);
}

void judge_host_pressure(struct host_pressure *pressure, struct look *look,
                         const struct config *config, struct history *const *histories)
{
    const struct host *host = &look->world->host;
    bool known = host->total > 0 && fact_known(host->available);
    struct turn turn = {.look = look,
                        .pressure = pressure,
                        .config = config,
                        .settings = config_settings(config),
                        .histories = histories,
                        .in_use = -1,
                        .least = RELIEF_NONE};
    const struct settings *s = turn.settings;
    if (known)
        turn.in_use = 100.0 * (double)(host->total - host->available) / (double)host->total;
    take(&turn, &pressure->optimize, s->action_optimize);
    take(&turn, &pressure->unload, s->action_unload);
    take(&turn, &pressure->stop, s->action_kill_switch);
    take(&turn, &pressure->flush, s->action_flush);
    if (holds(&turn, &pressure->unload)) {
        turn.asked = ASKED_UNLOAD;
        turn.by = &pressure->unload;
    } else if (holds(&turn, &pressure->optimize)) {
        turn.asked = ASKED_OPTIMIZE;
        turn.by = &pressure->optimize;
    }
    if (turn.asked || turn.in_use >= s->action_warn || pressure->told.standing.raised)
        pressure_survey(&turn);
    pressure_stop(&turn);
    tell_host(&turn);
    pressure_models(&turn);
    pressure_flush(&turn);
}
