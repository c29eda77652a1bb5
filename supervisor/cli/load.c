/* supervisor load MODEL: into one container, if there is room for it (row C7). */
#include "cli/loading.h"
#include "cli/say.h"

#include <errno.h>
#include <string.h>

struct load {
    struct task task;
    struct load_wish wish;
    struct loading loading;
    bool begun;
};

static void done(void *userdata, const struct load_report *report)
{
    struct load *load = userdata;
    char text[800];
    bool bad = report->end == LOAD_REFUSED || report->end == LOAD_FAILED;
    progress_end(&load->loading.progress);
    say_progress(NULL);
    load_say(report, text, sizeof text);
    if (load->task.json) {
        json_t *json = load_json(report);
        say_json(json);
        json_decref(json);
    } else {
        fprintf(bad ? stderr : stdout, "%s: %s: %s\n", report->container, report->model, text);
    }
    task_end(&load->task, bad ? FAILURE_JOB : 0);
}

static void begin(struct task *task)
{
    struct load *load = task->userdata;
    if (task->targets.n > 1) {
        struct error err;
        error_set(&err, FAILURE_USAGE, -EINVAL,
                  "%zu containers are in enforce mode: name the one that is meant by --container",
                  task->targets.n);
        task_end(task, cli_fail(&err));
        return;
    }
    memcpy(load->wish.id, task->targets.ids[0], sizeof load->wish.id);
    if (loading_begin(&load->loading, task) < 0) {
        struct error err;
        error_set(&err, FAILURE_JOB, -ENOMEM, "not enough memory");
        task_end(task, cli_fail(&err));
    }
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct load *load = task->userdata;
    if (!load->loading.loader)
        return;
    loader_look(load->loading.loader, world, judgement);
    if (!load->begun) {
        load->begun = true;
        loader_begin(load->loading.loader, &load->wish);
    }
}

static void heal(struct task *task, const struct heal_event *event)
{
    struct load *load = task->userdata;
    char change[160];
    if (event->kind == HEAL_DONE && !task->json) {
        say_progress(NULL);
        printf("%s: %s: unloaded to make room, %s in %.1f s\n", event->name, event->model,
               say_change(event->before, event->after, change, sizeof change), event->took_s);
    }
    if (load->loading.loader)
        loader_heal(load->loading.loader, event);
}

static void interrupted(struct task *task)
{
    struct load *load = task->userdata;
    loading_interrupted(&load->loading);
}

int cmd_load(struct cli *cli, int argc, char **argv)
{
    (void)argc;
    struct error err;
    struct load load = {.loading = {.done = done, .userdata = &load},
                        .wish = {.force = options_has(&cli->options, "force"),
                                 .dry_run = options_has(&cli->options, "dry-run")}};
    if (load_keep_alive(options_value(&cli->options, "keep-alive"), &load.wish.keep_alive_s, &err) <
        0)
        return cli_fail(&err);
    if (strlen(argv[1]) == 0 || strlen(argv[1]) >= sizeof load.wish.model) {
        error_set(&err, FAILURE_USAGE, -EINVAL, "\"%.64s\" is no model's name", argv[1]);
        return cli_fail(&err);
    }
    snprintf(load.wish.model, sizeof load.wish.model, "%s", argv[1]);
    load.task = TASK(cli, "load MODEL --container", options_value(&cli->options, "container"),
                     &load, .begin = begin, .look = look, .heal = heal, .interrupted = interrupted);
    int status = task_run(&load.task);
    loading_end(&load.loading);
    return status;
}
