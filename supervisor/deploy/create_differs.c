/* What of a container that is there is not as it would be made now. */
#include "base/append.h"
#include "base/size.h"
#include "deploy/create_private.h"
#include <stdlib.h>

enum { VALUE_SIZE = 200 };

static void compare(json_t *list, const char *what, const char *is, const char *would_be)
{
    if (strcmp(is, would_be) != 0)
        json_array_append_new(
            list, json_pack("{s:s,s:s,s:s}", "what", what, "is", is, "would_be", would_be));
}

static void bytes(const json_t *host, const char *key, char *text, size_t size)
{
    const json_t *value = json_object_get(host, key);
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : 0;
    if (number > 0)
        size_exact(number, text, size);
    else
        snprintf(text, size, "%s", number < 0 ? "unlimited" : "none");
}

static void compare_bytes(json_t *list, const char *what, const char *key, const json_t *is,
                          const json_t *would_be)
{
    char a[VALUE_SIZE], b[VALUE_SIZE];
    bytes(is, key, a, sizeof a);
    bytes(would_be, key, b, sizeof b);
    compare(list, what, a, b);
}

static const char *env_value(const json_t *env, const char *name, size_t length)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)env, i, entry)
    {
        const char *text = json_string_value(entry);
        if (text && strncmp(text, name, length) == 0 && text[length] == '=')
            return text + length + 1;
    }
    return NULL;
}

static void compare_env(json_t *list, const json_t *is, const json_t *would_be)
{
    size_t i;
    json_t *entry;
    json_array_foreach((json_t *)would_be, i, entry)
    {
        char name[64];
        const char *text = json_string_value(entry);
        size_t length = text ? strcspn(text, "=") : 0;
        if (!text || !text[length])
            continue;
        const char *value = env_value(is, text, length);
        snprintf(name, sizeof name, "%.*s", (int)length, text);
        compare(list, name, value ? value : "unset", text + length + 1);
    }
}

/* "127.0.0.1:11434", of all ports, joined. */
static void ports(const json_t *bindings, char *text, size_t size)
{
    const char *key;
    json_t *list, *binding;
    size_t i;
    text[0] = '\0';
    json_object_foreach((json_t *)bindings, key, list)
    {
        json_array_foreach(list, i, binding)
        {
            text_append(text, size, "%s%s:%s", *text ? ", " : "",
                        member_string_or(binding, "HostIp", ""),
                        member_string_or(binding, "HostPort", "?"));
        }
    }
    if (!text[0])
        snprintf(text, size, "not published");
}

/* The source of what is mounted there, by either way of asking for it. */
static const char *mounted(const json_t *container, const char *target)
{
    const json_t *mount = member_find(json_object_get(container, "Mounts"), "Destination", target);
    return mount ? member_string_or(mount, "Name", member_string_or(mount, "Source", "?")) : "none";
}

static void gpus(const json_t *host, char *text, size_t size)
{
    const json_t *request = json_array_get(json_object_get(host, "DeviceRequests"), 0);
    const json_t *ids = json_object_get(request, "DeviceIDs");
    size_t i;
    json_t *one;
    text[0] = '\0';
    json_array_foreach((json_t *)ids, i, one)
    {
        text_append(text, size, "%s%s", *text ? "," : "",
                    json_is_string(one) ? json_string_value(one) : "?");
    }
    json_array_foreach(json_object_get(host, "Devices"), i, one)
    {
        const char *path = member_string_or(one, "PathOnHost", "");
        if (strcmp(path, "/dev/dri") == 0)
            text_append(text, size, "%sall", *text ? "," : "");
        else if (strncmp(path, "/dev/dri/", 9) == 0)
            text_append(text, size, "%s%s", *text ? "," : "", path + 9);
    }
    if (!text[0])
        snprintf(text, size, "%s", request ? "all" : "none");
}

static void compare_host(json_t *list, const json_t *is, const json_t *would_be)
{
    char a[VALUE_SIZE], b[VALUE_SIZE];
    compare_bytes(list, "limit", "Memory", is, would_be);
    compare_bytes(list, "limit with swap", "MemorySwap", is, would_be);
    const char *policy = member_string_or(json_object_get(is, "RestartPolicy"), "Name", "");
    compare(list, "restart policy", policy[0] ? policy : "no",
            member_string_or(json_object_get(would_be, "RestartPolicy"), "Name", "no"));
    double cpus_is = (double)member_fact(is, "NanoCpus") / 1e9,
           cpus_would_be = (double)member_fact(would_be, "NanoCpus") / 1e9;
    snprintf(a, sizeof a, cpus_is > 0 ? "%g" : "all", cpus_is);
    snprintf(b, sizeof b, cpus_would_be > 0 ? "%g" : "all", cpus_would_be);
    compare(list, "CPUs", a, b);
    ports(json_object_get(is, "PortBindings"), a, sizeof a);
    ports(json_object_get(would_be, "PortBindings"), b, sizeof b);
    compare(list, "port", a, b);
    gpus(is, a, sizeof a);
    gpus(would_be, b, sizeof b);
    compare(list, "GPUs", a, b);
}

static void compare_labels(json_t *list, const json_t *is, const json_t *would_be)
{
    static const char *const keys[] = {"supervisor.profile", "supervisor.memory",
                                       "supervisor.priority", "supervisor.exclusive",
                                       "com.docker.compose.project"};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        compare(list, keys[i], member_string_or(is, keys[i], "unset"),
                member_string_or(would_be, keys[i], "unset"));
}

static void add_dumped(json_t *list, const char *what, const json_t *is, const char *would_be)
{
    char *text = json_dumps(is, JSON_COMPACT | JSON_ENCODE_ANY);
    compare(list, what, text ? text : "?", would_be);
    free(text);
}

/* What was set at the host's side and is not taken over, but for what is compared above. */
static void compare_left(json_t *list, const json_t *is, const json_t *would_be)
{
    static const char *const told[] = {
        "AutoRemove",     "Binds",         "ConsoleSize", "ContainerIDFile", "Devices",
        "DeviceRequests", "Memory",        "MemorySwap",  "Mounts",          "NanoCpus",
        "PortBindings",   "RestartPolicy", "VolumesFrom"};
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)is, key, value)
    {
        bool left = create_is_set(value) && !json_object_get(would_be, key);
        for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
            left = left && strcmp(key, told[i]) != 0;
        if (left)
            add_dumped(list, key, value, "unset");
    }
}

/* What was set beside the image and is not taken over. */
static void compare_image(json_t *list, const json_t *config, const json_t *image)
{
    static const struct {
        const char *key, *what;
    } rows[] = {{"Entrypoint", "entrypoint"}, {"Cmd", "command"}, {"User", "user"}};
    const json_t *own = json_object_get(image, "Config");
    for (size_t i = 0; image && i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *is = json_object_get(config, rows[i].key),
                     *would_be = json_object_get(own, rows[i].key);
        if (json_equal(is, would_be) || json_is_null(is))
            continue;
        add_dumped(list, rows[i].what, is, "the image's");
    }
}

json_t *create_differs(const struct create *create, const json_t *container, const json_t *request)
{
    json_t *list = json_array();
    const json_t *config = json_object_get(container, "Config");
    const json_t *host = json_object_get(request, "HostConfig");
    const json_t *mount = json_array_get(json_object_get(host, "Mounts"), 0);
    compare(list, "image", member_string_or(config, "Image", "?"),
            member_string_or(request, "Image", "?"));
    compare_host(list, json_object_get(container, "HostConfig"), host);
    if (!create->models_mounted)
        compare(list, "volume", mounted(container, member_string_or(mount, "Target", "")),
                member_string_or(mount, "Source", "?"));
    if (create->like)
        compare_image(list, config, create->like_image);
    compare_left(list, json_object_get(container, "HostConfig"), host);
    compare_env(list, json_object_get(config, "Env"), json_object_get(request, "Env"));
    const char *label = create->settings->docker_label;
    const char *chosen = create_label(container, label); /* a word of its owner's, if it is there */
    if (chosen)
        compare(list, label, chosen,
                member_string_or(json_object_get(request, "Labels"), label, "unset"));
    compare_labels(list, json_object_get(config, "Labels"), json_object_get(request, "Labels"));
    return list;
}
