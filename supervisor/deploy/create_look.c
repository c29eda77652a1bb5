/* What the engine says before anything is made. */
#include "deploy/create_private.h"
#include "sense/json_member.h"
#include <stdio.h>
#include <string.h>

const char *create_label(const json_t *container, const char *key)
{
    return member_string(json_object_get(json_object_get(container, "Config"), "Labels"), key);
}

bool create_is_running(const json_t *container)
{
    return member_truth(json_object_get(container, "State"), "Running") == 1;
}

int create_find(struct create *create, await_question *call, const char *name, json_t **ret_json,
                struct error *err)
{
    struct error own;
    int r = await_json(create->await, call, name, ret_json, &own);
    if (r == 0)
        return 1;
    if (create_absent(r, &own))
        return 0;
    *err = own;
    return r;
}

/* Who hands out GPUs: NVIDIA's runtime, as configured or as the engine finds it by its hook, or the
 * devices that CDI knows (facts on Docker, 1.5 and 1.13). */
static void read_gpu_runtime(struct create *create, const json_t *info)
{
    bool runtime = json_object_get(json_object_get(info, "Runtimes"), "nvidia") != NULL;
    bool cdi = false;
    size_t i;
    json_t *device;
    json_array_foreach(json_object_get(info, "DiscoveredDevices"), i, device)
    {
        const char *id = member_string(device, "ID");
        cdi |= id && strncmp(id, "nvidia.com/gpu=", 15) == 0;
    }
    runtime |= create_gpu_hook(create);
    create->seen->gpu_by_cdi = cdi && !runtime;
    const struct gpu_list *gpus = &create->seen->facts.gpus;
    bool amd = gpus->n > 0 && gpus->gpus[0].vendor == GPU_AMD;
    create->seen->facts.gpu_runtime = amd ? create_amd_devices(create) : runtime || cdi;
}

/* `rocm` is the tag of Ollama's image for AMD's GPUs. */
static void choose_image(struct create *create)
{
    struct profile *profile = &create->result->plan.profile;
    const struct gpu_list *gpus = &create->seen->facts.gpus;
    if (profile->server != SERVER_OLLAMA || create->wish->image_given || gpus->n == 0 ||
        gpus->gpus[0].vendor != GPU_AMD || strcmp(profile->gpu, "none") == 0)
        return;
    char *tag = strrchr(profile->image, ':');
    if (tag && strcmp(tag, ":latest") == 0 && !strchr(tag, '/'))
        snprintf(tag, sizeof profile->image - (size_t)(tag - profile->image), ":rocm");
}

static int look_at_image(struct create *create, struct error *err)
{
    CLEANUP_JSON json_t *image = NULL;
    int r = create_find(create, docker_image_json, create->plan->profile.image, &image, err);
    create->seen->image_present = r > 0;
    return r < 0 ? r : 0;
}

/* Where the container that is replaced keeps its models: its volume goes to the new one. */
static void take_over_volume(struct create *create)
{
    const json_t *from = create->existing.json ? create->existing.json : create->old.json;
    struct profile *profile = &create->plan->profile;
    size_t i;
    json_t *mount;
    if (create->wish->volume_given || !from)
        return;
    json_array_foreach(json_object_get(from, "Mounts"), i, mount)
    {
        const char *target = member_string(mount, "Destination"),
                   *type = member_string(mount, "Type"), *name = member_string(mount, "Name");
        if (target && type && name && strcmp(type, "volume") == 0 &&
            strcmp(target, create_models_path(profile->server)) == 0 &&
            strlen(name) < sizeof profile->volume)
            snprintf(profile->volume, sizeof profile->volume, "%s", name);
    }
}

static int look_at_volume(struct create *create, const json_t *info, struct error *err)
{
    CLEANUP_JSON json_t *volume = NULL;
    int r = create_find(create, docker_volume_json, create->plan->profile.volume, &volume, err);
    if (r < 0)
        return r;
    create->seen->volume_present = r > 0;
    create_look_at_disk(create, volume, member_string(info, "DockerRootDir"));
    return 0;
}

static void judge_what_is_there(struct create *create)
{
    create->unfinished = create_is_unfinished(create->existing.json);
    create->replacing = create->existing.json ? create->unfinished || create->wish->replace
                                              : create->old.json != NULL;
    create->seen->exists = create->existing.json && !create->replacing;
    create->seen->running = create->seen->exists && create->existing.running;
    char *text = create->seen->leftover;
    size_t size = sizeof create->seen->leftover;
    if (create->unfinished)
        snprintf(text, size, "an earlier run made %.64s and never started it: it is made anew",
                 create->name);
    else if (create->old.json && !create->existing.json)
        snprintf(text, size,
                 "an earlier run set %.100s aside and made nothing in its place: that is done now",
                 create->old_name);
    else if (create->old.json && !create->replacing)
        snprintf(text, size,
                 "an earlier run left %.100s behind: it is removed as soon as %.64s answers",
                 create->old_name, create->name);
}

int create_look(struct create *create, struct error *err)
{
    CLEANUP_JSON json_t *info = NULL;
    int r = create_look_at_names(create, err);
    if (r == 0)
        r = await_info(create->await, &info, err);
    if (r == 0)
        r = await_list(create->await, &create->list, err);
    if (r == 0)
        r = create_look_at_host(create, err);
    if (r < 0)
        return r;
    create->seen->facts.memory_limits = member_truth(info, "MemoryLimit") == 1;
    create->seen->facts.swap_limits = member_truth(info, "SwapLimit") == 1;
    judge_what_is_there(create);
    read_gpu_runtime(create, info);
    choose_image(create);
    if (create->replacing)
        take_over_volume(create);
    r = look_at_image(create, err);
    if (r == 0)
        r = look_at_volume(create, info, err);
    if (r == 0)
        r = create_look_at_others(create, err);
    return r;
}
