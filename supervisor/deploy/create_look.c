/* What the engine says before anything is made. */
#include "deploy/create_private.h"

const char *create_label(const json_t *container, const char *key)
{
    return member_string(json_object_get(json_object_get(container, "Config"), "Labels"), key);
}

bool create_is_running(const json_t *container)
{
    return member_truth(json_object_get(container, "State"), "Running") == 1;
}

int create_find(struct create *create, enum docker_thing thing, const char *name, json_t **ret_json,
                struct error *err)
{
    struct error own;
    int r = await_json(create->await, thing, name, ret_json, &own);
    if (r == 0)
        return 1;
    if (create_absent(r, &own))
        return 0;
    *err = own;
    return r;
}

/* Who hands out GPUs: NVIDIA's runtime, as configured or as the engine finds it by its hook, or the
 * devices that CDI knows. */
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
    int r = create_find(create, DOCKER_IMAGE, create->plan->profile.image, &image, err);
    create->seen->image_present = r > 0;
    return r < 0 ? r : 0;
}

static int look_at_volume(struct create *create, const json_t *info, struct error *err)
{
    CLEANUP_JSON json_t *volume = NULL;
    if (create->models_mounted && !create->models_volume) {
        create->seen->volume_present = true;
        create_look_at_disk(create, NULL, NULL);
        return 0;
    }
    int r = create_find(create, DOCKER_VOLUME, create->plan->profile.volume, &volume, err);
    if (r < 0)
        return r;
    create->seen->volume_present = r > 0;
    create_look_at_disk(create, volume, member_string(info, "DockerRootDir"));
    const json_t *user = create->from ? create->from : create->existing.json;
    if (create->seen->running || (create->from && !create->wish->volume_given))
        create_look_inside(create, user); /* it has it mounted */
    return 0;
}

int create_look(struct create *create, struct error *err)
{
    CLEANUP_JSON json_t *info = NULL;
    int r = create_look_at_names(create, err);
    if (r == 0)
        r = await_json(create->await, DOCKER_INFO, "", &info, err);
    if (r == 0)
        r = await_json(create->await, DOCKER_LIST, "", &create->list, err);
    if (r == 0)
        r = create_look_at_host(create, err);
    if (r < 0)
        return r;
    create->seen->facts.memory_limits = member_truth(info, "MemoryLimit") == 1;
    create->seen->facts.swap_limits = member_truth(info, "SwapLimit") == 1;
    create_judge_names(create);
    create_look_at_slice(create, info);
    read_gpu_runtime(create, info);
    choose_image(create);
    create->like = create->seen->exists ? create->existing.json : create->from;
    if (create->like)
        r = create_find(create, DOCKER_IMAGE, member_string_or(create->like, "Image", ""),
                        &create->like_image, err);
    create_find_models(create);
    create_take_over_models(create);
    if (r >= 0)
        r = look_at_image(create, err);
    if (r == 0)
        r = look_at_volume(create, info, err);
    if (r == 0)
        r = create_look_at_others(create, err);
    return r;
}
