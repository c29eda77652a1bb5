/* Who depends on the one that is replaced: containers in its network, IPC or PID namespace, or
 * linked to it. The engine ties them to its id: when it stops they lose that, and are not started
 * again without it. */
#include "deploy/create_private.h"

static bool is_named(const char *name, const char *ref, size_t length)
{
    return strlen(name) == length && strncmp(name, ref, length) == 0;
}

/* By its id or its name; an earlier run may have set it aside. */
static bool is_it(const struct create *create, const char *ref, size_t length)
{
    bool aside = create->from == create->old.json;
    return (length >= 12 && strncmp(member_string_or(create->from, "Id", ""), ref, length) == 0) ||
           is_named(create->name, ref, length) ||
           (aside && is_named(create->old_name, ref, length));
}

/* What of it the container has; NULL: nothing. */
static const char *what_it_shares(const struct create *create, const json_t *container)
{
    static const char *const modes[][2] = {
        {"NetworkMode", "network"}, {"IpcMode", "IPC namespace"}, {"PidMode", "PID namespace"}};
    const json_t *host = json_object_get(container, "HostConfig");
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        const char *mode = member_string_or(host, modes[i][0], "");
        if (strncmp(mode, "container:", 10) == 0 && is_it(create, mode + 10, strlen(mode + 10)))
            return modes[i][1];
    }
    size_t i;
    json_t *link;
    json_array_foreach(json_object_get(host, "Links"), i, link)
    {
        const char *text = json_string_value(link); /* "/NAME:/OF/ALIAS" */
        text = text ? text + (text[0] == '/') : "";
        if (is_it(create, text, strcspn(text, ":")))
            return "address, by a link";
    }
    return NULL;
}

static void judge_one(struct create *create, const json_t *container)
{
    const char *what = what_it_shares(create, container);
    const char *name = member_string_or(container, "Name", "");
    if (!what)
        return;
    name += name[0] == '/';
    if (create_is_running(container))
        deploy_find(create->plan, DEPLOY_REFUSAL, "name", FACT_UNKNOWN,
                    "%.100s has the %s of %.64s, would lose it, and could not be started again as "
                    "it is. Stop it (docker stop %.100s), and make it anew afterwards",
                    name, what, create->name, name);
    else
        deploy_find(create->plan, DEPLOY_WARNING, "name", FACT_UNKNOWN,
                    "%.100s, which is stopped, has the %s of %.64s: it cannot be started again as "
                    "it is. Make it anew afterwards",
                    name, what, create->name);
}

void create_judge_depends(struct create *create)
{
    size_t i;
    json_t *entry;
    if (!create->from)
        return;
    json_array_foreach(create->list, i, entry)
    {
        CLEANUP_JSON json_t *container = NULL;
        struct error err = {0};
        const char *id = member_string(entry, "Id");
        if (!id || strcmp(id, member_string_or(create->from, "Id", "")) == 0)
            continue;
        int r = create_find(create, DOCKER_CONTAINER, id, &container, &err);
        if (r > 0)
            judge_one(create, container);
        else if (r < 0)
            deploy_find(create->plan, DEPLOY_REFUSAL, "name", FACT_UNKNOWN,
                        "whether %.12s depends on %.64s cannot be seen: %.200s", id, create->name,
                        err.message);
    }
}
