/* supervisor unload MODEL... and supervisor flush: asked for, confirmed, with before and after (row
 * C6). Neither ever restarts anything. */
#include "base/clock.h"
#include "base/model_name.h"
#include "cli/say.h"
#include "cli/task.h"
#include "sense/json_put.h"
#include "sense/ollama_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 512 };
static const double all_s = 30;   /* 30 s for all of them */
static const double wait_s = 600; /* --wait: a long request or load */

struct job {
    char id[CONTAINER_ID_SIZE], model[CONTAINER_NAME_SIZE];
    enum { JOB_TO_DO, JOB_UNDER_WAY, JOB_ENDED } state;
};

struct unload {
    struct task task;
    bool flush, wait, force;
    char **models; /* those that were asked for */
    int n_models;
    struct job *jobs; /* owned */
    size_t n;
    double until_s;
    size_t failed, pending, unreachable;
    size_t asking; /* whether what is not loaded is there at all */
    struct absent {
        struct unload *unload;
        const char *model;
        size_t left; /* servers that have not answered */
        bool there;  /* in one of them, or that is not known */
    } absent[OPERANDS_MAX];
};

static const long ask_ms = 10000; /* /api/tags blocks until its cache is filled */

static json_t *say(struct unload *u, const char *container, const char *model, const char *result,
                   const char *text)
{
    return task_row(&u->task, container, "model", model, result, text);
}

static void add(struct unload *u, const struct container *c, const char *model)
{
    if (u->n == JOBS_MAX)
        return;
    struct job *job = &u->jobs[u->n++];
    memcpy(job->id, c->id, sizeof job->id);
    snprintf(job->model, sizeof job->model, "%s", model);
}

static void on_absent(void *userdata, int result, const struct ollama_model *model,
                      const struct error *err)
{
    struct absent *absent = userdata;
    struct unload *u = absent->unload;
    const struct task *task = &u->task;
    const char *name = task->targets.n == 1 ? task_container(task, 0)->name : "supervisor";
    (void)model, (void)err;
    u->asking--;
    absent->there |= result != -ENOENT;
    if (--absent->left > 0 || result == -ECANCELED)
        return;
    u->failed += !absent->there;
    say(u, name, absent->model, absent->there ? "done" : "failed",
        absent->there
            ? "it is not loaded (a model that is still loading is not listed yet)"
            : "there is no such model: `docker exec -it CONTAINER ollama list` shows those "
              "that there are");
}

/* One that is loaded nowhere: somebody may have been faster, or its name is wrong. */
static void ask_for(struct unload *u, size_t operand)
{
    const struct task *task = &u->task;
    struct absent *absent = &u->absent[operand];
    *absent = (struct absent){u, u->models[operand], task->targets.n, false};
    u->asking += absent->left;
    for (size_t i = 0; i < task->targets.n; i++) {
        struct ollama_client *client =
            sense_ollama(flow_sense(task->flow), task_container(task, i)->id);
        if (client)
            ollama_ask_model(client, absent->model, ask_ms, on_absent, absent);
        else
            on_absent(absent, -ENOTCONN, NULL, NULL);
    }
}

/* The models asked for, as /api/ps names them. One that is loaded nowhere is told. */
static void begin(struct task *task)
{
    struct unload *u = task->userdata;
    u->until_s = clock_boottime_s() + (u->wait ? wait_s : all_s);
    u->jobs = calloc(JOBS_MAX, sizeof *u->jobs);
    bool found[OPERANDS_MAX] = {false};
    for (size_t i = 0; u->jobs && i < task->targets.n; i++) {
        const struct container *c = task_container(task, i);
        if (!c->ollama.reachable) {
            say(u, c->name, u->flush ? "flush" : "unload", "failed", "its Ollama does not answer");
            u->unreachable++;
            continue;
        }
        for (size_t k = 0; k < c->ollama.n_models; k++) {
            bool wanted = u->flush;
            for (int o = 0; o < u->n_models; o++)
                if (model_same(u->models[o], c->ollama.models[k].name))
                    wanted = found[o] = true;
            if (wanted)
                add(u, c, c->ollama.models[k].name);
        }
        if (u->flush && !c->ollama.n_models)
            say(u, c->name, "flush", "done", "nothing is loaded");
    }
    for (int o = 0; !u->flush && !u->unreachable && o < u->n_models; o++)
        if (!found[o])
            ask_for(u, (size_t)o);
}

static bool under_way(const struct unload *u, const char *id)
{
    for (size_t i = 0; i < u->n; i++)
        if (u->jobs[i].state == JOB_UNDER_WAY && !strcmp(u->jobs[i].id, id))
            return true;
    return false;
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)judgement;
    struct unload *u = task->userdata;
    bool open = u->asking > 0;
    for (size_t i = 0; i < u->n; i++) {
        struct job *job = &u->jobs[i];
        const struct container *c = sense_container(flow_sense(task->flow), job->id);
        if (job->state == JOB_TO_DO && !under_way(u, job->id)) {
            double left_s = u->until_s - world->monotonic_s;
            int r = !c            ? -ENOENT
                    : left_s <= 0 ? -ETIMEDOUT
                                  : healer_unload(flow_healer(task->flow), c, job->model,
                                                  u->wait ? left_s : 0, u->force, "asked");
            job->state = task->dry_run ? JOB_ENDED
                         : r == 0      ? JOB_UNDER_WAY
                         : r == -EBUSY ? JOB_TO_DO
                                       : JOB_ENDED;
            if (r < 0 && job->state == JOB_ENDED) {
                u->failed++;
                say(u, c ? c->name : job->id, job->model, "failed",
                    r == -ETIMEDOUT ? "not begun: the time for all of them is over"
                    : r == -ENOENT  ? "its container is gone"
                                    : "it could not be remembered");
            }
        }
        open |= job->state != JOB_ENDED;
    }
    if (open) {
        say_progress("waiting for models to leave and their memory to come back ...");
        return;
    }
    task_finish(task, u->failed || u->pending ? FAILURE_JOB
                      : u->unreachable        ? FAILURE_UNREACHABLE
                                              : 0);
}

static void heal(struct task *task, const struct heal_event *h)
{
    struct unload *u = task->userdata;
    char text[500];
    /* What an earlier one had begun, or another works on; then our own. */
    bool again = h->kind == HEAL_RECOVERED || h->kind == HEAL_LOCKED;
    if (h->kind == HEAL_ACTING)
        return;
    for (size_t i = 0; i < u->n; i++)
        if (u->jobs[i].state == JOB_UNDER_WAY && !strcmp(u->jobs[i].id, h->id) &&
            (again || !strcmp(u->jobs[i].model, h->model)))
            u->jobs[i].state = again ? JOB_TO_DO : JOB_ENDED;
    if (again)
        return;
    const char *result = "failed";
    if (h->kind == HEAL_DONE) {
        result = "done";
        snprintf(text, sizeof text, "unloaded, %s in %.1f s%s%s", SHOWN_CHANGE(h->before, h->after),
                 h->took_s, *h->text ? "; " : "", h->text);
    } else if (h->kind == HEAL_PENDING) {
        result = "pending";
        u->pending++;
        snprintf(text, sizeof text, "pending: %s", h->text);
    } else if (h->kind == HEAL_WOULD_ACT) {
        result = "would";
        snprintf(text, sizeof text, "would be unloaded");
    } else {
        u->failed++;
        snprintf(text, sizeof text, "not unloaded: %.400s", h->text);
    }
    json_t *row = say(u, h->name, h->model, result, text);
    put_known(row, "before", h->before);
    put_known(row, "after", h->after);
}

int cmd_unload(struct cli *cli)
{
    bool flush = !strcmp(cli->command->name, "flush");
    struct unload u = {.flush = flush,
                       .models = cli->operands,
                       .n_models = cli->n_operands,
                       .wait = cli_has(cli, "wait"),
                       .force = cli_has(cli, "force")};
    u.task = TASK(cli, flush ? "flush --container" : "unload MODEL --container",
                  cli_value(cli, "container"), &u, ACTS(cli), .rows = json_array(), .begin = begin,
                  .look = look, .heal = heal);
    int status = task_run(&u.task);
    free(u.jobs);
    return status;
}
