#include "cli/targets.h"
#include "base/size.h"

#include <errno.h>
#include <string.h>

static void add(struct targets *targets, const struct container *c)
{
    if (targets->n < TARGETS_MAX)
        memcpy(targets->ids[targets->n++], c->id, CONTAINER_ID_SIZE);
}

bool targets_have(const struct targets *targets, const char *id)
{
    for (size_t i = 0; i < targets->n; i++)
        if (!strcmp(targets->ids[i], id))
            return true;
    return false;
}

static int choose_named(const struct world *world, const char *named, struct targets *targets,
                        struct error *err)
{
    const char *names[TARGETS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (!strcmp(c->name, named) ||
            (strlen(named) >= 12 && !strncmp(c->id, named, strlen(named)))) {
            if (c->status != STATUS_RUNNING)
                return error_set(err, FAILURE_JOB, -ENOENT, "%.200s is not running (%s)", c->name,
                                 container_status_name(c->status));
            add(targets, c);
            return 0;
        }
        if (n < TARGETS_MAX)
            names[n++] = c->name;
    }
    const char *near = nearest(named, names, n);
    return error_set(err, FAILURE_USAGE, -ENOENT, "there is no container \"%.100s\"%s%s%s", named,
                     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

int targets_choose(const struct world *world, const char *named, const char *command, FILE *told,
                   struct targets *ret_targets, struct error *err)
{
    ret_targets->n = 0;
    if (named)
        return choose_named(world, named, ret_targets, err);
    size_t running = 0;
    const struct container *only = NULL;
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (c->status != STATUS_RUNNING)
            continue;
        running++;
        only = c;
        if (c->mode == MODE_ENFORCE)
            add(ret_targets, c);
    }
    if (!ret_targets->n && running == 1)
        add(ret_targets, only);
    for (size_t i = 0; told && i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        if (c->status == STATUS_RUNNING && !targets_have(ret_targets, c->id))
            fprintf(told, "%s: only observed (%s); to act on it: supervisor %s %s\n", c->name,
                    c->mode_why, command, c->name);
    }
    if (ret_targets->n)
        return 0;
    if (running)
        return error_set(
            err, FAILURE_JOB, -ENOENT,
            "none of the %zu Ollama containers is in enforce mode; name the one that is meant",
            running);
    return error_set(err, FAILURE_JOB, -ENOENT,
                     "there is no running Ollama container (looked for the label "
                     "supervisor.enable=true and for Ollama's image)");
}
