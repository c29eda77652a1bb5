/* The least limit of the cgroups below which the engine will put the container: its own limit
 * cannot be had beyond it. */
#include "deploy/create_private.h"
#include "sense/cgroup_parse.h"
#include "sense/proc_file.h"
#include <fcntl.h>
#include <limits.h>

/* Of systemd, "a-b.slice" lies in "a.slice". */
static void expand_slice(const char *slice, char *path, size_t size)
{
    size_t used = 0;
    path[0] = '\0';
    if (strcmp(slice, "-.slice") == 0)
        return;
    for (const char *dash = strchr(slice, '-'); dash; dash = strchr(dash + 1, '-')) {
        int n = snprintf(path + used, size - used, "%.*s.slice/", (int)(dash - slice), slice);
        used += n > 0 && (size_t)n < size - used ? (size_t)n : 0;
    }
    snprintf(path + used, size - used, "%s", slice);
}

static void find_parent(const struct create *create, const json_t *info, char *path, size_t size)
{
    const char *parent =
        member_string_or(json_object_get(create->from, "HostConfig"), "CgroupParent", "");
    bool systemd = strcmp(member_string_or(info, "CgroupDriver", ""), "systemd") == 0;
    if (!parent[0])
        parent = systemd ? "system.slice" : "docker"; /* the engine's own */
    if (systemd)
        expand_slice(parent, path, size);
    else
        snprintf(path, size, "%s", parent + strspn(parent, "/"));
}

static fact read_limit(const struct create *create, const char *below, const char *path,
                       const char *file)
{
    char name[PATH_MAX], buffer[64];
    struct text text;
    int n =
        snprintf(name, sizeof name, "%s%s/%s/%s", create->settings->cgroupfs, below, path, file);
    if (n < 0 || (size_t)n >= sizeof name ||
        proc_file_read_at(AT_FDCWD, name, buffer, sizeof buffer, &text) < 0)
        return FACT_UNKNOWN;
    return cgroup_parse_limit(text);
}

void create_look_at_slice(struct create *create, const json_t *info)
{
    struct deploy_facts *facts = &create->seen->facts;
    char path[PATH_MAX];
    find_parent(create, info, path, sizeof path);
    facts->slice_limit = FACT_NONE;
    while (path[0]) {
        fact limit = read_limit(create, "/memory", path, "memory.limit_in_bytes");
        if (limit == FACT_UNKNOWN)
            limit = read_limit(create, "", path, "memory.max");
        if (fact_known(limit) && (facts->slice_limit == FACT_NONE || limit < facts->slice_limit)) {
            facts->slice_limit = limit;
            snprintf(facts->slice, sizeof facts->slice, "%.*s", (int)sizeof facts->slice - 1, path);
        }
        char *slash = strrchr(path, '/');
        *(slash ? slash : path) = '\0';
    }
}
