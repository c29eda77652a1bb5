/* What the commands that look and act have in common: a flow that turns until the picture has
 * settled, the choice of containers, then the command's own looks; an engine that cannot be
 * reached, and Ctrl-C, end it. */
#ifndef SUPERVISOR_CLI_TASK_H
#define SUPERVISOR_CLI_TASK_H

#include "cli/cli.h"
#include "flow.h"

/* ---- which containers a command without a name acts on (docs/judgement.md, acting 9): those in
 * enforce mode, or the only Ollama container there is. */

enum { TARGETS_MAX = 256 };

struct targets {
    char ids[TARGETS_MAX][CONTAINER_ID_SIZE];
    size_t n;
};

/* named: the name or id of the command line, or NULL. Running ones only. -ENOENT: none (a sentence,
 * with the nearest name). What is left out is told on `told` with the command that would do it
 * ("supervisor fix-ollama NAME"); NULL: it is not told. */
int targets_choose(const struct world *world, const char *named, const char *command, FILE *told,
                   struct targets *ret_targets, struct error *err);
bool targets_have(const struct targets *targets, const char *id);

/* ---- the task */

struct loading;
struct task {
    struct cli *cli;
    const char *command; /* for "to act on it: supervisor COMMAND NAME" */
    const char *named;   /* the container that was named, or NULL */
    bool act, dry_run, json;
    bool everything; /* no choice of targets: `status`, `record` */
    bool gpus;       /* the first look has them: `status` */
    /* Once, in the first settled look, after targets were chosen; may be NULL. */
    void (*begin)(struct task *task);
    /* In each look from then on. */
    void (*look)(struct task *task, const struct world *world, const struct judgement *judgement);
    void (*heal)(struct task *task, const struct heal_event *event); /* may be NULL */
    /* Of a label that cannot be understood; NULL: it is said on stderr. */
    void (*bad_label)(struct task *task, const struct container *c, const char *text);
    const char *one;         /* it takes one container alone: how that is named, as in
                                " by --container"; NULL: any number */
    struct loading *loading; /* of a command that loads: begun before it, and told what the healer
                                did, and of Ctrl-C; NULL: it loads nothing */
    void *userdata;
    /* Filled by task_run. */
    struct flow *flow;
    struct targets targets;
    bool chosen, finished, over;
    json_t *rows;      /* task_row; given by the command, owned by task_run */
    json_t **ret_rows; /* where they go instead of to stdout, as with --json; NULL: nowhere else */
};

/* With --json as it was said; behind the arguments more of its members, ACTS(cli) of one that acts.
 */
#define TASK(its_cli, word, name, data, ...)                                                       \
    (struct task)                                                                                  \
    {                                                                                              \
        .cli = (its_cli), .command = (word), .named = (name), .userdata = (data),                  \
        .json = cli_has((its_cli), "json"), __VA_ARGS__                                            \
    }
#define ACTS(its_cli) .act = true, .dry_run = cli_has((its_cli), "dry-run")

/* Returns the exit status given to task_end, or that of what went wrong (said on stderr). */
int task_run(struct task *task);
void task_end(struct task *task, int status);
/* The same where its work is done: with --json the rows are printed. */
void task_finish(struct task *task, int status);
/* What ends it, said on stderr. */
#define task_refuse(task, failure, ...) task_end((task), cli_refuse((failure), __VA_ARGS__))

/* The target of that number; NULL: it is gone. */
const struct container *task_container(const struct task *task, size_t target);
/* One result, "CONTAINER: ABOUT: TEXT", on stderr where it is "failed" or "pending". With --json an
 * object in rows, in which `about` is named by key: returned, so that numbers can be put into it;
 * else NULL. */
json_t *task_row(struct task *task, const char *container, const char *key, const char *about,
                 const char *result, const char *text);

#endif
