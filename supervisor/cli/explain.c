/* supervisor explain: the ledger of what a container holds, and what was ruled out. */
#include "base/clock.h"
#include "cli/explain_text.h"
#include "cli/task.h"
#include "keep/history.h"
#include "sense/world_json.h"
#include "tell/local.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DAEMON_TIMEOUT_MS = 2000, HOUR_MS = 3600000 };

struct explain {
    struct task task;
    json_t *state; /* a world with verdicts, as `status --json` prints it */
    struct world world;
    struct keep_history *history; /* NULL: there is none */
    json_t *said;                 /* one of each container, for --json */
    size_t shown;
};

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)world, (void)judgement;
    struct explain *e = task->userdata;
    e->state = flow_to_json(task->flow);
    if (e->state)
        json_object_set_new(e->state, "source", json_string("look"));
    task_end(task, e->state ? 0 : FAILURE_JOB);
}

static int read_world(struct explain *e)
{
    char *line = json_dumps(e->state, WORLD_JSON_FLAGS);
    enum world_line kind =
        line ? world_from_json(line, strlen(line), &e->world, NULL, 0) : WORLD_LINE_FOREIGN;
    free(line);
    return kind == WORLD_LINE_WORLD ? 0 : -EBADMSG;
}

static int no_world(void)
{
    struct error err;
    error_set(&err, FAILURE_JOB, -EBADMSG, "what was seen cannot be read back");
    return cli_fail(&err);
}

/* From the daemon, which knows more; from a look of our own where none runs, or where it does not
 * follow the container that was named. The exit status. */
static int get_world(struct explain *e, struct targets *targets)
{
    struct error err = {0};
    const struct settings *s = config_settings(e->task.cli->config);
    if (local_ask(s->state, s->docker_host, DAEMON_TIMEOUT_MS, &e->state) == 0) {
        json_object_set_new(e->state, "source", json_string("daemon"));
        if (read_world(e) < 0)
            return no_world();
        if (!e->task.named ||
            targets_choose(&e->world, e->task.named, "explain", NULL, targets, &err) == 0 ||
            err.failure == FAILURE_JOB)
            return err.code ? cli_fail(&err) : 0;
        json_decref(e->state);
        e->state = NULL;
    }
    int status = task_run(&e->task);
    if (status != 0)
        return status;
    if (!e->state || read_world(e) < 0)
        return no_world();
    if (e->task.named &&
        targets_choose(&e->world, e->task.named, "explain", NULL, targets, &err) < 0)
        return cli_fail(&err);
    return 0;
}

static int ask_history(void *userdata, const struct container *c, const struct model *m,
                       struct ledger_learned *ret_learned)
{
    const struct explain *e = userdata;
    struct history_footprint f = {.digest = m->digest,
                                  .context = m->context_length,
                                  .parallel = ledger_parallel(c),
                                  .kv_type = ledger_kv_type(c),
                                  .model = m->name};
    if (!e->history || keep_history_footprint(e->history, &f, NULL) < 0)
        return -ENOENT;
    *ret_learned = (struct ledger_learned){f.held, f.seen};
    return 0;
}

static void span_sample(void *userdata, const struct history_sample *sample)
{
    struct explained *x = userdata;
    if (!fact_known(sample->held))
        return;
    if (x->samples++ == 0)
        x->least = x->most = sample->held;
    x->least = sample->held < x->least ? sample->held : x->least;
    x->most = sample->held > x->most ? sample->held : x->most;
}

static int explain_one(struct explain *e, size_t i)
{
    struct explained x = {.container = &e->world.containers[i],
                          .least = FACT_UNKNOWN,
                          .most = FACT_UNKNOWN,
                          .ledger = calloc(1, sizeof *x.ledger)};
    if (!x.ledger)
        return -ENOMEM;
    ledger_of(x.container, &e->world.host, ask_history, e, x.ledger);
    if (e->history)
        keep_history_samples(e->history, x.container->id, clock_wall_ms() - HOUR_MS, span_sample,
                             &x, NULL);
    x.seen = json_array_get(json_object_get(e->state, "containers"), i);
    x.verdicts = json_object_get(e->state, "verdicts");
    if (e->task.json)
        json_array_append_new(e->said, explain_json(&x));
    else
        explain_print(&x, e->shown > 0, cli_width(), stdout);
    e->shown++;
    free(x.ledger);
    return 0;
}

static bool is_target(const struct targets *targets, const struct container *c)
{
    for (size_t i = 0; i < targets->n; i++)
        if (!strcmp(targets->ids[i], c->id))
            return true;
    return false;
}

static int explain_all(struct explain *e, const struct targets *targets)
{
    struct error err = {0};
    int r = 0;
    for (size_t i = 0; r == 0 && i < e->world.n_containers; i++)
        if (e->task.named ? is_target(targets, &e->world.containers[i])
                          : e->world.containers[i].status == STATUS_RUNNING)
            r = explain_one(e, i);
    if (r < 0) {
        error_set(&err, FAILURE_JOB, r, "not enough memory");
        return cli_fail(&err);
    }
    if (e->shown == 0) {
        error_set(&err, FAILURE_JOB, -ENOENT, "no Ollama container is running");
        return cli_fail(&err);
    }
    if (e->task.json) {
        json_t *line = json_pack("{s:O, s:O}", "source", json_object_get(e->state, "source"),
                                 "containers", e->said);
        json_dumpf(line, stdout, WORLD_JSON_FLAGS);
        putchar('\n');
        json_decref(line);
    }
    return ferror(stdout) ? FAILURE_JOB : 0;
}

int cmd_explain(struct cli *cli, int argc, char **argv)
{
    struct targets targets = {0};
    struct explain e = {.said = json_array()};
    e.task = (struct task){.cli = cli,
                           .command = "explain",
                           .named = argc > 1 ? argv[1] : NULL,
                           .json = options_has(&cli->options, "json"),
                           .everything = true,
                           .gpus = true,
                           .look = look,
                           .userdata = &e};
    world_init(&e.world);
    int status = get_world(&e, &targets);
    if (status == 0) {
        keep_history_open_reader(config_settings(cli->config)->state, &e.history, NULL);
        status = explain_all(&e, &targets);
    }
    keep_history_close(e.history);
    world_clear(&e.world);
    json_decref(e.said);
    json_decref(e.state);
    return status;
}
