/* supervisor explain: the ledger of what a container holds, and what was ruled out. */
#include "base/clock.h"
#include "cli/explain_text.h"
#include "cli/say.h"
#include "cli/task.h"
#include "judge/judge.h"
#include "keep/history.h"
#include "sense/json_member.h"
#include "sense/policy.h"
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
    struct judge *judge;
    struct judgement judgement;
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

/* From the daemon, which knows more; from a look of our own where none runs, or where it does not
 * follow the container that was named. The exit status. */
static int get_world(struct explain *e, struct targets *targets)
{
    const struct settings *s = config_settings(e->task.cli->config);
    bool daemon = local_ask(s->state, s->docker_host, DAEMON_TIMEOUT_MS, &e->state) == 0;
    for (;;) {
        struct error err = {0};
        int status = daemon ? 0 : task_run(&e->task);
        if (status != 0)
            return status;
        if (daemon)
            json_object_set_new(e->state, "source", json_string("daemon"));
        if (!e->state || read_world(e) < 0)
            return cli_refuse(FAILURE_JOB, "what was seen cannot be read back");
        if (!e->task.named ||
            targets_choose(&e->world, e->task.named, "explain", NULL, targets, &err) == 0)
            return 0;
        if (!daemon || err.failure == FAILURE_JOB)
            return cli_fail(&err);
        daemon = false;
        json_decref(e->state);
        e->state = NULL;
    }
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
    struct settings settings;
    struct explained x = {.container = &e->world.containers[i],
                          .least = FACT_UNKNOWN,
                          .most = FACT_UNKNOWN,
                          .ledger = calloc(1, sizeof *x.ledger)};
    const json_t *container = json_array_get(json_object_get(e->state, "containers"), i);
    if (!x.ledger)
        return -ENOMEM;
    policy_for(e->task.cli->config, x.container, &settings, NULL);
    ledger_of(x.container, &e->world.host, ask_history, e, x.ledger);
    if (e->history)
        keep_history_samples(e->history, x.container->id, clock_wall_ms() - HOUR_MS, span_sample,
                             &x, NULL);
    x.seen = (struct ruled_case){.world = &e->world,
                                 .container = x.container,
                                 .assessment = &e->judgement.assessments[i],
                                 .settings = &settings,
                                 .activity = member_string_or(container, "activity", "")};
    x.verdicts = json_object_get(e->state, "verdicts");
    if (e->task.json)
        json_array_append_new(e->said, explain_json(&x));
    else
        explain_print(&x, e->shown > 0, cli_width(), stdout);
    e->shown++;
    free(x.ledger);
    return 0;
}

static int explain_all(struct explain *e, const struct targets *targets)
{
    int r = judge_new(e->task.cli->config, &e->judge);
    if (r == 0)
        r = judge_look(e->judge, &e->world, &e->judgement);
    for (size_t i = 0; r == 0 && i < e->world.n_containers; i++)
        if (e->task.named ? targets_have(targets, e->world.containers[i].id)
                          : e->world.containers[i].status == STATUS_RUNNING)
            r = explain_one(e, i);
    if (r < 0)
        return cli_refuse(FAILURE_JOB, "not enough memory");
    if (e->shown == 0)
        return cli_refuse(FAILURE_JOB, "no Ollama container is running");
    if (e->task.json)
        say_json_by(json_pack("{s:O, s:O}", "source", json_object_get(e->state, "source"),
                              "containers", e->said),
                    WORLD_JSON_FLAGS);
    return ferror(stdout) ? FAILURE_JOB : 0;
}

int cmd_explain(struct cli *cli)
{
    struct targets targets = {0};
    struct explain e = {.said = json_array()};
    e.task =
        TASK(cli, "explain", cli->operands[0], &e, .everything = true, .gpus = true, .look = look);
    world_init(&e.world);
    int status = get_world(&e, &targets);
    if (status == 0) {
        keep_history_open_reader(config_settings(cli->config)->state, &e.history, NULL);
        status = explain_all(&e, &targets);
    }
    keep_history_close(e.history);
    judge_free(e.judge);
    judgement_clear(&e.judgement);
    world_clear(&e.world);
    json_decref(e.said);
    json_decref(e.state);
    return status;
}
