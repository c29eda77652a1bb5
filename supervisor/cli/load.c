/* supervisor load MODEL: into one container, if there is room for it. */
#include "cli/loading.h"
#include "cli/say.h"

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
    say_clear();
    if (load->task.json)
        say_json(load_json(report));
    else
        fprintf(bad ? stderr : stdout, "%s: %s: %s\n", report->container, report->model,
                load_say(report, text, sizeof text));
    task_end(&load->task, bad ? FAILURE_JOB : 0);
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)world, (void)judgement;
    struct load *load = task->userdata;
    loader_look(load->loading.loader);
    if (!load->begun) {
        load->begun = true;
        memcpy(load->wish.id, task->targets.ids[0], sizeof load->wish.id);
        loader_begin(load->loading.loader, &load->wish);
    }
}

static void heal(struct task *task, const struct heal_event *event)
{
    if (event->kind == HEAL_DONE && !task->json) {
        say_clear();
        printf("%s: %s: unloaded to make room, %s in %.1f s\n", event->name, event->model,
               SHOWN_CHANGE(event->before, event->after), event->took_s);
    }
}

int cmd_load(struct cli *cli)
{
    struct error err;
    struct load load = {
        .loading = {.done = done, .userdata = &load},
        .wish = {.force = cli_has(cli, "force"), .dry_run = cli_has(cli, "dry-run")}};
    if (load_keep_alive(cli_value(cli, "keep-alive"), &load.wish.keep_alive_s, &err) < 0)
        return cli_fail(&err);
    const char *model = cli->operands[0];
    if (strlen(model) == 0 || strlen(model) >= sizeof load.wish.model)
        return cli_refuse(FAILURE_USAGE, "\"%.64s\" is no model's name", model);
    snprintf(load.wish.model, sizeof load.wish.model, "%s", model);
    load.task =
        TASK(cli, "load MODEL --container", cli_value(cli, "container"), &load, ACTS(cli),
             .look = look, .heal = heal, .loading = &load.loading, .one = " by --container");
    int status = task_run(&load.task);
    loading_end(&load.loading);
    return status;
}
