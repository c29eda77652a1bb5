/* supervisor optimize: one pass: idle models go, as far as the pressure asks. */
#include "judge/optimize.h"
#include "base/clock.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/task.h"
#include "keep/history.h"
#include "sense/json_put.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRIED_MAX = 512 };
static const double locked_s = 30; /* another supervisor's remedy takes seconds */
static const double idle_s = 10;   /* five seconds of looking tell who is busy */

struct optimize {
    struct task task;
    struct runner_uses *uses;
    struct keep_history *history; /* owned; NULL: there is none */
    bool now;
    double until_s; /* so long it is waited for who is busy */
    struct {
        char id[CONTAINER_ID_SIZE], model[CONTAINER_NAME_SIZE];
    } tried[TRIED_MAX]; /* each model is unloaded once */
    size_t n_tried;
    enum pressure_level levels[TARGETS_MAX]; /* of each target at the beginning */
    bool under_way;
    size_t done, failed;
    fact freed;
    struct room room;
};

static void row(struct optimize *o, const char *container, const char *model, const char *result,
                fact freed, const char *text)
{
    put_known(task_row(&o->task, container, "model", model, result, text), "freed", freed);
}

static bool was_tried(const struct optimize *o, const char *id, const char *model)
{
    for (size_t i = 0; i < o->n_tried; i++)
        if (!strcmp(o->tried[i].id, id) && !strcmp(o->tried[i].model, model))
            return true;
    return o->n_tried == TRIED_MAX;
}

static bool room_here(struct optimize *o, const struct world *world,
                      const struct judgement *judgement, size_t target)
{
    const struct container *c = world_container(world, o->task.targets.ids[target]);
    if (!c || c->status != STATUS_RUNNING || !c->ollama.reachable)
        return false;
    struct room_options options = {.world = world,
                                   .container = c,
                                   .judgement = judgement,
                                   .config = o->task.cli->config,
                                   .uses = o->uses,
                                   .last_used_ms = keep_history_last_used_ms,
                                   .userdata = o->history};
    room_of(&options, &o->room);
    return true;
}

static void try_it(struct optimize *o, const struct container *c, const struct loaded_model *m)
{
    int r = o->task.dry_run
                ? 0
                : healer_unload(flow_healer(o->task.flow), c, m->name, 0, false, "optimize");
    bool locked = r == -EBUSY;
    if (locked && clock_boottime_s() < o->until_s + locked_s)
        return; /* with the next look */
    size_t at = o->n_tried++;
    memcpy(o->tried[at].id, c->id, sizeof o->tried[at].id);
    memcpy(o->tried[at].model, m->name, sizeof o->tried[at].model);
    char text[128];
    if (r < 0) {
        o->failed++;
        row(o, c->name, m->name, "failed", FACT_UNKNOWN,
            locked ? "not unloaded: another supervisor works on its container" : strerror(-r));
    } else if (o->task.dry_run) {
        o->freed += m->held;
        o->done++;
        snprintf(text, sizeof text, "would be unloaded: its runner holds %s", SHOWN(m->held));
        row(o, c->name, m->name, "would", m->held, text);
    } else {
        o->under_way = true;
    }
}

/* What stays although the pressure is not low. */
static void say_stays(struct optimize *o, const struct container *c,
                      const struct optimize_plan *plan)
{
    for (size_t i = 0; i < o->room.n_models; i++) {
        char why[128], text[160];
        const struct loaded_model *m = &o->room.models[i];
        if (plan->stays[i] == STAYS_NOT || was_tried(o, c->id, m->name))
            continue;
        staying_text(m, plan->stays[i], why, sizeof why);
        snprintf(text, sizeof text, "stays: %s", why);
        row(o, c->name, m->name, "stays", FACT_UNKNOWN, text);
    }
}

static void finish(struct optimize *o, const struct world *world, const struct judgement *judgement)
{
    struct task *task = &o->task;
    json_t *containers = json_array();
    for (size_t i = 0; i < task->targets.n; i++) {
        if (!room_here(o, world, judgement, i))
            continue;
        const struct container *c = task_container(task, i);
        struct optimize_plan plan;
        optimize_plan(&o->room, o->now, &plan);
        if (plan.level > LEVEL_LOW || o->now)
            say_stays(o, c, &plan);
        const char *before = pressure_name(o->levels[i]), *after = pressure_name(plan.level);
        if (task->json)
            json_array_append_new(containers, json_pack("{s:s, s:s, s:s}", "container", c->name,
                                                        "before", before, "after", after));
        else if (!o->done && !o->failed)
            printf("%s: the pressure is %s: nothing to do%s\n", c->name, after,
                   o->now || !o->room.n_models ? "" : " (--now unloads what is idle anyway)");
        else
            printf("%s: the pressure was %s and is %s\n", c->name, before, after);
    }
    if (task->json)
        say_json(json_pack("{s:O, s:O, s:I}", "containers", containers, "models", task->rows,
                           "freed", (json_int_t)o->freed));
    else
        printf("%s%s (%lld bytes)\n", task->dry_run ? "would free " : "freed ", SHOWN(o->freed),
               (long long)o->freed);
    json_decref(containers);
    task_end(task, o->failed ? FAILURE_JOB : 0);
}

/* True: the next look goes on. */
static bool pass(struct optimize *o, const struct world *world, const struct judgement *judgement)
{
    struct task *task = &o->task;
    bool waits = false;
    for (size_t i = 0; i < task->targets.n; i++) {
        struct optimize_plan plan;
        if (!room_here(o, world, judgement, i))
            continue;
        const struct container *c = task_container(task, i);
        optimize_plan(&o->room, o->now, &plan);
        if (plan.waits && clock_boottime_s() < o->until_s) {
            waits = true;
            continue;
        }
        for (size_t k = 0; k < plan.n_go; k++) {
            const struct loaded_model *m = &o->room.models[plan.go[k]];
            if (was_tried(o, c->id, m->name))
                continue;
            try_it(o, c, m);
            if (!task->dry_run)
                return true; /* the next one after a look at what this one gave */
        }
    }
    return waits;
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct optimize *o = task->userdata;
    runner_uses_look(o->uses, world);
    if (o->under_way)
        return;
    for (size_t i = 0; o->until_s <= 0 && i < task->targets.n; i++)
        if (room_here(o, world, judgement, i))
            o->levels[i] = room_level(&o->room, 0);
    if (o->until_s <= 0)
        o->until_s = clock_boottime_s() + idle_s;
    if (pass(o, world, judgement))
        say_progress("looking for who is busy, unloading ...");
    else
        finish(o, world, judgement);
}

static void heal(struct task *task, const struct heal_event *h)
{
    struct optimize *o = task->userdata;
    char text[500];
    if (h->kind == HEAL_ACTING || !o->under_way)
        return;
    o->under_way = false;
    bool waits = h->kind == HEAL_LOCKED && clock_boottime_s() < o->until_s + locked_s;
    if (waits || h->kind == HEAL_RECOVERED) { /* what an earlier one had begun: once more */
        o->n_tried--;
        return;
    }
    fact freed = fact_known(h->before) && fact_known(h->after) && h->before > h->after
                     ? h->before - h->after
                     : 0;
    o->freed += freed;
    if (h->kind == HEAL_DONE) {
        o->done++;
        snprintf(text, sizeof text, "unloaded, %s in %.1f s", SHOWN_CHANGE(h->before, h->after),
                 h->took_s);
        row(o, h->name, h->model, "done", freed, text);
    } else {
        o->failed++;
        snprintf(text, sizeof text, "not unloaded: %.400s", h->text);
        row(o, h->name, h->model, "failed", freed, text);
    }
}

int cmd_optimize(struct cli *cli)
{
    struct optimize *o = calloc(1, sizeof *o);
    if (!o || runner_uses_new(&o->uses) < 0) {
        free(o);
        return cli_refuse(FAILURE_JOB, "not enough memory");
    }
    o->now = cli_has(cli, "now");
    o->task = TASK(cli, "optimize", cli_container(cli), o, ACTS(cli), .rows = json_array(),
                   .look = look, .heal = heal);
    keep_history_read(config_settings(cli->config)->state, false, &o->history, NULL);
    int status = task_run(&o->task);
    keep_history_close(o->history);
    runner_uses_free(o->uses);
    free(o);
    return status;
}
