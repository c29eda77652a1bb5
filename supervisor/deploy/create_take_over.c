/* What the new container has from the one in whose place it comes: its mounts, networks, published
 * ports, devices, environment and labels, and what else was set for it. The profile's own settings
 * win; where they differ create_differs says so. */
#include "base/append.h"
#include "deploy/create_private.h"

static const json_t *host_of(const struct create *create)
{
    return json_object_get(create->like, "HostConfig");
}

/* ---- mounts */

/* "SOURCE:DESTINATION[:MODE]", as it was asked for. */
static const json_t *bind_of(const json_t *binds, const char *destination)
{
    json_t *one;
    size_t i, length = strlen(destination);
    json_array_foreach((json_t *)binds, i, one)
    {
        const char *text = json_string_value(one), *at = text ? strchr(text, ':') : NULL;
        if (!at || strncmp(at + 1, destination, length) != 0)
            continue;
        at += 1 + length;
        at += *at == '/'; /* the engine leaves it out */
        if (*at == '\0' || *at == ':')
            return one;
    }
    return NULL;
}

/* Nobody asked for it by these words: an anonymous volume, or another container's. */
static json_t *mount_as_seen(const json_t *mount)
{
    const char *type = member_string_or(mount, "Type", ""),
               *source = member_string(mount, strcmp(type, "volume") == 0 ? "Name" : "Source"),
               *spread = member_string_or(mount, "Propagation", "");
    json_t *asked = json_pack("{s:s,s:s,s:b}", "Type", type, "Target",
                              member_string_or(mount, "Destination", ""), "ReadOnly",
                              member_truth(mount, "RW") == 0);
    if (source && source[0])
        json_object_set_new(asked, "Source", json_string(source));
    if (strcmp(type, "bind") == 0 && spread[0])
        json_object_set_new(asked, "BindOptions", json_pack("{s:s}", "Propagation", spread));
    return asked;
}

static void add_mounts(const struct create *create, json_t *host)
{
    const json_t *was = host_of(create);
    json_t *mounts = json_object_get(host, "Mounts"), *binds = json_array(), *mount;
    size_t i;
    json_array_foreach(json_object_get(create->like, "Mounts"), i, mount)
    {
        const char *at = member_string(mount, "Destination");
        if (!at || (strcmp(at, create->models) == 0 && !create->models_mounted))
            continue;
        const json_t *asked = member_find(json_object_get(was, "Mounts"), "Target", at),
                     *bind = bind_of(json_object_get(was, "Binds"), at);
        if (bind) {
            json_array_append(binds, (json_t *)bind);
            continue;
        }
        json_t *copy = asked ? json_deep_copy(asked) : mount_as_seen(mount);
        const char *name = member_string(mount, "Name");
        if (name && name[0]) /* also of one that was asked for without a name */
            json_object_set_new(copy, "Source", json_string(name));
        json_array_append_new(mounts, copy);
    }
    if (json_array_size(binds) > 0)
        json_object_set(host, "Binds", binds);
    json_decref(binds);
}

/* ---- ports, devices, the rest */

bool create_has_own_network(const struct create *create)
{
    const char *mode = member_string_or(host_of(create), "NetworkMode", "");
    return strcmp(mode, "host") != 0 && strcmp(mode, "none") != 0 &&
           strncmp(mode, "container:", 10) != 0;
}

static void add_ports(const struct create *create, json_t *request, json_t *host)
{
    char own[16];
    const char *key;
    json_t *list, *bindings = json_object_get(host, "PortBindings"),
                  *exposed = json_object_get(request, "ExposedPorts");
    if (!create_has_own_network(create)) {
        json_object_del(request, "ExposedPorts");
        json_object_del(host, "PortBindings");
        return;
    }
    if (!bindings)
        json_object_set_new(host, "PortBindings", bindings = json_object());
    snprintf(own, sizeof own, "%u/tcp", create->server_port);
    json_object_foreach((json_t *)json_object_get(host_of(create), "PortBindings"), key, list)
    {
        if (strcmp(key, own) == 0) /* that one is the profile's */
            continue;
        json_object_set_new(bindings, key, json_deep_copy(list));
        json_object_set_new(exposed, key, json_object());
    }
    if (json_object_size(bindings) == 0)
        json_object_del(host, "PortBindings");
    json_object_update_missing(
        exposed, json_object_get(json_object_get(create->like, "Config"), "ExposedPorts"));
}

static void add_devices(const struct create *create, json_t *host)
{
    json_t *device, *devices = json_object_get(host, "Devices");
    size_t i;
    json_array_foreach(json_object_get(host_of(create), "Devices"), i, device)
    {
        const char *path = member_string(device, "PathOnHost");
        if (!path || create_below(path, "/dev/kfd") ||
            create_below(path, "/dev/dri")) /* GPUs are the plan's */
            continue;
        if (!devices)
            json_object_set_new(host, "Devices", devices = json_array());
        json_array_append(devices, device);
    }
}

bool create_is_set(const json_t *value)
{
    return (json_is_array(value) && json_array_size(value) > 0) ||
           (json_is_object(value) && json_object_size(value) > 0) ||
           (json_is_string(value) && json_string_value(value)[0]) ||
           (json_is_integer(value) && json_integer_value(value) != 0) || json_is_true(value);
}

static bool is_one_of(const char *key, const char *const *list)
{
    while (*list && strcmp(key, *list) != 0)
        list++;
    return *list != NULL;
}

/* All but what the profile sets, or what would contradict it; create_differs names that. */
static void add_rest(const struct create *create, json_t *host)
{
    static const char *const left[] = {"AutoRemove",
                                       "Binds",
                                       "ConsoleSize",
                                       "ContainerIDFile",
                                       "Devices",
                                       "DeviceRequests",
                                       "KernelMemory",
                                       "KernelMemoryTCP",
                                       "Links",
                                       "Memory",
                                       "MemoryReservation",
                                       "MemorySwap",
                                       "Mounts",
                                       "NanoCpus",
                                       "MemorySwappiness",
                                       "OomKillDisable",
                                       "PortBindings",
                                       "RestartPolicy",
                                       "PublishAllPorts",
                                       "VolumesFrom",
                                       NULL};
    static const char *const empty_says[] = {"MaskedPaths", "ReadonlyPaths", NULL};
    bool cpus = json_object_get(host, "NanoCpus") != NULL; /* the engine takes one of the two */
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)host_of(create), key, value)
    {
        bool says = create_is_set(value) || (is_one_of(key, empty_says) && json_is_array(value)) ||
                    (strcmp(key, "Init") == 0 && json_is_false(value));
        if (!says || is_one_of(key, left) || (cpus && strcmp(key, "CpuQuota") == 0) ||
            (cpus && strcmp(key, "CpuPeriod") == 0) ||
            (strcmp(key, "Runtime") == 0 && strcmp(json_string_value(value), "nvidia") == 0))
            continue;
        json_object_set(host, key, value);
    }
}

/* By the engine from the beginning of the id, or the other network's, with which none can be named.
 */
static bool has_own_hostname(const struct create *create)
{
    const char *name = member_string_or(json_object_get(create->like, "Config"), "Hostname", "");
    const char *network = member_string_or(host_of(create), "NetworkMode", "");
    return name[0] && strncmp(network, "container:", 10) != 0 && strcmp(network, "host") != 0 &&
           strcmp(member_string_or(host_of(create), "UTSMode", ""), "host") != 0 &&
           (strlen(name) != 12 || strncmp(name, member_string_or(create->like, "Id", ""), 12) != 0);
}

/* The check that a profile has set, maybe with other times. */
static bool is_our_check(const json_t *request, const json_t *check)
{
    const json_t *ours = json_object_get(json_object_get(request, "Healthcheck"), "Test");
    return ours && json_equal(ours, json_object_get(check, "Test"));
}

/* What was set beside the image; command, entrypoint and user stay the image's. */
static void add_config(const struct create *create, json_t *request)
{
    static const char *const left[] = {
        "ArgsEscaped",  "AttachStderr", "AttachStdin", "AttachStdout", "Cmd",  "Entrypoint", "Env",
        "ExposedPorts", "Image",        "Labels",      "OnBuild",      "User", "Volumes",    NULL};
    const json_t *image = json_object_get(create->like_image, "Config");
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(create->like, "Config"), key, value)
    {
        bool naming = strcmp(key, "Hostname") == 0 || strcmp(key, "Domainname") == 0;
        if (!create_is_set(value) || is_one_of(key, left) ||
            json_equal(value, json_object_get(image, key)) ||
            (naming && !has_own_hostname(create)) ||
            (strcmp(key, "MacAddress") == 0 && !create_has_own_network(create)) ||
            (strcmp(key, "Healthcheck") == 0 && is_our_check(request, value)))
            continue;
        json_object_set(request, key, value);
    }
}

/* ---- environment and labels, without those that are the image's */

bool create_of_image(const struct create *create, const char *text)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(create->like_image, "Config"), "Env"), i,
                       one)
    {
        if (json_is_string(one) && strcmp(json_string_value(one), text) == 0)
            return true;
    }
    return false;
}

/* Set by a profile, maybe by another one than this. */
static bool of_profile(const struct create *create, const char *text)
{
    static const char *const names[] = {
        "LOCALAI_SINGLE_ACTIVE_BACKEND=", "LOCALAI_MAX_ACTIVE_BACKENDS=", "LOCALAI_WATCHDOG_IDLE=",
        "LOCALAI_WATCHDOG_IDLE_TIMEOUT=", "ROCR_VISIBLE_DEVICES="};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(text, names[i], strlen(names[i])) == 0)
            return create_label(create->like, "supervisor.profile") != NULL;
    return false;
}

static bool has_name(const json_t *env, const char *text)
{
    size_t length = strcspn(text, "="), i;
    json_t *one;
    json_array_foreach((json_t *)env, i, one)
    {
        const char *is = json_string_value(one);
        if (is && strncmp(is, text, length) == 0 && (is[length] == '=' || !is[length]))
            return true;
    }
    return false;
}

static void add_environment(const struct create *create, json_t *env)
{
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(json_object_get(create->like, "Config"), "Env"), i, one)
    {
        const char *text = json_string_value(one);
        bool path = text && !create->like_image && strncmp(text, "PATH=", 5) == 0;
        if (text && !path && !create_of_image(create, text) && !of_profile(create, text) &&
            !has_name(env, text))
            json_array_append(env, one);
    }
}

/* Compose and Swarm know a container by theirs: this one is made by neither. */
static bool is_tool(const char *key)
{
    return strncmp(key, "com.docker.compose.", 19) == 0 ||
           strncmp(key, "com.docker.swarm.", 17) == 0;
}

static bool is_ours(const char *key)
{
    static const char *const keys[] = {"supervisor.memory",    "supervisor.memory.swap",
                                       "supervisor.profile",   "supervisor.priority",
                                       "supervisor.exclusive", "supervisor.kind",
                                       "supervisor.create",    "supervisor.evicted",
                                       CREATE_REPLACES_LABEL,  CREATE_RESTART_LABEL};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

static void add_labels(const struct create *create, json_t *labels)
{
    const json_t *image = json_object_get(json_object_get(create->like_image, "Config"), "Labels");
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(json_object_get(create->like, "Config"), "Labels"), key,
                        value)
    {
        if (!is_tool(key) && !is_ours(key) && !json_object_get(labels, key) &&
            !json_equal(value, json_object_get(image, key)))
            json_object_set(labels, key, value);
    }
}

/* ---- networks */

/* One that the engine made of the address is the next one's with that address. */
static const char *own_mac(const json_t *was)
{
    unsigned ip[4];
    char made[20] = "";
    const char *mac = member_string_or(was, "MacAddress", ""),
               *fixed = member_string(json_object_get(was, "IPAMConfig"), "IPv4Address");
    if (sscanf(member_string_or(was, "IPAddress", ""), "%3u.%3u.%3u.%3u", &ip[0], &ip[1], &ip[2],
               &ip[3]) == 4)
        snprintf(made, sizeof made, "02:42:%02x:%02x:%02x:%02x", ip[0] & 255, ip[1] & 255,
                 ip[2] & 255, ip[3] & 255);
    return mac[0] && ((fixed && fixed[0]) || strcmp(mac, made) != 0) ? mac : NULL;
}

/* As it is asked for. The engine adds the beginning of the id to the aliases, which is another's
 * now. */
static json_t *endpoint(const struct create *create, const json_t *was)
{
    static const char *const keys[] = {"IPAMConfig", "Links", "DriverOpts", "GwPriority"};
    json_t *object = json_object(), *aliases = json_array(), *alias;
    const char *id = member_string_or(create->like, "Id", "");
    size_t i;
    json_array_foreach(json_object_get(was, "Aliases"), i, alias)
    {
        const char *text = json_string_value(alias);
        if (text && (strlen(text) != 12 || strncmp(text, id, 12) != 0))
            json_array_append(aliases, alias);
    }
    json_object_set_new(object, "Aliases", aliases);
    for (i = 0; i < sizeof keys / sizeof keys[0]; i++)
        if (create_is_set(json_object_get(was, keys[i])))
            json_object_set(object, keys[i], json_object_get(was, keys[i]));
    if (own_mac(was))
        json_object_set_new(object, "MacAddress", json_string(own_mac(was)));
    return object;
}

/* Engines before 25 take one network with the request: the others are joined before the start. */
static void add_networks(struct create *create, json_t *request)
{
    const char *mode = member_string_or(host_of(create), "NetworkMode", ""), *name;
    json_t *network;
    json_decref(create->networks);
    create->networks = json_object();
    if (!create_has_own_network(create))
        return;
    json_object_foreach(
        json_object_get(json_object_get(create->like, "NetworkSettings"), "Networks"), name,
        network)
    {
        bool standard = strcmp(name, "bridge") == 0, /* which takes no aliases */
            first = strcmp(mode, name) == 0 || (standard && strcmp(mode, "default") == 0) ||
                    strcmp(mode, member_string_or(network, "NetworkID", "")) == 0;
        json_t *wanted = standard ? json_object() : endpoint(create, network);
        if (first && !standard)
            json_object_set_new(request, "NetworkingConfig",
                                json_pack("{s:{s:O}}", "EndpointsConfig", name, wanted));
        else if (!first)
            json_object_set(create->networks, name, wanted);
        json_decref(wanted);
    }
}

void create_take_over(struct create *create, json_t *request)
{
    json_t *host = json_object_get(request, "HostConfig");
    if (!create->like)
        return;
    add_mounts(create, host);
    add_rest(create, host);
    add_config(create, request);
    add_devices(create, host);
    add_ports(create, request, host);
    add_environment(create, json_object_get(request, "Env"));
    add_labels(create, json_object_get(request, "Labels"));
    add_networks(create, request);
}
