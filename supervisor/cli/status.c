/* supervisor status: the memory audit, for a person and as JSON. */
#include "base/size.h"
#include "cli/say.h"
#include "cli/status_table.h"
#include "cli/steps.h"
#include "cli/task.h"
#include "tell/local.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

struct status {
    struct task task;
    bool watch, first;
    const char *daemon; /* one that is not asked: "another engine's", "hidden"; NULL: none */
    double every_s;
    json_t **ret_world; /* where it goes instead of to stdout; NULL: nowhere else */
};

/* Takes over state. */
static void show(const struct status *s, json_t *state, const char *source)
{
    json_object_set_new(state, "source", json_string(source));
    if (s->daemon)
        json_object_set_new(state, "daemon", json_string(s->daemon));
    if (s->ret_world) {
        *s->ret_world = state;
    } else if (s->task.json) {
        say_json(state);
    } else {
        if (s->watch && cli_colour(stdout))
            fputs("\033[H\033[J", stdout);
        status_table(state, stdout, cli_width(), cli_colour(stdout));
        json_decref(state);
    }
    fflush(stdout);
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)world, (void)judgement;
    struct status *s = task->userdata;
    json_t *state = flow_to_json(task->flow);
    if (!state) {
        task_end(task, FAILURE_JOB);
        return;
    }
    show(s, state, "look");
    if (!s->watch || ferror(stdout))
        task_end(task, ferror(stdout) ? FAILURE_JOB : 0);
}

/* The daemon knows more: holds, rates, what was done. 0 if it answered. */
static int from_daemon(struct status *s)
{
    const struct settings *settings = config_settings(s->task.cli->config);
    json_t *state;
    int r = local_ask(settings->state, settings->docker_host, 2000, &state);
    s->daemon = r == -EXDEV ? "another engine's" : r == -EACCES ? "hidden" : NULL;
    if (r == 0)
        show(s, state, "daemon");
    return r;
}

/* Waits so long; true as soon as nobody reads standard output any more: its terminal is gone. */
static bool hung_up(double wait_s)
{
    static const double longest_s = 3600.0 * 24;
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, (int)(1000 * (wait_s < longest_s ? wait_s : longest_s))) > 0;
}

int cmd_status(struct cli *cli)
{
    struct error err = {0};
    struct status s = {.watch = cli_has(cli, "watch"), .every_s = 2};
    const char *every = cli_value(cli, "watch");
    if (every && (duration_parse(every, &s.every_s, &err) < 0 || s.every_s < 0.1)) {
        if (!err.code)
            error_set(&err, FAILURE_USAGE, -ERANGE, "%s: the shortest interval is 0.1 s", every);
        error_wrap(&err, "--watch");
        return cli_fail(&err);
    }
    s.task = TASK(cli, "status", NULL, &s, .everything = true, .gpus = true, .look = look);
    while (from_daemon(&s) == 0) {
        bool gone = ferror(stdout) || (s.watch && hung_up(s.every_s));
        if (gone || !s.watch)
            return gone ? FAILURE_JOB : 0;
    }
    if (s.watch) { /* no daemon (any more): look by ourselves, that often */
        char assignment[64];
        snprintf(assignment, sizeof assignment, "supervisor.interval=%.3f", s.every_s);
        if (config_set(cli->config, assignment, ORIGIN_COMMAND_LINE, &err) < 0)
            return cli_fail(&err);
    }
    return task_run(&s.task);
}

int step_status(struct cli *cli, const char *named, bool ask, json_t **ret_world)
{
    struct status s = {.ret_world = ret_world};
    s.task = TASK(cli, "status", named, &s, .everything = true, .gpus = true, .look = look);
    return ask && from_daemon(&s) == 0 ? 0 : task_run(&s.task);
}
