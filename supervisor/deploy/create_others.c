/* The other containers with Ollama: what they may take and what they hold. */
#include "deploy/create_private.h"
#include "sense/cgroup.h"
#include "sense/json_member.h"
#include "sense/policy.h"
#include <stdio.h>
#include <string.h>

/* As the engine's list has it: labels as pairs for policy_chosen. */
static bool has_ollama(const struct create *create, const json_t *entry)
{
    const json_t *labels = json_object_get(entry, "Labels");
    const char *image = member_string_or(entry, "Image", "");
    const char *enable = member_string(labels, create->settings->docker_label);
    struct pair pair = {.key = (char *)create->settings->docker_label, .value = (char *)enable};
    return member_string(labels, "supervisor.profile") ||
           policy_chosen(create->settings, image, &pair, enable ? 1 : 0);
}

fact create_held(struct create *create, const json_t *container)
{
    struct error err;
    struct cgroup *cgroup;
    struct container c;
    const char *id = member_string(container, "Id");
    fact pid = member_fact(json_object_get(container, "State"), "Pid"), held = FACT_UNKNOWN;
    if (!create_is_running(container))
        return 0;
    if (!id || pid <= 0 || cgroup_open(create->settings->cgroupfs, id, pid, &cgroup, &err) < 0)
        return FACT_UNKNOWN;
    container_init(&c);
    if (cgroup_read(cgroup, &c.cgroup) == 0) {
        struct host host;
        host_init(&host);
        if (c.cgroup.swap < 0) /* not counted: what is resident is what can be said here */
            c.cgroup.swap = 0;
        held = container_held(&c, &host);
    }
    cgroup_close(cgroup);
    container_clear(&c);
    return held;
}

static void read_other(struct create *create, const json_t *container, struct deploy_other *other)
{
    const json_t *host = json_object_get(container, "HostConfig");
    const char *priority = create_label(container, "supervisor.priority");
    const char *exclusive = create_label(container, "supervisor.exclusive");
    const char *name = member_string(container, "Name");
    *other = (struct deploy_other){.priority = PRIORITY_NORMAL};
    member_text(container, "Id", other->id, sizeof other->id);
    snprintf(other->name, sizeof other->name, "%s", name ? name + (name[0] == '/') : "");
    if (priority)
        priority_parse(priority, &other->priority);
    if (exclusive)
        switch_parse(exclusive, &other->exclusive, NULL);
    other->running = create_is_running(container);
    other->auto_remove = member_truth(host, "AutoRemove") == 1;
    other->swarm_task = create_label(container, "com.docker.swarm.task.id") != NULL;
    fact limit = member_fact(host, "Memory");
    other->limit = limit == 0 ? FACT_NONE : limit;
    other->held = create_held(create, container);
}

/* Whom an interrupted run stops for this one, it stops until the end. */
static int inspect_other(struct create *create, const char *id, json_t **ret_json,
                         struct error *err)
{
    const char *label =
        create->unfinished ? create_label(create->existing.json, "supervisor.evicted") : NULL;
    char text[16];
    double end_s = 0;
    snprintf(text, sizeof text, "%.12s", id);
    for (;;) {
        int r = create_find(create, docker_inspect_json, id, ret_json, err);
        if (r <= 0 || !label || !strstr(label, text) || !create_is_stopping(create, *ret_json))
            return r;
        json_decref(*ret_json);
        *ret_json = NULL;
        r = create_busy(create, &end_s, "stopping", text, err);
        if (r < 0)
            return r;
    }
}

int create_look_at_others(struct create *create, struct error *err)
{
    struct deploy_facts *facts = &create->seen->facts;
    size_t i;
    json_t *entry;
    facts->replaced_held = 0;
    if (create->replacing && create->existing.json)
        facts->replaced_held = create_held(create, create->existing.json);
    json_array_foreach(create->list, i, entry)
    {
        CLEANUP_JSON json_t *container = NULL;
        const char *id = member_string(entry, "Id");
        if (!id || strcmp(id, create->existing.id) == 0 || strcmp(id, create->old.id) == 0 ||
            !has_ollama(create, entry) || facts->n_others == DEPLOY_OTHERS_MAX)
            continue;
        int r = inspect_other(create, id, &container, err);
        if (r < 0)
            return r;
        if (r > 0) /* else it is gone meanwhile */
            read_other(create, container, &facts->others[facts->n_others++]);
    }
    return 0;
}
