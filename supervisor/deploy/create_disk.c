/* The disk on which the models lie, and whether one lies there already. */
#include "deploy/create_private.h"
#include <sys/stat.h>
#include <sys/statvfs.h>

/* A file system that the local driver, or another one, mounts while a container uses the volume:
 * before that its directory is just one of the engine's own disk. */
static bool is_mounted(const struct create *create, const char *path)
{
    char own[600], above[610];
    struct stat a, b;
    if (create_host_path(create, path, own, sizeof own) < 0)
        return false;
    snprintf(above, sizeof above, "%s/..", own);
    return stat(own, &a) == 0 && stat(above, &b) == 0 && a.st_dev != b.st_dev;
}

/* A volume that is a bind mount lies at its device, whatever is mounted in the engine's directory
 * now. *ret_seen: what is there is the volume. */
static const char *volume_place(const struct create *create, const json_t *volume, bool *ret_seen)
{
    const json_t *options = json_object_get(volume, "Options");
    const char *device = member_string(options, "device"), *o = member_string(options, "o"),
               *place = member_string(volume, "Mountpoint");
    if (device && device[0] == '/' && o && strstr(o, "bind"))
        return device;
    bool plain = !device && !member_string(options, "type") &&
                 strcmp(member_string_or(volume, "Driver", "local"), "local") == 0;
    *ret_seen = plain || (place && is_mounted(create, place));
    return place;
}

/* [models/]manifests/REGISTRY/NAMESPACE/MODEL/TAG, each with its usual value where the name has
 * none.
 */
static bool model_present(const struct create *create, const char *model)
{
    static const char *const prefixes[] = {"registry.ollama.ai/library/", "registry.ollama.ai/",
                                           ""};
    char path[1024], name[PROFILE_TEXT_SIZE];
    struct stat info;
    size_t slashes = 0, length = strlen(create->models);
    bool home = length > 8 && strcmp(create->models + length - 8, "/.ollama") == 0;
    snprintf(name, sizeof name, "%s", model);
    for (const char *c = name; *c; c++)
        slashes += *c == '/' && slashes < 2;
    char *tag = strrchr(name, ':');
    if (tag && strchr(tag, '/')) /* a registry's port */
        tag = NULL;
    if (tag)
        *tag++ = '\0';
    snprintf(path, sizeof path, "%s%s/manifests/%s%s/%s", create->volume_root,
             home ? "/models" : "", prefixes[slashes], name, tag ? tag : "latest");
    return create->volume_root[0] && stat(path, &info) == 0;
}

static void look_at_root(struct create *create, bool there)
{
    struct create_seen *seen = create->seen;
    const char *model = create->plan->profile.model;
    snprintf(seen->facts.disk_path, sizeof seen->facts.disk_path, "%s", seen->volume_path);
    seen->facts.disk_free = create_disk_free(create);
    seen->facts.model_present = there && model[0] && model_present(create, model);
}

void create_look_at_disk(struct create *create, const json_t *volume, const char *root_dir)
{
    struct create_seen *seen = create->seen;
    bool visible = true;
    const char *place = volume ? volume_place(create, volume, &visible) : NULL;
    if (place)
        snprintf(seen->volume_path, sizeof seen->volume_path, "%s", place);
    else if (!volume && root_dir && root_dir[0])
        snprintf(seen->volume_path, sizeof seen->volume_path, "%.200s/volumes", root_dir);
    create->volume_root[0] = '\0';
    if (seen->volume_path[0] && visible)
        create_host_path(create, seen->volume_path, create->volume_root,
                         sizeof create->volume_root);
    look_at_root(create, volume || create->models_mounted);
}

bool create_look_inside(struct create *create, const json_t *container)
{
    fact pid = member_fact(json_object_get(container, "State"), "Pid");
    char path[sizeof create->volume_root];
    struct stat info;
    int n = snprintf(path, sizeof path, "%s/%lld/root%s", create->settings->procfs, (long long)pid,
                     create->models);
    if (pid <= 0 || n < 0 || (size_t)n >= sizeof path || stat(path, &info) < 0 ||
        !create_is_mounted(container, create->models))
        return false;
    memcpy(create->volume_root, path, sizeof path);
    look_at_root(create, true);
    return true;
}

fact create_disk_free(const struct create *create)
{
    struct statvfs info;
    if (!create->volume_root[0] || statvfs(create->volume_root, &info) < 0)
        return FACT_UNKNOWN;
    return (fact)info.f_bavail * (fact)info.f_frsize;
}
