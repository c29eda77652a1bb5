#include "base/clock.h"
#include "base/text_clean.h"
#include "sense/json_member.h"
#include "sense/world_json.h"
#include "sense/world_json_members.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void copy_text(char *to, size_t size, const char *from)
{
    text_copy(to, size, from);
    text_clean(to);
}

static void get_text(const json_t *object, const char *name, char *to, size_t size)
{
    const char *text = member_string(object, name);
    if (text != NULL)
        copy_text(to, size, text);
}

static fact fact_value(const json_t *value, bool may_be_none)
{
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return json_integer_value(value);
    return may_be_none && json_is_null(value) ? FACT_NONE : FACT_UNKNOWN;
}

/* `unknown` where the member is absent or no number from 0. */
static double get_real(const json_t *object, const char *name, double unknown)
{
    const json_t *value = json_object_get(object, name);
    double number = json_is_number(value) ? json_number_value(value) : -1;
    return number >= 0 ? number : unknown;
}

/* Fills what is there into *to, which is initialised. */
static void get_members(const json_t *object, const struct members *members, void *to)
{
    for (size_t i = 0; i < members->n; i++) {
        const struct member *m = &members->list[i];
        const json_t *value = json_object_get(object, m->name);
        void *place = (char *)to + m->offset;

        if (value == NULL)
            continue;
        switch (m->type) {
        case MEMBER_FACT:
        case MEMBER_LIMIT:
            *(fact *)place = fact_value(value, m->type == MEMBER_LIMIT);
            break;
        case MEMBER_FLAG:
            if (json_is_boolean(value))
                *(fact *)place = json_is_true(value);
            break;
        case MEMBER_REAL:
            if (json_is_number(value) && json_number_value(value) >= 0)
                *(double *)place = json_number_value(value);
            break;
        case MEMBER_TEXT:
        case MEMBER_TOKEN:
            if (json_is_string(value) &&
                (m->type == MEMBER_TEXT || json_string_length(value) < m->size))
                copy_text(place, m->size, json_string_value(value));
            break;
        }
    }
}

static void get_psi(const json_t *object, struct psi *psi)
{
    get_members(json_object_get(object, "psi"), &psi_members, psi);
}

static void get_cgroup(const json_t *object, struct cgroup_memory *memory)
{
    fact version = fact_value(json_object_get(object, "version"), false);

    if (version != 1 && version != 2)
        return;
    memory->version = (int)version;
    get_members(object, &cgroup_members, memory);
    get_psi(object, &memory->psi);
}

/* The functions that allocate return false when memory is spent. */

static bool get_pairs(json_t *object, const char *prefixes[2], struct pair **pairs, size_t *n_pairs)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        if (!json_is_string(value) || *n_pairs >= WORLD_PAIRS_MAX)
            continue;
        if (prefixes != NULL && strncmp(key, prefixes[0], strlen(prefixes[0])) != 0 &&
            strncmp(key, prefixes[1], strlen(prefixes[1])) != 0)
            continue;
        if (pairs_add(pairs, n_pairs, key, json_string_value(value)) < 0)
            return false;
        text_clean((*pairs)[*n_pairs - 1].key);
        text_clean((*pairs)[*n_pairs - 1].value);
    }
    return true;
}

static bool get_ollama(const json_t *object, struct ollama *ollama)
{
    const json_t *reachable = json_object_get(object, "reachable");
    const json_t *models = json_object_get(object, "models");
    size_t i;
    json_t *value;

    if (!json_is_boolean(reachable) || (json_is_true(reachable) && !json_is_array(models)))
        return true; /* without its models an answer would claim that there are none */
    ollama->asked = true;
    ollama->reachable = json_is_true(reachable);
    ollama->incomplete = json_is_true(json_object_get(object, "incomplete"));
    ollama->foreign = json_is_true(json_object_get(object, "foreign"));
    ollama->doubted = json_is_true(json_object_get(object, "doubted"));
    get_members(object, &ollama_members, ollama);
    ollama->age_ms = get_real(object, "age_ms", 0);
    json_array_foreach(models, i, value)
    {
        if (i >= WORLD_MODELS_MAX)
            break;
        struct model *model = ollama_add_model(ollama); /* a foreign element is a model too */
        if (model == NULL)
            return false;
        get_members(value, &model_members, model);
    }
    return true;
}

static bool get_processes(const json_t *list, struct container *container)
{
    size_t i;
    json_t *value;

    if (!json_is_array(list) || json_array_size(list) > WORLD_PROCESSES_MAX)
        return true;
    json_array_foreach(list, i, value)
    {
        struct process *process = container_add_process(container);
        if (process == NULL)
            return false;
        get_members(value, &process_members, process);
        process->kind = process_kind_parse(member_string_or(value, "kind", ""));
        const char *state = member_string_or(value, "state", "");
        process->state = (unsigned char)state[0] < 0x80 ? state[0] : '\0';
        if (process->pid < 0) { /* a list that leaves one out would claim that it ended */
            container->n_processes = 0;
            return true;
        }
    }
    container->processes_known = true;
    return true;
}

static bool get_container(const json_t *object, struct container *c)
{
    static const char *env_prefixes[] = {"OLLAMA_", "LLAMA_ARG_"};
    const json_t *value;

    get_members(object, &container_members, c);
    get_members(object, &container_tail_members, c);
    c->status = container_status_parse(member_string_or(object, "status", ""));
    c->health = container_health_parse(member_string_or(object, "health", ""));
    if (json_is_integer(value = json_object_get(object, "health_exit")) &&
        llabs(json_integer_value(value)) <= INT_MAX) {
        c->health_probed = true;
        c->health_exit = (int)json_integer_value(value);
        get_text(object, "health_output", c->health_output, sizeof c->health_output);
    }
    bool enforces = strcmp(member_string_or(object, "mode", ""), "enforce") == 0;
    c->mode = enforces ? MODE_ENFORCE : MODE_OBSERVE;
    get_cgroup(json_object_get(object, "cgroup"), &c->cgroup);
    return get_ollama(json_object_get(object, "ollama"), &c->ollama) &&
           get_processes(json_object_get(object, "processes"), c) &&
           get_pairs(json_object_get(object, "labels"), NULL, &c->labels, &c->n_labels) &&
           get_pairs(json_object_get(object, "env"), env_prefixes, &c->env, &c->n_env);
}

static void get_gpu(const json_t *object, struct gpu *gpu)
{
    const json_t *value;
    fact index = fact_value(json_object_get(object, "index"), false);
    double utilization = get_real(object, "utilization", -1), watts = get_real(object, "watts", -1);
    size_t i;

    gpu->index = index >= 0 && index <= UINT16_MAX ? (unsigned)index : 0;
    if (strcmp(member_string_or(object, "vendor", ""), "amd") == 0)
        gpu->vendor = GPU_AMD;
    get_members(object, &gpu_members, gpu);
    if (utilization >= 0 && utilization <= 100)
        gpu->utilisation_percent = (fact)utilization;
    if (watts >= 0 && watts < 1e6)
        gpu->power_mw = (fact)(watts * 1000 + 0.5);
    json_array_foreach(json_object_get(object, "processes"), i, value)
    {
        struct gpu_process process = {fact_value(json_object_get(value, "pid"), false),
                                      fact_value(json_object_get(value, "vram"), false)};
        if (process.pid >= 0 && gpu->n_processes < GPU_PROCESSES_MAX)
            gpu->processes[gpu->n_processes++] = process;
    }
}

static bool get_gpus(const json_t *object, struct world *world)
{
    const json_t *list = json_object_get(object, "gpus"), *value;
    size_t i;

    world->n_gpus = 0;
    world->gpus_missing[0] = '\0';
    world->gpus_known = json_is_array(list);
    get_text(object, "gpus_missing", world->gpus_missing, sizeof world->gpus_missing);
    json_array_foreach(list, i, value)
    {
        struct gpu *gpu = NULL;
        if (!json_is_object(value))
            continue;
        if (world->n_gpus >= GPUS_MAX)
            break;
        if ((gpu = world_add_gpu(world)) == NULL)
            return false;
        get_gpu(value, gpu);
    }
    return true;
}

static bool get_world(const json_t *object, double monotonic_s, struct world *world)
{
    const json_t *containers = json_object_get(object, "containers");
    const json_t *time = json_object_get(object, "time"), *host = json_object_get(object, "host");
    size_t i, n = 0;
    json_t *value;

    world->monotonic_s = monotonic_s;
    world->time_ms = -1;
    if (json_is_string(time) &&
        (clock_parse(json_string_value(time), &world->time_ms) < 0 || world->time_ms < 0))
        world->time_ms = -1;
    host_init(&world->host);
    get_members(host, &host_members, &world->host);
    get_psi(host, &world->host.psi);
    json_array_foreach(containers, i, value)
    {
        if (!json_is_object(value))
            continue;
        if (n < world->n_containers)
            container_reset(&world->containers[n]);
        else if (n >= WORLD_CONTAINERS_MAX)
            break;
        else if (world_add_container(world) == NULL)
            return false;
        if (!get_container(value, &world->containers[n++]))
            return false;
    }
    while (world->n_containers > n)
        container_clear(&world->containers[--world->n_containers]);
    return get_gpus(object, world);
}

enum world_line world_from_tree(const json_t *object, struct world *ret_world, char *ret_event,
                                size_t event_size)
{
    const json_t *number = json_object_get(object, "world");
    const json_t *event = json_object_get(object, "event");
    double monotonic_s = get_real(object, "monotonic", -1);

    if (json_is_integer(number)) {
        if (json_integer_value(number) != 1 || monotonic_s < 0)
            return WORLD_LINE_FOREIGN;
        if (get_world(object, monotonic_s, ret_world))
            return WORLD_LINE_WORLD;
        world_clear(ret_world);
    } else if (json_is_string(event)) {
        if (ret_event != NULL && event_size > 0)
            copy_text(ret_event, event_size, json_string_value(event));
        return WORLD_LINE_EVENT;
    }
    return WORLD_LINE_FOREIGN;
}

enum world_line world_from_json(const char *line, size_t length, struct world *ret_world,
                                char *ret_event, size_t event_size)
{
    CLEANUP_JSON json_t *object =
        length <= WORLD_LINE_MAX ? json_loadb(line, length, 0, NULL) : NULL;
    return world_from_tree(object, ret_world, ret_event, event_size);
}
