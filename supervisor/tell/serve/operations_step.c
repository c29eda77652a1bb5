/* An operation in each look: what it has not begun, what became of what it has. */
#include "base/clock.h"
#include "base/log.h"
#include "base/model_name.h"
#include "judge/optimize.h"
#include "sense/json_put.h"
#include "tell/serve/operations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is not begun so long after it could have been the next one there is not done any more: as
 * `supervisor flush`. A load waits for others' loads, which may be of large models. */
static const double begin_s = 30, load_begin_s = 300;

/* An Ollama that does not say within that what it has loaded does not answer. */
static const double list_s = 15;

/* ---- what is loaded, asked anew */

static struct room *room_in(const struct operation *op, const struct state *state,
                            const struct container *c)
{
    struct room *room = malloc(sizeof *room);
    struct room_options options = {.world = state->world,
                                   .container = c,
                                   .judgement = state->judgement,
                                   .config = op->serve->o.config,
                                   .uses = op->serve->uses};
    if (room)
        room_of(&options, room);
    return room;
}

/* By its runner's clients or CPU time: enough to tell who is asked last. */
static bool is_busy(const struct room *room, const struct container *c, const struct model *model)
{
    const struct loaded_model *m = room ? room_model(room, model->name, "") : NULL;
    for (size_t i = 0; model->blob[0] && i < c->n_processes; i++) {
        const struct process *p = &c->processes[i];
        if (p->kind == PROCESS_RUNNER && strcmp(p->blob, model->blob) == 0 &&
            fact_known(p->clients) && p->clients > 0)
            return true;
    }
    return m && m->rest == REST_BUSY;
}

/* Idle ones first: a busy one is waited for. */
static void choose_models(struct operation *op, const struct state *state,
                          const struct container *c)
{
    struct room *room = room_in(op, state, c);
    size_t n_before = op->n_jobs;
    for (int busy = 0; busy < 2; busy++) {
        for (size_t i = 0; i < c->ollama.n_models; i++) {
            const struct model *m = &c->ollama.models[i];
            if ((!op->model[0] || model_same(op->model, m->name)) && is_busy(room, c, m) == busy)
                operation_add_unload(op, c, m->name);
        }
    }
    free(room);
    if (c->ollama.incomplete && (!op->model[0] || op->n_jobs == n_before))
        operation_say(op, c->name, op->model, "failed", "not all that it has loaded is known");
}

/* True: it is not known yet. */
static bool look_at(struct operation *op, const struct state *state,
                    struct operation_target *target)
{
    const struct container *c = world_container(state->world, target->id);
    const struct ollama *o = c ? &c->ollama : NULL;
    bool since = o && state->world->monotonic_s - o->age_ms / 1000 >= op->began_s;
    bool late = clock_boottime_s() > op->began_s + list_s;
    bool known = !o || o->offends || (o->asked && since) || late;
    if (!known && sense_poll_now(op->serve->o.sense, target->id) == 0) {
        sense_want_connections(op->serve->o.sense, target->id);
        return true;
    }
    target->looked = true;
    if (!o)
        operation_say(op, target->id, "", "failed", "its container is gone");
    else if (!o->reachable || !since)
        operation_say(op, c->name, "", "failed", "its Ollama does not answer");
    else if (op->unloads)
        choose_models(op, state, c);
    return false;
}

static bool step_targets(struct operation *op, const struct state *state)
{
    bool open = false, was_open = false;
    for (size_t i = 0; i < op->n_targets && (op->unloads || op->optimizes); i++) {
        was_open |= !op->targets[i].looked;
        open |= !op->targets[i].looked && look_at(op, state, &op->targets[i]);
    }
    if (was_open && !open && op->model[0] && op->n_jobs == 0 && json_array_size(op->rows) == 0) {
        const struct container *c = operation_target(op, 0);
        operation_say(op, c ? c->name : "", op->model, "done", "it is not loaded");
    }
    return open;
}

/* ---- unloads and restarts */

static bool under_way(const struct operation *op, const char *id)
{
    for (size_t i = 0; i < op->n_jobs; i++)
        if (op->jobs[i].state == JOB_UNDER_WAY && (!id || strcmp(op->jobs[i].id, id) == 0))
            return true;
    return false;
}

static void step_job(struct operation *op, struct operation_job *job, const struct state *state)
{
    const struct container *c = world_container(state->world, job->id);
    struct healer *healer = op->serve->o.healer;
    double now_s = clock_boottime_s();
    if (job->first_s <= 0)
        job->first_s = now_s;
    bool late = now_s > job->first_s + begin_s;
    int r = !c              ? -ENOENT
            : late          ? -ETIMEDOUT
            : job->model[0] ? healer_unload(healer, c, job->model, 0, op->force, "asked")
                            : healer_restart(healer, c, "asked");
    if (r == -EBUSY)
        return;
    job->state = r == 0 ? JOB_UNDER_WAY : JOB_ENDED;
    if (r < 0)
        operation_say(op, c ? c->name : job->id, job->model, "failed",
                      r == -ETIMEDOUT ? "not begun: something else was under way there for 30 s"
                      : r == -ENOENT  ? "its container is gone"
                      : r == -EPERM   ? "it is a task of Swarm: its life is the manager's business"
                                      : "it could not be remembered, so it was not done");
}

/* True: some are not over. */
static bool step_jobs(struct operation *op, const struct state *state)
{
    bool open = false;
    for (size_t i = 0; i < op->n_jobs; i++) {
        struct operation_job *job = &op->jobs[i];
        if (job->state == JOB_TO_DO && !under_way(op, job->id))
            step_job(op, job, state);
        open |= job->state != JOB_ENDED;
    }
    return open;
}

static void job_told(struct operation *op, struct operation_job *job, const struct heal_event *e)
{
    char text[400];
    job->state = e->kind == HEAL_RECOVERED || e->kind == HEAL_LOCKED ? JOB_TO_DO : JOB_ENDED;
    if (job->state == JOB_TO_DO) /* what an earlier one had begun, or another works on */
        return;
    bool done = e->kind == HEAL_DONE, waits = e->kind == HEAL_PENDING;
    op->pending += waits;
    op->failed += !done && !waits;
    snprintf(text, sizeof text, "%s%s%.300s",
             done    ? job->model[0] ? "unloaded" : "restarted"
             : waits ? "pending"
                     : "not done",
             *e->text ? "; " : "", e->text);
    json_t *one = operation_row(op, e->name, job->model,
                                done    ? "done"
                                : waits ? "pending"
                                        : "failed",
                                text);
    put_known(one, "before", e->before);
    put_known(one, "after", e->after);
    if (done && fact_known(e->before) && fact_known(e->after) && e->before > e->after)
        op->freed += e->before - e->after;
}

void operations_heal(struct serve *serve, const struct heal_event *e)
{
    struct operation *op;
    bool of_us = strcmp(e->step, "unload") == 0 || strcmp(e->step, "restart") == 0;
    if (serve->loader)
        loader_heal(serve->loader, e);
    if (e->kind == HEAL_ACTING || e->kind == HEAL_LOCKED_LONG || e->kind == HEAL_HOLD_OVER)
        return;
    TAILQ_FOREACH(op, &serve->operations, link)
    {
        for (size_t i = 0; !op->over && i < op->n_jobs; i++) {
            struct operation_job *job = &op->jobs[i];
            bool again = e->kind == HEAL_RECOVERED || e->kind == HEAL_LOCKED;
            bool same = of_us && strcmp(job->model, e->model ? e->model : "") == 0;
            if (job->state == JOB_UNDER_WAY && strcmp(job->id, e->id) == 0 && (again || same))
                job_told(op, job, e);
        }
    }
}

/* ---- an optimisation pass: one model after the other, each after a look at what the one before
 * gave back */

static bool was_tried(const struct operation *op, const char *id, const char *model)
{
    for (size_t i = 0; i < op->n_jobs; i++)
        if (strcmp(op->jobs[i].id, id) == 0 && strcmp(op->jobs[i].model, model) == 0)
            return true;
    return op->n_jobs == OPERATION_JOBS_MAX;
}

/* Whether it goes on: a model goes, or it is not known yet who is busy. */
static bool optimize_one(struct operation *op, const struct state *state, const struct container *c)
{
    enum { IDLE_S = 10 }; /* five seconds of looking tell who is busy */
    struct room *room = room_in(op, state, c);
    struct optimize_plan plan;
    bool more = false;
    if (!room)
        return false;
    optimize_plan(room, false, &plan);
    if (plan.waits && clock_boottime_s() < op->began_s + IDLE_S)
        more = true;
    for (size_t i = 0; i < plan.n_go && !more; i++) {
        const char *model = room->models[plan.go[i]].name;
        if (!was_tried(op, c->id, model))
            more = operation_add_unload(op, c, model) == 0;
    }
    free(room);
    return more;
}

static bool step_optimize(struct operation *op, const struct state *state)
{
    for (size_t i = 0; i < op->n_targets; i++) {
        const struct container *c = world_container(state->world, op->targets[i].id);
        if (c && c->status == STATUS_RUNNING && c->ollama.reachable && optimize_one(op, state, c))
            return true;
    }
    return false;
}

/* ---- loads */

static struct operation *who_loads(struct serve *serve)
{
    struct operation *op;
    TAILQ_FOREACH(op, &serve->operations, link)
    {
        if (!op->over && op->loading)
            return op;
    }
    return NULL;
}

void operation_loaded(void *userdata, const struct load_report *report)
{
    static const char *const results[] = {"done", "done", "done", "refused", "failed"};
    struct operation *op = who_loads(userdata);
    char text[800];
    if (!op)
        return;
    bool there = report->end == LOAD_THERE, bad = report->end >= LOAD_REFUSED;
    op->loading = false;
    op->load_due_s = 0;
    op->at_load++;
    op->refused += report->end == LOAD_REFUSED;
    op->failed += report->end == LOAD_FAILED;
    snprintf(text, sizeof text, "%s%s%.700s",
             bad     ? "not loaded"
             : there ? ""
                     : "loaded",
             *report->text && !there ? ": " : "", report->text);
    if (!bad && !there)
        log_line(LOG_LEVEL_INFO, "Model loaded successfully", LS("container", report->container),
                 LS("model", report->model), LN("runner", report->runner),
                 LR("took_s", report->took_s));
    json_t *one = operation_row(op, report->container, report->model, results[report->end], text);
    put_known(one, "before", report->before);
    put_known(one, "after", report->after);
    put_known(one, "runner", report->runner);
    put_real(one, "load_s", report->load_s > 0 ? report->load_s : -1);
    if (report->admission)
        put_known(one, "missing", report->admission->missing);
}

static bool step_loads(struct operation *op, const struct state *state)
{
    struct serve *serve = op->serve;
    if (op->at_load == op->n_loads)
        return false;
    const struct load_wish *wish = &op->loads[op->at_load];
    double now_s = clock_boottime_s();
    if (op->load_due_s <= 0)
        op->load_due_s = now_s + load_begin_s;
    if (!who_loads(serve) && serve->loader) {
        op->loading = true; /* it may end from within */
        if (loader_begin(serve->loader, wish) < 0)
            op->loading = false;
    } else if (!op->loading && now_s > op->load_due_s) {
        const struct container *c = world_container(state->world, wish->id);
        op->at_load++;
        op->load_due_s = 0;
        operation_say(op, c ? c->name : wish->id, wish->model, "failed",
                      "not begun: other loads were under way for 5 minutes");
    }
    return op->at_load < op->n_loads;
}

bool operation_step(struct operation *op, const struct state *state)
{
    return step_targets(op, state) || step_jobs(op, state) ||
           (op->optimizes && step_optimize(op, state)) || step_loads(op, state);
}
