/* supervisor enforce: the memory limits and the single-model policy, once, now. */
#include "base/clock.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/steps.h"
#include "cli/task.h"
#include "sense/json_put.h"

#include <string.h>

/* A verdict on a limit takes two looks, which a slow machine may make late. */
static const size_t looks_enough = 4;

struct enforce {
    struct task task;
    size_t looks;
    double began_s, until_s; /* long enough for both policies to have made up their mind */
    size_t done, failed, told;
    bool high_dropped;         /* memory.high cannot be written here */
    bool no_limits, no_policy; /* which part is left out */
};

/* Whether it is what this run is to enforce. */
static bool is_ours(const struct enforce *e, enum verdict_kind kind)
{
    return kind == VERDICT_TOO_MANY_MODELS ? !e->no_policy
           : kind == VERDICT_HIGH_DRIFT    ? !e->no_limits && !e->high_dropped
           : kind == VERDICT_LIMIT_DRIFT || kind == VERDICT_NO_LIMIT ? !e->no_limits
                                                                     : false;
}

static void begin(struct task *task)
{
    struct enforce *e = task->userdata;
    const struct settings *s = config_settings(task->cli->config);
    e->began_s = clock_boottime_s();
    e->until_s = e->began_s + 3 * s->interval_s + (s->poll_s > 0 ? 3 * s->poll_s : 0);
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct enforce *e = task->userdata;
    bool more = false, busy = healer_busy(flow_healer(task->flow)) > 0;
    bool in_time = world->monotonic_s < e->until_s + 60;
    e->looks++;
    for (size_t i = 0; i < judgement->n_verdicts; i++) {
        const struct verdict *v = &judgement->verdicts[i];
        if (!is_ours(e, v->kind) || !targets_have(&task->targets, v->id))
            continue;
        more |=
            v->state == VERDICT_SUSPECT || (v->state == VERDICT_RAISED && v->remedy != REMEDY_NONE);
        if (v->state != VERDICT_RAISED)
            continue;
        if (v->remedy == REMEDY_NONE && v->changed) {
            bool refused = v->kind == VERDICT_LIMIT_DRIFT || v->kind == VERDICT_HIGH_DRIFT;
            e->failed += refused;
            e->told++;
            json_t *row = task_row(task, v->name, "verdict", verdict_kind_name(v->kind),
                                   refused ? "failed" : "told", SHOWN_VERDICT(v));
            if (v->kind == VERDICT_LIMIT_DRIFT)
                put_known(row, "floor", (fact)verdict_evidence(v, "floor"));
        } else if (v->remedy != REMEDY_NONE && (task->dry_run ? v->changed : in_time)) {
            healer_heal(flow_healer(task->flow), v, false);
        } else if (v->remedy != REMEDY_NONE && !task->dry_run && !busy) {
            char text[700];
            snprintf(text, sizeof text, "not done in time: %s; %s", SHOWN_VERDICT(v),
                     healer_acted(flow_healer(task->flow), v->id));
            e->failed++;
            task_row(task, v->name, "verdict", verdict_kind_name(v->kind), "failed", text);
        }
    }
    if (busy || (more && !task->dry_run && in_time))
        return;
    if (world->monotonic_s < e->until_s || e->looks < looks_enough) {
        say_progress("watching which model is used ...");
        return;
    }
    say_clear();
    if (!task->json && !e->done && !e->failed && !e->told)
        puts("nothing to enforce: limits and loaded models are as wanted");
    task_finish(task, e->failed ? FAILURE_JOB : 0);
}

static void heal(struct task *task, const struct heal_event *h)
{
    struct enforce *e = task->userdata;
    char text[400];
    bool high = !strcmp(h->step, "high"), limit = high || !strcmp(h->step, "limit");
    const char *what = high ? "memory.high" : "the limit";
    fact wanted = h->evidence ? (fact)verdict_evidence(h->evidence, "wanted") : FACT_UNKNOWN;
    say_clear();
    if (h->kind == HEAL_DONE && limit)
        snprintf(text, sizeof text, "%s is %s now", what, SHOWN(wanted));
    else if (h->kind == HEAL_DONE)
        snprintf(text, sizeof text, "%.100s unloaded: %s", h->model,
                 SHOWN_CHANGE(h->before, h->after));
    else if (h->kind == HEAL_WOULD_ACT && limit)
        snprintf(text, sizeof text, "%s would become %s", what, SHOWN(wanted));
    else if (h->kind == HEAL_WOULD_ACT)
        snprintf(text, sizeof text, "%.100s would be unloaded", h->model);
    else
        snprintf(text, sizeof text, "%.380s", h->text);
    if (h->kind == HEAL_ACTING || h->kind == HEAL_RECOVERED || h->kind == HEAL_LOCKED)
        return;
    bool good = h->kind == HEAL_DONE || h->kind == HEAL_WOULD_ACT;
    e->done += good;
    bool dropped = high && h->kind == HEAL_DROPPED;
    e->high_dropped |= dropped;
    e->failed += h->kind == HEAL_NOT_DONE || h->kind == HEAL_NO_MEMORY_OF_IT || dropped;
    task_row(&e->task, h->name, "verdict", h->verdict,
             h->kind == HEAL_DONE ? "done"
             : good               ? "would"
                                  : "failed",
             text);
}

static int enforce(struct enforce e, struct cli *cli, const char *named, json_t **ret_rows)
{
    e.task = TASK(cli, "enforce", named, &e, ACTS(cli), .rows = json_array(), .ret_rows = ret_rows,
                  .begin = begin, .look = look, .heal = heal);
    return task_run(&e.task);
}

int cmd_enforce(struct cli *cli)
{
    return enforce((struct enforce){0}, cli, cli->operands[0], NULL);
}

int step_limits(struct cli *cli, json_t **ret_rows)
{
    return enforce((struct enforce){.no_policy = true}, cli, NULL, ret_rows);
}

int step_policy(struct cli *cli, json_t **ret_rows)
{
    return enforce((struct enforce){.no_limits = true}, cli, NULL, ret_rows);
}
