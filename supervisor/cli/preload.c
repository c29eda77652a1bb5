/* supervisor preload: the tiers and the pinned models, as far as they fit. */
#include "cli/loading.h"
#include "cli/say.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void say_row(struct preload *preload, const struct wanted_model *item,
                    const struct load_report *report)
{
    char text[800];
    static const char *const results[] = {"loaded", "was there", "would fit", "does not fit",
                                          "failed"};
    if (preload->task->json) {
        json_t *json = load_json(report);
        json_object_set_new(json, "tier", json_string(item->tier));
        json_array_append_new(preload->rows, json);
        return;
    }
    progress_end(&preload->loading.progress);
    say_clear();
    if (!preload->titled)
        printf("%-20s %-12s %-28s %-14s %s\n", "CONTAINER", "TIER", "MODEL", "RESULT", "");
    preload->titled = true;
    load_say(report, text, sizeof text);
    static const char *const said[] = {"loaded ", "it is loaded already; ",
                                       "would be loaded: ", "not loaded: "};
    const char *rest = text;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        if (!strncmp(text, said[i], strlen(said[i])))
            rest = text + strlen(said[i]);
    printf("%-20s %-12s %-28s %-14s %s\n", item->container, item->tier, item->model,
           results[report->end], rest);
}

static void done(void *userdata, const struct load_report *report)
{
    struct preload *preload = userdata;
    say_row(preload, &preload->items[preload->at], report);
    preload->short_of += report->end == LOAD_REFUSED || report->end == LOAD_FAILED;
    preload->at++;
    preload->row_open = false;
    sense_look_now(flow_sense(preload->task->flow),
                   report->id); /* the next one need not wait for a tick */
}

int preload_begin(struct preload *preload, struct task *task, int64_t keep_alive_s)
{
    preload->task = task;
    preload->loading.done = done;
    preload->loading.userdata = preload;
    preload->rows = json_array();
    preload->items = calloc(PRELOAD_MAX, sizeof *preload->items);
    if (!preload->items || !preload->rows)
        return -ENOMEM;
    for (size_t i = 0; i < task->targets.n; i++) {
        const struct container *c = task_container(task, i);
        if (c)
            preload->n = wanted_list(task->cli->config, c, keep_alive_s, preload->items, preload->n,
                                     PRELOAD_MAX);
    }
    return 0;
}

void preload_look(struct preload *preload)
{
    loader_look(preload->loading.loader);
    if (preload->row_open || preload->over)
        return;
    preload->over = preload->at == preload->n;
    if (preload->over)
        return;
    const struct wanted_model *item = &preload->items[preload->at];
    struct load_wish wish = {
        .keep_alive_s = item->keep_alive_s, .keep_others = true, .dry_run = preload->task->dry_run};
    memcpy(wish.id, item->id, sizeof wish.id);
    memcpy(wish.model, item->model, sizeof wish.model);
    preload->row_open = true;
    loader_begin(preload->loading.loader, &wish);
}

void preload_end(struct preload *preload)
{
    loading_end(&preload->loading);
    free(preload->items);
    json_decref(preload->rows);
}

/* ---- the command */

struct command_preload {
    struct task task;
    struct preload preload;
    int64_t keep_alive_s;
};

static void begin(struct task *task)
{
    struct command_preload *p = task->userdata;
    if (preload_begin(&p->preload, task, p->keep_alive_s) == 0)
        return;
    p->preload.over = true;
    task_refuse(task, FAILURE_JOB, "not enough memory");
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)world, (void)judgement;
    struct command_preload *p = task->userdata;
    if (p->preload.over)
        return;
    preload_look(&p->preload);
    if (!p->preload.over)
        return;
    if (task->json)
        say_json(json_incref(p->preload.rows));
    else if (p->preload.n == 0)
        puts("nothing to preload: neither a tier ([tier \"fast\"] models) nor models.pin is set");
    task_end(task, p->preload.short_of ? FAILURE_JOB : 0);
}

int cmd_preload(struct cli *cli)
{
    struct error err;
    struct command_preload p = {.keep_alive_s = 0};
    if (load_keep_alive(cli_value(cli, "keep-alive"), &p.keep_alive_s, &err) < 0)
        return cli_fail(&err);
    p.task = TASK(cli, "preload", cli_container(cli), &p, ACTS(cli), .begin = begin, .look = look,
                  .loading = &p.preload.loading);
    int status = task_run(&p.task);
    preload_end(&p.preload);
    return status;
}
