/* supervisor record: worlds as JSON lines. */
#include "base/size.h"
#include "cli/task.h"
#include "sense/world_json.h"

#include <errno.h>
#include <string.h>

struct record {
    struct task task;
    FILE *to;
    double seconds, until_s; /* 0: until Ctrl-C */
};

/* Only the named container, if one was named. */
static void keep_named(const struct task *task, json_t *world)
{
    json_t *containers = json_object_get(world, "containers");
    for (size_t i = json_array_size(containers); task->named && i-- > 0;) {
        const char *id = json_string_value(json_object_get(json_array_get(containers, i), "id"));
        if (!id || strcmp(id, task->targets.ids[0]))
            json_array_remove(containers, i);
    }
}

static void look(struct task *task, const struct world *world, const struct judgement *judgement)
{
    (void)judgement;
    struct record *r = task->userdata;
    if (r->seconds > 0 && r->until_s <= 0)
        r->until_s = world->monotonic_s + r->seconds;
    json_t *json = world_to_json(world);
    if (!json) {
        task_end(task, FAILURE_JOB);
        return;
    }
    keep_named(task, json);
    bool ok = json_dumpf(json, r->to, JSON_COMPACT) == 0 && fputc('\n', r->to) != EOF &&
              fflush(r->to) == 0;
    json_decref(json);
    if (!ok) {
        task_refuse(task, FAILURE_JOB, "the recording cannot be written: %s", strerror(errno));
    } else if (r->until_s > 0 && world->monotonic_s >= r->until_s) {
        task_end(task, 0);
    }
}

int cmd_record(struct cli *cli)
{
    struct error err = {0};
    struct record r = {.to = stdout};
    const char *path = cli_value(cli, "output"), *seconds = cli_value(cli, "seconds");
    if (seconds && duration_parse(seconds, &r.seconds, &err) < 0) {
        error_wrap(&err, "--seconds");
        return cli_fail(&err);
    }
    if (path && !(r.to = fopen(path, "we")))
        return cli_refuse(FAILURE_JOB, "%s: %s", path, error_of_file(errno));
    r.task =
        TASK(cli, "record", cli->operands[0], &r, .everything = !cli->operands[0], .look = look);
    r.task.json = true;
    int status = task_run(&r.task);
    if (path && fclose(r.to) != 0 && status == 0)
        status = FAILURE_JOB;
    /* Ctrl-C is how a recording ends. */
    return status == 130 || status == 143 ? 0 : status;
}
