/* supervisor preload: the tiers and the pinned models, as far as they fit (row C14). */
#include "cli/preload.h"
#include "base/model_name.h"
#include "base/size.h"
#include "cli/say.h"
#include "sense/ollama_load.h"
#include "sense/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is wanted */

struct listing {
    const struct container *container;
    struct preload_item *items;
    size_t from, n, max; /* from: where this container's begin */
};

static void add(struct listing *to, const char *list, const char *tier, int64_t keep_alive_s)
{
    char name[MODEL_NAME_SIZE];
    while (model_list_next(&list, name, sizeof name)) {
        bool met = to->n == to->max;
        for (size_t i = to->from; i < to->n; i++)
            met |= model_same(to->items[i].model, name);
        if (met)
            continue;
        struct preload_item *item = &to->items[to->n++];
        *item = (struct preload_item){.keep_alive_s = keep_alive_s};
        memcpy(item->id, to->container->id, sizeof item->id);
        memcpy(item->container, to->container->name, sizeof item->container);
        memcpy(item->model, name, sizeof item->model);
        snprintf(item->tier, sizeof item->tier, "%s", tier);
    }
}

size_t preload_list(const struct config *config, const struct container *container,
                    int64_t keep_alive_s, struct preload_item *items, size_t n, size_t max)
{
    struct listing to = {container, items, n, n, max};
    struct settings settings;
    size_t n_tiers;
    const struct tier *tiers = config_tiers(config, &n_tiers);
    policy_for(config, container, &settings, NULL);
    for (int rank = TIER_ULTRA_FAST; rank <= TIER_OTHER; rank++)
        for (size_t i = 0; i < n_tiers; i++)
            if (tier_rank(tiers[i].name) == (enum tier_rank)rank)
                add(&to, tiers[i].models, tiers[i].name, keep_alive_s);
    int64_t pinned_s = keep_alive_s == OLLAMA_KEEP_DEFAULT ? OLLAMA_KEEP_FOREVER : keep_alive_s;
    for (size_t i = n; i < to.n; i++) /* one of a tier that is pinned too */
        if (model_in_list(settings.models_pin, items[i].model))
            items[i].keep_alive_s = pinned_s;
    add(&to, settings.models_pin, "pinned", pinned_s);
    return to.n;
}

/* ---- one after another */

static void say_row(struct preload *preload, const struct preload_item *item,
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
    progress_end(&preload->progress);
    say_progress(NULL);
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
    sense_look_now(flow_sense(preload->task->flow)); /* the next one need not wait for a tick */
}

static void progress(void *userdata, const struct load_progress *now)
{
    struct preload *preload = userdata;
    load_say_progress(&preload->progress, now);
}

int preload_begin(struct preload *preload, struct task *task, int64_t keep_alive_s)
{
    struct loader_options options = {.config = task->cli->config,
                                     .sense = flow_sense(task->flow),
                                     .healer = flow_healer(task->flow),
                                     .state = config_settings(task->cli->config)->state,
                                     .progress = progress,
                                     .done = done,
                                     .userdata = preload};
    preload->task = task;
    preload->rows = json_array();
    preload->items = calloc(PRELOAD_MAX, sizeof *preload->items);
    if (!preload->items || !preload->rows || loader_new(&options, &preload->loader) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < task->targets.n; i++) {
        const struct container *c = sense_container(flow_sense(task->flow), task->targets.ids[i]);
        if (c)
            preload->n = preload_list(task->cli->config, c, keep_alive_s, preload->items,
                                      preload->n, PRELOAD_MAX);
    }
    return 0;
}

void preload_look(struct preload *preload, const struct world *world,
                  const struct judgement *judgement)
{
    loader_look(preload->loader, world, judgement);
    if (preload->row_open || preload->over)
        return;
    preload->over = preload->at == preload->n;
    if (preload->over)
        return;
    const struct preload_item *item = &preload->items[preload->at];
    struct load_wish wish = {
        .keep_alive_s = item->keep_alive_s, .keep_others = true, .dry_run = preload->task->dry_run};
    memcpy(wish.id, item->id, sizeof wish.id);
    memcpy(wish.model, item->model, sizeof wish.model);
    preload->row_open = true;
    loader_begin(preload->loader, &wish);
}

void preload_heal(struct preload *preload, const struct heal_event *event)
{
    if (preload->loader)
        loader_heal(preload->loader, event);
}

void preload_interrupted(const struct preload *preload)
{
    const char *model = preload->loader ? loader_loading(preload->loader) : NULL;
    if (model)
        fprintf(stderr, "supervisor: interrupted: Ollama aborts the load of %s\n", model);
}

void preload_end(struct preload *preload)
{
    loader_free(preload->loader);
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
    struct error err;
    if (preload_begin(&p->preload, task, p->keep_alive_s) == 0)
        return;
    error_set(&err, FAILURE_JOB, -ENOMEM, "not enough memory");
    p->preload.over = true;
    task_end(task, cli_fail(&err));
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct command_preload *p = task->userdata;
    bool was_over = p->preload.over;
    if (was_over)
        return;
    preload_look(&p->preload, world, judgement);
    if (!p->preload.over)
        return;
    if (task->json) {
        json_dumpf(p->preload.rows, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (p->preload.n == 0) {
        puts("nothing to preload: neither a tier ([tier \"fast\"] models) nor models.pin is set");
    }
    task_end(task, p->preload.short_of ? FAILURE_JOB : 0);
}

static void heal(struct task *task, const struct heal_event *event)
{
    preload_heal(&((struct command_preload *)task->userdata)->preload, event);
}

static void interrupted(struct task *task)
{
    preload_interrupted(&((struct command_preload *)task->userdata)->preload);
}

int cmd_preload(struct cli *cli, int argc, char **argv)
{
    struct error err;
    struct command_preload p = {.keep_alive_s = 0};
    if (load_keep_alive(options_value(&cli->options, "keep-alive"), &p.keep_alive_s, &err) < 0)
        return cli_fail(&err);
    p.task = (struct task){.cli = cli,
                           .command = "preload",
                           .named = argc > 1 ? argv[1] : NULL,
                           .act = true,
                           .dry_run = options_has(&cli->options, "dry-run"),
                           .json = options_has(&cli->options, "json"),
                           .begin = begin,
                           .look = look,
                           .heal = heal,
                           .interrupted = interrupted,
                           .userdata = &p};
    int status = task_run(&p.task);
    preload_end(&p.preload);
    return status;
}
