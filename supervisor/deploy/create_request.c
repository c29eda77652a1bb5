/* The request to the engine. */
#include "base/append.h"
#include "base/size.h"
#include "deploy/create_private.h"

static const json_int_t second_ns = 1000000000;

const char *create_models_path(enum server_kind server)
{
    return server == SERVER_LOCALAI ? "/models" : "/root/.ollama";
}

uint16_t create_server_port(enum server_kind server)
{
    return server == SERVER_LOCALAI ? CREATE_LOCALAI_PORT : CREATE_OLLAMA_PORT;
}

static void set(json_t *object, const char *key, const char *value)
{
    json_object_set_new(object, key, json_string(value));
}

static json_t *labels(const struct create *create)
{
    const struct deploy_plan *plan = create->plan;
    const struct profile *profile = &plan->profile;
    char text[32];
    json_t *object = json_object();
    set(object, create->settings->docker_label, "true");
    size_exact(profile->memory, text, sizeof text);
    set(object, "supervisor.memory", text);
    text[0] = '\0'; /* unset: left as it was made */
    if (fact_known(profile->swap))
        size_exact(profile->swap, text, sizeof text);
    set(object, "supervisor.memory.swap", text);
    set(object, "supervisor.profile", profile->name);
    set(object, "supervisor.priority", priority_name(profile->priority));
    if (profile->exclusive)
        set(object, "supervisor.exclusive", "true");
    if (profile->server != SERVER_OLLAMA)
        set(object, "supervisor.kind", server_kind_name(profile->server));
    set(object, "supervisor.create", create->token);
    return object;
}

/* Whom an interrupted run has stopped says this label to the next one. */
static void label_evicted(const struct create *create, json_t *list)
{
    char text[DEPLOY_OTHERS_MAX * 14] = "";
    for (size_t i = 0; i < create->plan->n_evict; i++) {
        const struct deploy_other *other = &create->seen->facts.others[create->plan->evict[i]];
        text_append(text, sizeof text, "%s%.12s", *text ? "," : "", other->id);
    }
    for (size_t i = 0; i < create->n_evicted; i++) /* those of the run before */
        text_append(text, sizeof text, "%s%.12s", *text ? "," : "", create->evicted[i]);
    if (text[0])
        set(list, "supervisor.evicted", text);
}

/* "all", "auto": every one; else the ids that were named. */
static json_t *device_request(const struct create *create)
{
    char list[PROFILE_TEXT_SIZE];
    snprintf(list, sizeof list, "%s", create->plan->profile.gpu);
    bool all = strcmp(list, "all") == 0 || strcmp(list, "auto") == 0;
    bool cdi = create->seen->gpu_by_cdi;
    json_t *ids = json_array();
    if (all && cdi)
        json_array_append_new(ids, json_string("nvidia.com/gpu=all"));
    for (char *at = list, *id; !all && (id = strsep(&at, ",")) != NULL;)
        json_array_append_new(ids, cdi ? json_sprintf("nvidia.com/gpu=%s", id) : json_string(id));
    if (cdi)
        return json_pack("{s:s,s:o}", "Driver", "cdi", "DeviceIDs", ids);
    json_t *request = json_pack("{s:s,s:[[s]]}", "Driver", "nvidia", "Capabilities", "gpu");
    if (all)
        json_object_set_new(request, "Count", json_integer(-1));
    if (all)
        json_decref(ids);
    else
        json_object_set_new(request, "DeviceIDs", ids);
    return request;
}

static bool wants_all_gpus(const struct create *create)
{
    const char *wanted = create->plan->profile.gpu;
    return strcmp(wanted, "all") == 0 || strcmp(wanted, "auto") == 0;
}

static bool has_amd(const struct create *create)
{
    const struct gpu_list *gpus = &create->seen->facts.gpus;
    return create->plan->gpu && gpus->n > 0 && gpus->gpus[0].vendor == GPU_AMD;
}

static void add_device(json_t *list, const char *path)
{
    json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "PathOnHost", path, "PathInContainer",
                                          path, "CgroupPermissions", "rwm"));
}

static void add_gpus(const struct create *create, json_t *host)
{
    const struct gpu_list *gpus = &create->seen->facts.gpus;
    if (!create->plan->gpu)
        return;
    if (!has_amd(create)) {
        json_object_set_new(host, "DeviceRequests", json_pack("[o]", device_request(create)));
        return;
    }
    json_t *list = json_array();
    add_device(list, "/dev/kfd");
    if (wants_all_gpus(create))
        add_device(list, "/dev/dri");
    for (size_t i = 0; i < gpus->n && !wants_all_gpus(create); i++) {
        char path[48];
        snprintf(path, sizeof path, "/dev/dri/renderD%lld", (long long)gpus->gpus[i].render);
        if (create->plan->gpus[i])
            add_device(list, path);
    }
    json_object_set_new(host, "Devices", list);
}

/* ROCm finds all GPUs by /dev/kfd: which are meant it is told by their ids, where all have one; by
 * an index it would count those that it may open. */
static void add_visible_gpus(const struct create *create, json_t *env)
{
    const struct gpu_list *gpus = &create->seen->facts.gpus;
    char text[GPUS_MAX * 100] = "";
    if (!has_amd(create) || wants_all_gpus(create))
        return;
    for (size_t i = 0; i < gpus->n; i++) {
        if (!create->plan->gpus[i])
            continue;
        if (!gpus->gpus[i].uuid[0])
            return;
        text_append(text, sizeof text, "%s%s", *text ? "," : "", gpus->gpus[i].uuid);
    }
    json_array_append_new(env, json_sprintf("ROCR_VISIBLE_DEVICES=%s", text));
}

static json_t *host_config(const struct create *create)
{
    const struct profile *profile = &create->plan->profile;
    json_int_t memory = profile->memory;
    json_int_t swap = fact_known(profile->swap) ? memory + profile->swap : -1;
    json_t *mounts = json_array();
    if (!create->models_mounted)
        json_array_append_new(mounts, json_pack("{s:s,s:s,s:s}", "Type", "volume", "Source",
                                                profile->volume, "Target", create->models));
    json_t *host = json_pack("{s:I,s:I,s:{s:s},s:o}", "Memory", memory, "MemorySwap", swap,
                             "RestartPolicy", "Name", "unless-stopped", "Mounts", mounts);
    if (profile->cpus > 0)
        json_object_set_new(host, "NanoCpus",
                            json_integer((json_int_t)(profile->cpus * (double)second_ns)));
    if (profile->port) {
        char port[16], text[8];
        snprintf(port, sizeof port, "%u/tcp", create->server_port);
        snprintf(text, sizeof text, "%u", profile->port);
        json_object_set_new(
            host, "PortBindings",
            json_pack("{s:[{s:s,s:s}]}", port, "HostIp", profile->address, "HostPort", text));
    }
    add_gpus(create, host);
    return host;
}

/* Ollama's image has no curl and no check of its own; its program can ask. The
 * period before failures count is for finding the GPUs. LocalAI's image brings its own. */
static json_t *health_check(void)
{
    return json_pack("{s:[s,s,s],s:I,s:I,s:i,s:I}", "Test", "CMD", "ollama", "list", "Interval",
                     30 * second_ns, "Timeout", 15 * second_ns, "Retries", 3, "StartPeriod",
                     60 * second_ns);
}

json_t *create_request(const struct create *create)
{
    const struct profile *profile = &create->plan->profile;
    char env[DEPLOY_ENV_MAX][DEPLOY_ENV_SIZE], port[16];
    size_t n = deploy_environment(create->plan, env, DEPLOY_ENV_MAX);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_string(env[i]));
    add_visible_gpus(create, list);
    json_t *own = labels(create);
    label_evicted(create, own);
    if (create->from)
        create_label_replaced(create, own);
    json_t *request =
        json_pack("{s:s,s:o,s:o}", "Image", profile->image, "Env", list, "Labels", own);
    if (!request)
        return NULL;
    snprintf(port, sizeof port, "%u/tcp", create->server_port);
    json_object_set_new(request, "ExposedPorts", json_pack("{s:{}}", port));
    if (profile->server == SERVER_OLLAMA)
        json_object_set_new(request, "Healthcheck", health_check());
    json_object_set_new(request, "HostConfig", host_config(create));
    return request;
}
