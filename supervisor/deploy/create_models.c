/* Where the server keeps its models, and what of the one that is there is mounted in that place. */
#include "deploy/create_private.h"
#include "sense/docker_parse.h"

const char *create_below(const char *path, const char *directory)
{
    size_t length = strlen(directory);
    while (length > 0 && directory[length - 1] == '/')
        length--;
    return strncmp(path, directory, length) == 0 && (path[length] == '\0' || path[length] == '/')
               ? path + length
               : NULL;
}

/* The mount that carries the path: the deepest at or above it; NULL: none does. */
static const json_t *mount_of(const json_t *mounts, const char *path, const char **ret_rest)
{
    const json_t *mount = NULL;
    const char *best = "";
    json_t *one;
    size_t i;
    json_array_foreach((json_t *)mounts, i, one)
    {
        const char *at = member_string_or(one, "Destination", ""), *rest = create_below(path, at);
        if (!at[0] || !rest || strlen(at) <= strlen(best))
            continue;
        mount = one;
        best = at;
        *ret_rest = rest;
    }
    return mount;
}

bool create_is_mounted(const json_t *container, const char *path)
{
    const char *rest;
    return mount_of(json_object_get(container, "Mounts"), path, &rest) != NULL;
}

const char *create_env(const json_t *container, const char *name)
{
    size_t i, length = strlen(name);
    json_t *one;
    json_array_foreach(json_object_get(json_object_get(container, "Config"), "Env"), i, one)
    {
        const char *text = json_string_value(one);
        if (text && strncmp(text, name, length) == 0 && text[length] == '=')
            return text + length + 1;
    }
    return NULL;
}

/* As the new one will have it: taken over, or of the same image; NULL: unset, or not known. */
static const char *env_kept(const struct create *create, const char *name)
{
    char text[600];
    const char *value = create_env(create->like, name),
               *image = member_string_or(json_object_get(create->like, "Config"), "Image", "");
    if (!value)
        return NULL;
    snprintf(text, sizeof text, "%s=%s", name, value);
    return !create_of_image(create, text) || strcmp(image, create->plan->profile.image) == 0 ? value
                                                                                             : NULL;
}

bool create_home(const char *home, char *text, size_t size)
{
    size_t length = home ? strlen(home) : 0;
    while (length > 0 && home[length - 1] == '/')
        length--;
    int n = snprintf(text, size, "%.*s/.ollama", (int)length, home ? home : "");
    return home && home[0] == '/' && n > 0 && (size_t)n < size;
}

void create_find_models(struct create *create)
{
    enum server_kind server = create->plan->profile.server;
    char host[64], home[sizeof create->models];
    create->server_port = create_server_port(server);
    snprintf(create->models, sizeof create->models, "%s", create_models_path(server));
    if (server != SERVER_OLLAMA || !create->like)
        return;
    const char *listens = env_kept(create, "OLLAMA_HOST");
    if (listens)
        docker_parse_ollama_host(listens, host, sizeof host, &create->server_port);
    if (create_home(env_kept(create, "HOME"), home, sizeof home))
        memcpy(create->models, home, sizeof home);
    const char *models = env_kept(create, "OLLAMA_MODELS");
    if (models && models[0] == '/' && strlen(models) < sizeof create->models &&
        !create_below(models, create->models) &&
        (create->wish->volume_given || !create_is_mounted(create->like, models)))
        snprintf(create->models, sizeof create->models, "%s", models);
}

void create_take_over_models(struct create *create)
{
    struct profile *profile = &create->plan->profile;
    const char *rest = "";
    const json_t *mount = mount_of(json_object_get(create->like, "Mounts"), create->models, &rest);
    if (!mount || create->wish->volume_given)
        return;
    const char *name = member_string(mount, "Name"), *source = member_string(mount, "Source");
    bool volume = strcmp(member_string_or(mount, "Type", ""), "volume") == 0;
    create->models_mounted = true;
    create->models_volume = volume && name && !rest[0] && strlen(name) < sizeof profile->volume;
    if (create->models_volume) {
        snprintf(profile->volume, sizeof profile->volume, "%s", name);
        return;
    }
    snprintf(profile->volume, sizeof profile->volume, "%.80s%.40s", source ? source : "?", rest);
    snprintf(create->seen->volume_path, sizeof create->seen->volume_path, "%s%s",
             source ? source : "", rest);
}
