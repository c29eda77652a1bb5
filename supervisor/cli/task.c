#include "cli/task.h"
#include "base/size.h"
#include "cli/loading.h"
#include "cli/say.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* ---- targets */

static void add(struct targets *targets, const struct container *c)
{
    if (targets->n < TARGETS_MAX)
        memcpy(targets->ids[targets->n++], c->id, CONTAINER_ID_SIZE);
}

bool targets_have(const struct targets *targets, const char *id)
{
    for (size_t i = 0; i < targets->n; i++)
        if (!strcmp(targets->ids[i], id))
            return true;
    return false;
}

static int choose_named(const struct world *world, const char *named, struct targets *targets,
                        struct error *err)
{
    const char *names[TARGETS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (!strcmp(c->name, named) ||
            (strlen(named) >= 12 && !strncmp(c->id, named, strlen(named)))) {
            if (c->status != STATUS_RUNNING)
                return error_set(err, FAILURE_JOB, -ENOENT, "%.200s is not running (%s)", c->name,
                                 container_status_name(c->status));
            add(targets, c);
            return 0;
        }
        if (n < TARGETS_MAX)
            names[n++] = c->name;
    }
    return error_set(err, FAILURE_USAGE, -ENOENT, "there is no container \"%.100s\"%s", named,
                     MEANT(named, names, n, "; did you mean ", ""));
}

int targets_choose(const struct world *world, const char *named, const char *command, FILE *told,
                   struct targets *ret_targets, struct error *err)
{
    ret_targets->n = 0;
    if (named)
        return choose_named(world, named, ret_targets, err);
    size_t running = 0;
    const struct container *only = NULL;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (c->status != STATUS_RUNNING)
            continue;
        running++;
        only = c;
        if (c->mode == MODE_ENFORCE)
            add(ret_targets, c);
    }
    if (!ret_targets->n && running == 1)
        add(ret_targets, only);
    for (size_t i = 0; told && i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (c->status == STATUS_RUNNING && !targets_have(ret_targets, c->id))
            fprintf(told, "%s: only observed (%s); to act on it: supervisor %s %s\n", c->name,
                    c->mode_why, command, c->name);
    }
    if (ret_targets->n)
        return 0;
    if (running)
        return error_set(
            err, FAILURE_JOB, -ENOENT,
            "none of the %zu Ollama containers is in enforce mode; name the one that is meant",
            running);
    return error_set(err, FAILURE_JOB, -ENOENT,
                     "there is no running Ollama container (looked for the label "
                     "supervisor.enable=true and for Ollama's image)");
}

/* ---- the task */

static void on_look(void *userdata, const struct world *world, const struct judgement *judgement)
{
    struct task *task = userdata;
    if (task->over) /* it ends with this turn of the loop, in which another look may be due */
        return;
    if (!task->chosen && (!sense_settled(flow_sense(task->flow)) ||
                          (task->gpus && !sense_gpus_known(flow_sense(task->flow)))))
        return;
    if (!task->chosen) {
        struct error err = {0};
        if (!task->everything &&
            targets_choose(world, task->named, task->command, task->json ? NULL : stdout,
                           &task->targets, &err) < 0) {
            task_end(task, cli_fail(&err));
            return;
        }
        task->chosen = true;
        if (task->one && task->targets.n > 1) {
            task_refuse(task, FAILURE_USAGE,
                        "%zu containers are in enforce mode: name the one that is meant%s",
                        task->targets.n, task->one);
            return;
        }
        if (task->loading && loading_begin(task->loading, task) < 0) {
            task_refuse(task, FAILURE_JOB, "not enough memory");
            return;
        }
        if (task->begin)
            task->begin(task);
    }
    task->look(task, world, judgement);
}

static void on_note(void *userdata, enum sense_note note, const struct container *c,
                    const char *text)
{
    struct task *task = userdata;
    if (note == NOTE_ENGINE_LOST && !task->chosen)
        task_end(task, cli_fail(sense_engine_error(flow_sense(task->flow))));
    else if (note == NOTE_LABEL_BAD && task->bad_label)
        task->bad_label(task, c, text);
    else if (note == NOTE_LABEL_BAD)
        fprintf(stderr, "supervisor: %s: %s\n", c->name, text);
}

static void on_heal(void *userdata, const struct heal_event *event)
{
    struct task *task = userdata;
    /* On the way: what ends it comes yet. */
    if (event->kind == HEAL_START_FAILED || event->kind == HEAL_LOCKED_LONG)
        fprintf(stderr, "supervisor: %s: %s: %s\n", event->name, event->step, event->text);
    else {
        if (task->heal)
            task->heal(task, event);
        if (task->loading)
            loading_heal(task->loading, event);
    }
}

static void on_interrupt(uv_signal_t *signal, int number)
{
    struct task *task = signal->data;
    say_clear();
    if (task->loading)
        loading_interrupted(task->loading);
    if (task->act && healer_busy(flow_healer(task->flow)))
        fputs("supervisor: interrupted; what was begun is followed to its end by the next "
              "supervisor\n",
              stderr);
    task_end(task, 128 + number);
}

void task_end(struct task *task, int status)
{
    say_clear();
    task->over = true;
    flow_stop(task->flow, status);
}

void task_finish(struct task *task, int status)
{
    task->finished = true;
    task_end(task, status);
}

const struct container *task_container(const struct task *task, size_t target)
{
    return sense_container(flow_sense(task->flow), task->targets.ids[target]);
}

json_t *task_row(struct task *task, const char *container, const char *key, const char *about,
                 const char *result, const char *text)
{
    if (task->json) {
        json_t *row = json_pack("{s:s, s:s, s:s, s:s}", "container", container, key, about,
                                "result", result, "text", text);
        json_array_append_new(task->rows, row);
        return row;
    }
    say_clear();
    bool bad = !strcmp(result, "failed") || !strcmp(result, "pending");
    fprintf(bad ? stderr : stdout, "%s: %s: %s\n", container, about, text);
    return NULL;
}

int task_run(struct task *task)
{
    struct error err = {0};
    task->json |= task->ret_rows != NULL;
    struct flow_options options = {.config = task->cli->config,
                                   .act = task->act && !task->dry_run,
                                   .dry_run = task->dry_run,
                                   .named = task->named,
                                   .look = on_look,
                                   .note = on_note,
                                   .heal = on_heal,
                                   .userdata = task};
    if (flow_new(&options, &task->flow, &err) < 0) {
        json_decref(task->rows);
        return cli_fail(&err);
    }
    uv_signal_t interrupt, term;
    uv_signal_init(flow_loop(task->flow), &interrupt);
    uv_signal_init(flow_loop(task->flow), &term);
    interrupt.data = term.data = task;
    uv_signal_start(&interrupt, on_interrupt, SIGINT);
    uv_signal_start(&term, on_interrupt, SIGTERM);
    int status = flow_run(task->flow);
    if (task->ret_rows && task->rows)
        *task->ret_rows = json_incref(task->rows);
    else if (task->json && task->finished)
        say_json(json_incref(task->rows));
    uv_close((uv_handle_t *)&interrupt, NULL);
    uv_close((uv_handle_t *)&term, NULL);
    flow_free(task->flow);
    json_decref(task->rows);
    return status;
}
