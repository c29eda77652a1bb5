/* What else stands in the way: the name and the port. In the words of the plan's findings. */
#include "deploy/create_private.h"
#include "sense/policy.h"

enum { PORTS_TRIED = 64 }; /* for one that is free */

/* ---- the name */

#define refuse_name(create, ...)                                                                   \
    deploy_find((create)->plan, DEPLOY_REFUSAL, "name", FACT_UNKNOWN, __VA_ARGS__)

static bool serves_the_same(const struct create *create, const char *image)
{
    char theirs[CONTAINER_NAME_SIZE], wanted[CONTAINER_NAME_SIZE];
    image_repository(image, theirs);
    image_repository(create->plan->profile.image, wanted);
    return strcmp(theirs, wanted) == 0 ||
           policy_chosen(create->settings, image, NULL, 0, ADOPTION_NONE);
}

static const char *image_of(const json_t *container)
{
    return member_string_or(json_object_get(container, "Config"), "Image", "");
}

bool create_serves_the_same(const struct create *create, const json_t *container)
{
    return create_label(container, "supervisor.profile") ||
           serves_the_same(create, image_of(container));
}

static void judge_name(struct create *create)
{
    const json_t *there = create->existing.json;
    const char *name = create->name;
    if (!there)
        return;
    bool ours = create_label(there, "supervisor.profile") != NULL;
    bool same = serves_the_same(create, image_of(there));
    if (!ours && !same) {
        refuse_name(create,
                    "%.64s is there already and is somebody else's: image %.100s, no label "
                    "supervisor.profile. It is left alone; take another name: --name",
                    name, image_of(there));
        return;
    }
    if (!ours && !create->wish->replace) {
        refuse_name(
            create,
            "%.64s is there already and was not made by supervisor (image %.100s). --replace puts "
            "the new one in its place, with what is mounted in it, and keeps it, stopped; --name "
            "takes another name",
            name, image_of(there));
        return;
    }
    if (!create->replacing || create->unfinished)
        return;
    if (member_truth(json_object_get(there, "HostConfig"), "AutoRemove") == 1)
        refuse_name(
            create,
            "%.64s was started with --rm: stopping it would delete it, and it could not be put "
            "back. Stop it yourself, or take another name: --name",
            name);
    if (create_label(there, "com.docker.swarm.task.id"))
        refuse_name(
            create,
            "%.64s is a task of a Swarm service, which its manager would start again. Remove the "
            "service, or take another name: --name",
            name);
}

static void judge_old(struct create *create)
{
    const json_t *old = create->old.json;
    if (!old)
        return;
    if (!create->existing.json && !create_serves_the_same(create, old))
        refuse_name(
            create,
            "%.100s is there and is somebody else's (image %.100s): a replaced container would get "
            "that name. Rename or remove it, or take another name: --name",
            create->old_name, image_of(old));
}

/* ---- the port */

static bool everywhere(const char *address)
{
    return !address || !address[0] || strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* The container that publishes it, or NULL. One that goes does not count. */
static const char *publisher(const struct create *create, const char *address, uint16_t port)
{
    size_t i, k;
    json_t *entry, *binding;
    json_array_foreach(create->list, i, entry)
    {
        const char *id = member_string(entry, "Id");
        if (id && (strcmp(id, create->existing.id) == 0 || strcmp(id, create->old.id) == 0))
            continue;
        json_array_foreach(json_object_get(entry, "Ports"), k, binding)
        {
            const char *ip = member_string(binding, "IP"), *type = member_string(binding, "Type");
            if (member_fact(binding, "PublicPort") != port || (type && strcmp(type, "tcp") != 0))
                continue;
            if (!everywhere(address) && !everywhere(ip) && strcmp(address, ip) != 0)
                continue;
            const char *name =
                json_string_value(json_array_get(json_object_get(entry, "Names"), 0));
            return name ? name + (name[0] == '/') : "another container";
        }
    }
    return NULL;
}

/* Of an inspect's bindings (port within the container -> [{HostIp, HostPort}]) the port that has
 * this one of the host, at that address or at one of all where all are wanted; but not `except`.
 * NULL: none. */
static const char *bound_to(const json_t *bindings, const char *except, const char *address,
                            uint16_t port)
{
    const char *key;
    json_t *list, *binding;
    size_t i;
    char wanted[8];
    snprintf(wanted, sizeof wanted, "%u", port);
    json_object_foreach((json_t *)bindings, key, list)
    {
        if (strcmp(key, except) == 0 || !strstr(key, "/tcp"))
            continue;
        json_array_foreach(list, i, binding)
        {
            const char *ip = member_string(binding, "HostIp");
            if (strcmp(member_string_or(binding, "HostPort", ""), wanted) == 0 &&
                (everywhere(address) || everywhere(ip) || strcmp(address, ip) == 0))
                return key;
        }
    }
    return NULL;
}

/* The one that goes, or stays as it is, has it now. */
static bool own(const struct create *create, const char *address, uint16_t port)
{
    const struct create_container *list[] = {&create->existing, &create->old};
    for (size_t i = 0; i < 2; i++) {
        const json_t *settings = json_object_get(list[i]->json, "NetworkSettings");
        if (bound_to(json_object_get(settings, "Ports"), "", address, port))
            return true;
    }
    return false;
}

/* What the replaced one publishes of its other ports stays published: the port within the container
 * that has this one of the host. NULL: none. */
static const char *kept_binding(const struct create *create, const char *address, uint16_t port)
{
    char own_port[16];
    const json_t *host = json_object_get(create->from, "HostConfig");
    snprintf(own_port, sizeof own_port, "%u/tcp", create->server_port);
    return bound_to(json_object_get(host, "PortBindings"), own_port, address, port);
}

static bool is_evicted(const struct create *create, const char *name)
{
    for (size_t i = 0; i < create->plan->n_evict; i++)
        if (strcmp(create->seen->facts.others[create->plan->evict[i]].name, name) == 0)
            return true;
    return false;
}

/* Above it; 0: none was found. */
static uint16_t free_port(const struct create *create, const char *address, uint16_t port)
{
    for (int i = 1; i <= PORTS_TRIED && port + i <= UINT16_MAX; i++) {
        uint16_t next = (uint16_t)(port + i);
        if (!publisher(create, address, next) && create_port_taken(create, address, next) == 0)
            return next;
    }
    return 0;
}

static void judge_port(struct create *create)
{
    const struct profile *profile = &create->plan->profile;
    char remedy[96] = "take another port: --port";
    if (profile->port == 0 || create->seen->exists)
        return;
    const char *kept = create_has_own_network(create)
                           ? kept_binding(create, profile->address, profile->port)
                           : NULL;
    if (kept) {
        deploy_find(create->plan, DEPLOY_REFUSAL, "port", FACT_UNKNOWN,
                    "port %u of %s is where %.64s publishes its port %.20s, which stays so; take "
                    "another port: --port",
                    profile->port, profile->address, create->name, kept);
        return;
    }
    if (own(create, profile->address, profile->port))
        return;
    if (!create_has_own_network(create)) {
        deploy_find(
            create->plan, DEPLOY_NOTE, "port", FACT_UNKNOWN,
            "%.64s has no network of its own (%.80s), as before: port %u is not published",
            create->name,
            member_string_or(json_object_get(create->like, "HostConfig"), "NetworkMode", ""),
            profile->port);
        return;
    }
    const char *who = publisher(create, profile->address, profile->port);
    if (who && is_evicted(create, who))
        return; /* stopped before, and its port with it */
    int taken = who ? 1 : create_port_taken(create, profile->address, profile->port);
    if (taken <= 0)
        return;
    uint16_t next = free_port(create, profile->address, profile->port);
    if (next)
        snprintf(remedy, sizeof remedy, "%u is free: --port %u", next, next);
    deploy_find(create->plan, DEPLOY_REFUSAL, "port", FACT_UNKNOWN,
                "port %u of %s is taken by %s%.64s; %s", profile->port, profile->address,
                who ? "the container " : "another program", who ? who : "", remedy);
}

void create_add_findings(struct create *create)
{
    judge_name(create);
    judge_old(create);
    create_judge_kept(create);
    create_judge_depends(create);
    judge_port(create);
}
