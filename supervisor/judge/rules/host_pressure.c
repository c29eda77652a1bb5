/* host-pressure: what the host's MemAvailable asks of the loaded models and their containers
 * (docs/judgement.md, "Pressure"). Here: how much it asks, and what is told of the host. */
#include "judge/rules/host_pressure.h"
#include "judge/rules.h"

#include <stdio.h>
#include <string.h>

/* What was raised stays for a little less, so that it does not come and go at the edge. */
static const double slack_percent = 5;

void host_pressure_begin(struct host_pressure *pressure)
{
    *pressure = (struct host_pressure){.pass_begun_s = -1};
    host_pressure_reset(pressure);
}

void host_pressure_reset(struct host_pressure *pressure)
{
    condition_reset(&pressure->optimize);
    condition_reset(&pressure->unload);
    condition_reset(&pressure->stop);
    condition_reset(&pressure->flush);
    pressure->stopping[0] = '\0';
}

struct look pressure_look(const struct turn *turn, size_t container)
{
    struct look look = *turn->look;
    look.container = &look.world->containers[container];
    look.history = turn->look->histories[container];
    look.assessment = &look.judgement->assessments[container];
    look.held = look.assessment->held;
    look.answered = look.assessment->answered ? TRI_TRUE : TRI_UNKNOWN;
    return look;
}

void pressure_show(const struct turn *turn, const struct look *look, struct verdict *verdict,
                   struct evidence more)
{
    look_show(look, verdict, NULL, &more, more.name ? 1 : 0);
    if (turn->in_use < 0)
        snprintf(verdict->missing, sizeof verdict->missing, "the host's available memory");
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

/* One that is paused, or whose status nobody knows, may hold what it held. */
static bool holds_memory(enum container_status status)
{
    return status != STATUS_CREATED && status != STATUS_EXITED && status != STATUS_DEAD;
}

/* Where an exclusive container has its memory, the host was given to it, and nearly full is what
 * was asked for: then it is short only when no more than that is available. Never earlier than by
 * per cent.
 */
static double beside_exclusive(const struct look *look, double percent, fact available)
{
    const struct world *world = look->world;
    double total = (double)world->host.total, from = 100 * (total - (double)available) / total;
    for (size_t i = 0; percent >= 0 && i < world->n_containers && world->host.total > 0; i++)
        if (holds_memory(world->containers[i].status) && relief_exclusive(&world->containers[i]))
            return from > percent ? from : percent;
    return percent;
}

static bool holds(const struct turn *turn, const struct condition *condition)
{
    return condition->since_s >= 0 &&
           turn->look->now_s - condition->since_s >= three_looks(turn->look);
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

static struct ruling shortage(const struct turn *turn)
{
    double from = turn->settings->action_warn;
    return turn->in_use < 0       ? UNKNOWN("the host's available memory")
           : turn->in_use >= from ? YES(turn->look->now_s)
           : turn->look->host->own[VERDICT_HOST_PRESSURE].standing.raised &&
                   turn->in_use >= from - slack_percent
               ? STAYS("it is nearly over")
               : NO("@ of the host's memory are in use, it is told from @ on",
                    PERCENT(turn->in_use), PERCENT(from));
}

static void tell_host(struct turn *turn)
{
    struct host_pressure *p = turn->pressure;
    struct look *look = turn->look;
    const struct standing *told = &look->host->own[VERDICT_HOST_PRESSURE].standing;
    const struct settings *s = turn->settings;
    double grave = s->action_unload >= 0 ? turn->unload_from : turn->stop_from;
    bool critical = grave >= 0 && turn->in_use >= grave;
    struct verdict *v =
        look_judge(look, VERDICT_HOST_PRESSURE, look->host->own, shortage(turn), three_looks(look));
    if (!told->raised || turn->in_use < grave - slack_percent)
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
    SHOW(look, v, NULL, {"held", UNIT_BYTES, (double)held},
         {"models", UNIT_COUNT, (double)turn->may_go});
    say(turn, v);
}

static void judge(struct look *look)
{
    struct host_pressure *pressure = &look->host->pressure;
    struct turn turn = {.look = look,
                        .pressure = pressure,
                        .settings = config_settings(look->config),
                        .in_use = pressure_in_use(&look->world->host),
                        .least = RELIEF_NONE};
    const struct settings *s = turn.settings;
    take(&turn, &pressure->optimize, s->action_optimize);
    turn.unload_from = beside_exclusive(look, s->action_unload, PRESSURE_EXCLUSIVE_UNLOAD);
    turn.stop_from = beside_exclusive(look, s->action_kill_switch, PRESSURE_EXCLUSIVE_STOP);
    take(&turn, &pressure->unload, turn.unload_from);
    take(&turn, &pressure->stop, turn.stop_from);
    take(&turn, &pressure->flush, s->action_flush);
    if (holds(&turn, &pressure->unload)) {
        turn.asked = ASKED_UNLOAD;
        turn.by = &pressure->unload;
    } else if (holds(&turn, &pressure->optimize)) {
        turn.asked = ASKED_OPTIMIZE;
        turn.by = &pressure->optimize;
    }
    if (turn.asked || turn.in_use >= s->action_warn ||
        look->host->own[VERDICT_HOST_PRESSURE].standing.raised)
        pressure_survey(&turn);
    pressure_stop(&turn);
    tell_host(&turn);
    pressure_models(&turn);
    pressure_flush(&turn);
}

const struct rule rule_host_pressure = {
    {"host-pressure", SEVERITY_WARNING, REMEDY_UNLOAD, REMEDY_STOP,
     BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART),
     "of the host: all of its memory but MemAvailable is `pressure.action_warn` (80 %) or more; "
     "critical from `pressure.action_unload` (95 %) on; it ends 5 % below `pressure.action_warn`. "
     "Of a container: what that asks of it (*Pressure*)",
     "three looks; stop 3 s; flush none", "in_use available total held models runner relief",
     "kill-runner, restart (a running request ends by itself); the stop of what would be deleted "
     "by it (`--rm`), of a Swarm task, of what relieves the host by less than 1 %"},
    .of_host = judge,
};
