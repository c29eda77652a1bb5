/* supervisor adopt, abandon: who may be healed without a label. */
#include "act/healer.h"
#include "base/size.h"
#include "cli/say.h"
#include "cli/task.h"
#include "keep/keep.h"
#include "sense/adopted.h"
#include "sense/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct adopt {
    struct cli *cli;
    struct task task;
    struct adopted adopted; /* as it is to be */
    struct keep_lock *lock; /* while it is changed */
    const char *directory;
    const char *id;                  /* abandon: the operand that may be one, */
    char found[CONTAINER_NAME_SIZE]; /* and whose it is; "" */
    json_t *rows;                    /* with --json */
};

static void say(struct adopt *a, const char *name, const char *image, const char *result,
                const char *text)
{
    if (a->rows)
        json_array_append_new(a->rows, json_pack("{s:s, s:s*, s:s, s:s}", "container", name,
                                                 "image", image, "result", result, "text", text));
    else
        printf("%s: %s\n", name, text);
}

/* ---- the file, locked only while it is read and written */

static int begin_change(struct adopt *a)
{
    struct error err = {0};
    if (keep_lock_adoptions(a->directory, &a->lock, &err) < 0 ||
        adopted_read(&a->adopted, a->directory, &err) < 0)
        return cli_fail(&err);
    return 0;
}

static int write_change(struct adopt *a)
{
    struct error err = {0};
    return adopted_write(&a->adopted, a->directory, &err) < 0 ? cli_fail(&err) : 0;
}

static void end_change(struct adopt *a)
{
    keep_unlock(a->lock);
    a->lock = NULL;
}

/* ---- adopt */

/* What it would be in if it were adopted: its owner's labels and the configuration win. */
static int refuse(const struct adopt *a, const struct container *c)
{
    struct settings settings;
    struct container as = *c;
    policy_for(a->cli->config, c, &settings, NULL);
    const char *enable = container_label(c, settings.docker_label);
    policy_mode(&settings, false, ADOPTION_YES, &as);
    if (as.mode == MODE_ENFORCE)
        return 0;
    if (enable || container_label(c, "supervisor.mode"))
        return cli_refuse(
            FAILURE_JOB, "%s is not adopted: its label %s says %s, and a label is its owner's word",
            c->name, enable ? settings.docker_label : "supervisor.mode",
            enable ? enable : container_label(c, "supervisor.mode"));
    return cli_refuse(FAILURE_JOB, "%s is not adopted: it would only be observed (%s: mode is %s)",
                      c->name, as.mode_why, settings.mode);
}

static bool is_ollama(const struct adopt *a, const struct container *c)
{
    return (c->ollama.asked && c->ollama.reachable) ||
           policy_chosen(config_settings(a->cli->config), c->image, NULL, 0, ADOPTION_NONE);
}

static int add(struct adopt *a, const struct container *c)
{
    switch (adopted_add(&a->adopted, c->name, c->image)) {
    case 0:
        return write_change(a);
    case -ENOSPC:
        return cli_refuse(FAILURE_JOB, "at most %d containers can be adopted", ADOPTED_MAX);
    default:
        return cli_refuse(FAILURE_JOB, "%s is not adopted: the engine names no image for it (%s)",
                          c->name, c->image);
    }
}

static int adopt_one(struct adopt *a, const struct container *c)
{
    char repository[CONTAINER_NAME_SIZE], text[2 * CONTAINER_NAME_SIZE + 160];
    int status = refuse(a, c);
    if (status != 0)
        return status;
    image_repository(c->image, repository);
    if (policy_labelled(config_settings(a->cli->config), c->labels, c->n_labels)) {
        say(a, c->name, repository, "labelled", "its label lets it be healed already");
        return 0;
    }
    status = begin_change(a);
    bool was = status == 0 && adopted_has(&a->adopted, c->name, c->image) == ADOPTION_YES;
    if (was)
        say(a, c->name, repository, "was", "was adopted already");
    else if (status == 0 && !cli_has(a->cli, "force") && !is_ollama(a, c))
        status = cli_refuse(FAILURE_JOB,
                            "%s is not adopted: no Ollama answers in it, and its image %s is none "
                            "of docker.image; if it is one all the same: supervisor adopt --force "
                            "%s",
                            c->name, c->image, c->name);
    else if (status == 0)
        status = add(a, c);
    end_change(a);
    if (status != 0 || was)
        return status;
    cli_remember(a->cli, c->name, "adopted");
    snprintf(text, sizeof text,
             "adopted: from now on it is healed, also when it is made anew from %s. To undo it: "
             "supervisor abandon %s",
             repository, c->name);
    say(a, c->name, repository, "adopted", text);
    return 0;
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    const struct container *c = task_container(task, 0);
    (void)world;
    (void)judgement;
    if (c)
        task_end(task, adopt_one(task->userdata, c));
    else
        task_refuse(task, FAILURE_JOB, "%s is gone", task->named);
}

static int list(struct adopt *a)
{
    struct error err = {0};
    if (adopted_read(&a->adopted, a->directory, &err) < 0)
        return cli_fail(&err);
    for (size_t i = 0; i < a->adopted.n; i++) {
        const struct adopted_one *one = &a->adopted.all[i];
        char text[CONTAINER_NAME_SIZE + 32];
        snprintf(text, sizeof text, "adopted, made from %s", one->image);
        say(a, one->name, one->image, "adopted", text);
    }
    if (a->adopted.n == 0 && !a->rows)
        puts("no container is adopted");
    return 0;
}

static int adopt_all(struct adopt *a)
{
    int status = a->cli->n_operands == 0 ? list(a) : 0;
    for (int i = 0; status == 0 && i < a->cli->n_operands; i++) {
        a->task = TASK(a->cli, "adopt", a->cli->operands[i], a, .look = look);
        a->task.json = false; /* its rows are ours */
        status = task_run(&a->task);
    }
    return status;
}

/* ---- abandon */

/* The steps that were begun there and have not ended, in words; how many. */
static size_t open_steps(struct keep *keep, const char *key, char *text, size_t size)
{
    struct intent *intents = NULL;
    struct error err = {0};
    size_t n, open = 0;
    text[0] = '\0';
    if (keep_intents_open(keep, &intents, &n, &err) < 0) {
        snprintf(text, size, "; what was begun before cannot be read: %.300s", err.message);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!strcmp(intents[i].key, key) && open++ == 0)
            snprintf(text, size, "; what was begun before is followed to its end: %s",
                     intents[i].step);
    free(intents);
    return open;
}

/* A deed that was begun before it was abandoned: a short one is waited for, a longer one is told.
 */
static void tell_begun(const struct adopt *a, const char *name, char *text, size_t size)
{
    enum { WAIT_MS = 1000, LOOK_MS = 100 };
    struct keep *keep;
    struct error err = {0};
    char key[CONTAINER_NAME_SIZE];
    healer_key(name, NULL, key, sizeof key);
    if (keep_open(a->directory, false, false, &keep, &err) < 0) {
        snprintf(text, size, "; what was begun before cannot be read: %.300s", err.message);
        return;
    }
    for (int waited_ms = 0; open_steps(keep, key, text, size) > 0 && waited_ms < WAIT_MS;
         waited_ms += LOOK_MS)
        usleep(LOOK_MS * 1000);
    keep_close(keep);
}

/* *ret_was: it was adopted, and is no longer. 0 or the exit status. */
static int take_out(struct adopt *a, const char *name, bool *ret_was)
{
    int status = begin_change(a);
    *ret_was = status == 0 && adopted_remove(&a->adopted, name);
    if (*ret_was)
        status = write_change(a);
    end_change(a);
    return status;
}

static void find(struct task *task, const struct world *world, const struct judgement *judgement)
{
    struct adopt *a = task->userdata;
    (void)judgement;
    for (size_t i = 0; i < world->n_containers; i++)
        if (!strncmp(world->containers[i].id, a->id, strlen(a->id)))
            snprintf(a->found, sizeof a->found, "%s", world->containers[i].name);
    task_end(task, 0);
}

/* By its name; only where none is adopted by that it may be an id, which the engine knows. */
static int abandon_one(struct adopt *a, const char *operand)
{
    char text[512], begun[400] = "";
    const char *name = operand, *names[ADOPTED_MAX];
    bool was;
    int status = take_out(a, name, &was);
    if (status == 0 && !was && strlen(name) >= 12 && !name[strspn(name, "0123456789abcdef")]) {
        a->id = operand;
        a->found[0] = '\0';
        a->task = TASK(a->cli, "abandon", operand, a, .look = find, .everything = true);
        a->task.json = false;
        status = task_run(&a->task);
        if (status == 0 && a->found[0])
            status = take_out(a, name = a->found, &was);
    }
    if (status != 0)
        return status;
    if (!was) {
        for (size_t n = 0; n < a->adopted.n; n++)
            names[n] = a->adopted.all[n].name;
        return cli_refuse(FAILURE_JOB, "%.100s was not adopted%s", name,
                          MEANT(name, names, a->adopted.n, "; did you mean ", ""));
    }
    cli_remember(a->cli, name, "abandoned");
    tell_begun(a, name, begun, sizeof begun);
    snprintf(text, sizeof text, "abandoned: from now on it is only observed%s", begun);
    say(a, name, NULL, "abandoned", text);
    return 0;
}

static int abandon_all(struct adopt *a)
{
    int status = 0;
    for (int i = 0; status == 0 && i < a->cli->n_operands; i++)
        status = abandon_one(a, a->cli->operands[i]);
    return status;
}

int cmd_adopt(struct cli *cli)
{
    struct adopt a = {.cli = cli,
                      .directory = config_settings(cli->config)->state,
                      .rows = cli_has(cli, "json") ? json_array() : NULL};
    int status = !strcmp(cli->command->name, "abandon") ? abandon_all(&a) : adopt_all(&a);
    adopted_clear(&a.adopted);
    if (a.rows)
        say_json(a.rows);
    return status;
}
