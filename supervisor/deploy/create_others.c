/* The other containers with Ollama: what they may take and what they hold. */
#include "deploy/create_private.h"
#include "sense/adopted.h"
#include "sense/cgroup.h"
#include "sense/policy.h"

/* Names have those of links to it too: "/other/alias". */
static const char *entry_name(const json_t *entry)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(entry, "Names"), i, one)
    {
        const char *name = json_string_value(one);
        name = name ? name + (name[0] == '/') : "";
        if (name[0] && !strchr(name, '/'))
            return name;
    }
    return "";
}

/* As the engine's list has it: labels as pairs for policy_chosen. */
static bool has_ollama(const struct create *create, const struct adopted *adopted,
                       const json_t *entry)
{
    const char *name = entry_name(entry);
    const json_t *labels = json_object_get(entry, "Labels");
    const char *image = member_string_or(entry, "Image", "");
    const char *enable = member_string(labels, create->settings->docker_label);
    struct pair pair = {.key = (char *)create->settings->docker_label, .value = (char *)enable};
    return member_string(labels, "supervisor.profile") ||
           policy_chosen(create->settings, image, &pair, enable ? 1 : 0,
                         adopted_has(adopted, name, image));
}

int create_read_cgroup(struct create *create, const json_t *container,
                       struct cgroup_memory *ret_memory, struct error *err)
{
    struct cgroup *cgroup;
    fact pid = member_fact(json_object_get(container, "State"), "Pid");
    if (pid <= 0)
        return error_set(err, FAILURE_JOB, -ECHILD, "%s does not run", create->name);
    int r = cgroup_open(create->settings->cgroupfs, member_string_or(container, "Id", ""), pid,
                        &cgroup, err);
    if (r < 0)
        return r;
    r = cgroup_read(cgroup, ret_memory);
    cgroup_close(cgroup);
    return r < 0 ? error_set(err, FAILURE_JOB, r, "the limit in the cgroup of %s cannot be read",
                             create->name)
                 : 0;
}

static fact held(struct create *create, const json_t *container)
{
    struct container c;
    struct host host;
    if (!create_is_running(container))
        return 0;
    container_init(&c);
    host_init(&host);
    if (create_read_cgroup(create, container, &c.cgroup, NULL) < 0)
        return FACT_UNKNOWN;
    if (c.cgroup.swap < 0) /* not counted: what is resident is what can be said here */
        c.cgroup.swap = 0;
    return container_held(&c, &host);
}

/* It is looked at only: by its labels, or since it was found by its image alone. */
static bool is_observed(const struct create *create, enum adoption adoption,
                        const json_t *container)
{
    struct pair pairs[2];
    struct settings settings;
    struct container c;
    const char *names[] = {create->settings->docker_label, "supervisor.mode"};
    container_init(&c);
    c.labels = pairs;
    for (size_t i = 0; i < 2; i++) {
        const char *value = create_label(container, names[i]);
        if (value)
            pairs[c.n_labels++] = (struct pair){.key = (char *)names[i], .value = (char *)value};
    }
    policy_for(create->config, &c, &settings, NULL);
    policy_mode(&settings, false, adoption, &c);
    return c.mode == MODE_OBSERVE;
}

static void read_other(struct create *create, const struct adopted *adopted,
                       const json_t *container, struct deploy_other *other)
{
    const json_t *host = json_object_get(container, "HostConfig");
    const char *priority = create_label(container, "supervisor.priority");
    const char *exclusive = create_label(container, "supervisor.exclusive");
    const char *name = member_string(container, "Name"),
               *image = member_string_or(json_object_get(container, "Config"), "Image", ""),
               *policy = member_string(json_object_get(host, "RestartPolicy"), "Name");
    *other = (struct deploy_other){.priority = PRIORITY_NORMAL};
    member_text(container, "Id", other->id, sizeof other->id);
    snprintf(other->name, sizeof other->name, "%s", name ? name + (name[0] == '/') : "");
    if (priority)
        priority_parse(priority, &other->priority);
    if (exclusive)
        switch_parse(exclusive, &other->exclusive, NULL);
    other->running = create_is_running(container);
    other->observed = is_observed(create, adopted_has(adopted, other->name, image), container);
    other->always = policy && strcmp(policy, "always") == 0;
    other->auto_remove = member_truth(host, "AutoRemove") == 1;
    other->swarm_task = create_label(container, "com.docker.swarm.task.id") != NULL;
    fact limit = member_fact(host, "Memory");
    other->limit = limit == 0 ? FACT_NONE : limit;
    other->held = held(create, container);
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
        int r = create_find(create, DOCKER_CONTAINER, id, ret_json, err);
        if (r <= 0 || !label || !strstr(label, text) || !create_is_stopping(create, *ret_json))
            return r;
        json_decref(*ret_json);
        *ret_json = NULL;
        r = create_busy(create, &end_s, "stopping", text, err);
        if (r < 0)
            return r;
    }
}

static bool may_run(const json_t *entry)
{
    const char *state = member_string_or(entry, "State", "");
    return strcmp(state, "created") != 0 && strcmp(state, "exited") != 0 &&
           strcmp(state, "dead") != 0;
}

/* Those that run hold memory; of the others only whom an interrupted run stopped matters. */
static bool counts(const struct create *create, const struct adopted *adopted, const json_t *entry)
{
    const char *label = create_label(create->existing.json, "supervisor.evicted");
    const char *id = member_string(entry, "Id");
    char text[16];
    if (!id || strcmp(id, create->existing.id) == 0 || strcmp(id, create->old.id) == 0)
        return false;
    snprintf(text, sizeof text, "%.12s", id);
    return (may_run(entry) || (label && strstr(label, text))) && has_ollama(create, adopted, entry);
}

static int look_at_each(struct create *create, const struct adopted *adopted, struct error *err)
{
    struct deploy_facts *facts = &create->seen->facts;
    size_t i;
    json_t *entry;
    json_array_foreach(create->list, i, entry)
    {
        CLEANUP_JSON json_t *container = NULL;
        if (!counts(create, adopted, entry))
            continue;
        int r = inspect_other(create, member_string(entry, "Id"), &container, err);
        if (r < 0)
            return r;
        if (r == 0) /* it is gone meanwhile */
            continue;
        if (facts->n_others == DEPLOY_OTHERS_MAX) {
            facts->others_left_out++;
            continue;
        }
        read_other(create, adopted, container, &facts->others[facts->n_others++]);
    }
    return 0;
}

int create_look_at_others(struct create *create, struct error *err)
{
    struct adopted adopted = {.n = 0};
    create->seen->facts.replaced_held = create->from ? held(create, create->from) : 0;
    adopted_refresh(&adopted, create->settings->state);
    int r = look_at_each(create, &adopted, err);
    adopted_clear(&adopted);
    return r;
}
