/* The world's memory: made unknown, grown, copied, freed. What is derived from it is in held.c. */
#include "sense/world.h"
#include "base/grow.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void psi_init(struct psi *psi)
{
    *psi = (struct psi){-1, -1, FACT_UNKNOWN, FACT_UNKNOWN};
}

void host_init(struct host *host)
{
    host->cpus = host->total = host->available = FACT_UNKNOWN;
    host->swap_total = host->swap_used = FACT_UNKNOWN;
    psi_init(&host->psi);
}

void cgroup_memory_init(struct cgroup_memory *memory)
{
    memory->version = 0;
    memory->inode = memory->anon = memory->file = memory->shmem = FACT_UNKNOWN;
    memory->kernel = memory->swap = memory->swapcached = memory->inactive_file = FACT_UNKNOWN;
    memory->usage = memory->peak = memory->limit = memory->swap_limit = FACT_UNKNOWN;
    memory->high = memory->oom_kills = memory->cpu_us = memory->bound = FACT_UNKNOWN;
    memory->disk_read = memory->frozen = FACT_UNKNOWN;
    psi_init(&memory->psi);
}

void process_init(struct process *process)
{
    memset(process, 0, sizeof *process);
    process->pid = process->ns_pid = process->ppid = process->started_us = FACT_UNKNOWN;
    process->port = process->cpu_us = process->clients = FACT_UNKNOWN;
    process->rss_anon = process->rss_file = process->swap = FACT_UNKNOWN;
}

static void model_init(struct model *model)
{
    memset(model, 0, sizeof *model);
    model->size = model->size_vram = model->context_length = model->parameters = FACT_UNKNOWN;
    model->shape = SHAPE_UNKNOWN;
}

static void ollama_init(struct ollama *ollama)
{
    memset(ollama, 0, sizeof *ollama);
    ollama->latency_ms = -1;
    ollama->server = FACT_UNKNOWN;
}

void container_init(struct container *container)
{
    memset(container, 0, sizeof *container);
    container->restart_count = container->exit_code = container->pid = FACT_UNKNOWN;
    container->oom_killed = container->auto_remove = container->swarm_task = FACT_UNKNOWN;
    container->baseline = container->connections = container->received = container->unread =
        FACT_UNKNOWN;
    container->uptime_s = container->age_s = -1;
    cgroup_memory_init(&container->cgroup);
    ollama_init(&container->ollama);
}

void world_init(struct world *world)
{
    memset(world, 0, sizeof *world);
    world->monotonic_s = -1;
    world->time_ms = -1;
    host_init(&world->host);
}

void pairs_clear(struct pair **pairs, size_t *n_pairs)
{
    for (size_t i = 0; i < *n_pairs; i++)
        free((*pairs)[i].key); /* the value lies in the same block */
    free(*pairs);
    *pairs = NULL;
    *n_pairs = 0;
}

void ollama_clear(struct ollama *ollama)
{
    free(ollama->models);
    ollama_init(ollama);
}

void container_clear(struct container *container)
{
    pairs_clear(&container->labels, &container->n_labels);
    pairs_clear(&container->env, &container->n_env);
    free(container->processes);
    ollama_clear(&container->ollama);
    container_init(container);
}

void container_reset(struct container *container)
{
    struct process *processes = container->processes;
    struct model *models = container->ollama.models;
    size_t processes_room = container->processes_room, models_room = container->ollama.models_room;

    pairs_clear(&container->labels, &container->n_labels);
    pairs_clear(&container->env, &container->n_env);
    container_init(container);
    container->processes = processes;
    container->processes_room = processes_room;
    container->ollama.models = models;
    container->ollama.models_room = models_room;
}

void world_clear(struct world *world)
{
    for (size_t i = 0; i < world->n_containers; i++)
        container_clear(&world->containers[i]);
    free(world->containers);
    free(world->gpus);
    world_init(world);
}

/* One element more of `size` bytes in the array whose pointer lies at `place`, with room that
 * doubles, up to max. NULL: memory or cap spent; then nothing was changed. */
static void *append(void *place, size_t *n, size_t *room, size_t max, size_t size)
{
    char *array;
    memcpy(&array, place, sizeof array);
    if (*n >= *room) {
        size_t wanted = *n < 2 ? 4 : *n * 2;
        wanted = wanted < max ? wanted : max;
        array = *n < max ? realloc(array, wanted * size) : NULL;
        if (array == NULL)
            return NULL;
        memcpy(place, &array, sizeof array);
        *room = wanted;
    }
    return array + (*n)++ * size;
}

struct container *world_add_container(struct world *world)
{
    struct container *added = append(&world->containers, &world->n_containers,
                                     &world->containers_room, WORLD_CONTAINERS_MAX, sizeof *added);
    if (added != NULL)
        container_init(added);
    return added;
}

struct process *container_add_process(struct container *container)
{
    struct process *added = append(&container->processes, &container->n_processes,
                                   &container->processes_room, WORLD_PROCESSES_MAX, sizeof *added);
    if (added != NULL)
        process_init(added);
    return added;
}

struct model *ollama_add_model(struct ollama *ollama)
{
    struct model *added = append(&ollama->models, &ollama->n_models, &ollama->models_room,
                                 WORLD_MODELS_MAX, sizeof *added);
    if (added != NULL)
        model_init(added);
    return added;
}

struct gpu *world_add_gpu(struct world *world)
{
    struct gpu *added =
        append(&world->gpus, &world->n_gpus, &world->gpus_room, GPUS_MAX, sizeof *added);
    if (added != NULL)
        gpu_init(added);
    return added;
}

int pairs_add(struct pair **pairs, size_t *n_pairs, const char *key, const char *value)
{
    size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;

    if (*n_pairs >= WORLD_PAIRS_MAX)
        return -E2BIG;
    char *block = malloc(key_size + value_size);
    if (block == NULL)
        return -ENOMEM;
    struct pair *added = array_more(pairs, n_pairs, WORLD_PAIRS_MAX, sizeof *added);
    if (added == NULL) {
        free(block);
        return -ENOMEM;
    }
    memcpy(block, key, key_size);
    memcpy(block + key_size, value, value_size);
    added->key = block;
    added->value = block + key_size;
    return 0;
}

static int pairs_copy(struct pair **pairs, size_t *n_pairs, const struct pair *from, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = pairs_add(pairs, n_pairs, from[i].key, from[i].value);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A block of its own with n elements; NULL for none or when memory is spent. */
static void *array_copy(const void *from, size_t n, size_t size)
{
    void *copy = n > 0 ? malloc(n * size) : NULL;
    if (copy != NULL)
        memcpy(copy, from, n * size);
    return copy;
}

int ollama_copy(struct ollama *copy, const struct ollama *from)
{
    struct ollama made = *from;

    made.models = array_copy(from->models, from->n_models, sizeof *from->models);
    made.models_room = from->n_models;
    if (made.models == NULL && from->n_models > 0) {
        ollama_init(copy);
        return -ENOMEM;
    }
    *copy = made;
    return 0;
}

int container_copy(struct container *copy, const struct container *from)
{
    struct container made = *from;

    made.labels = made.env = NULL;
    made.n_labels = made.n_env = 0;
    made.processes = array_copy(from->processes, from->n_processes, sizeof *from->processes);
    made.processes_room = from->n_processes;
    int r = ollama_copy(&made.ollama, &from->ollama);
    if (r == 0 && made.processes == NULL && from->n_processes > 0)
        r = -ENOMEM;
    if (r == 0)
        r = pairs_copy(&made.labels, &made.n_labels, from->labels, from->n_labels);
    if (r == 0)
        r = pairs_copy(&made.env, &made.n_env, from->env, from->n_env);
    if (r < 0) {
        container_clear(&made);
        container_init(copy);
        return -ENOMEM;
    }
    *copy = made;
    return 0;
}

const char *pairs_get(const struct pair *pairs, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    return NULL;
}

const char *container_label(const struct container *container, const char *key)
{
    return pairs_get(container->labels, container->n_labels, key);
}

bool container_is_kept(const struct container *container)
{
    static const char *const suffixes[] = {REPLACED_SUFFIX, KEPT_SUFFIX};
    size_t length = strlen(container->name);
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        size_t n = strlen(suffixes[i]);
        if (length > n && strcmp(container->name + length - n, suffixes[i]) == 0)
            return true;
    }
    return false;
}

bool container_is_ollama(const struct container *container)
{
    const char *kind = container_label(container, "supervisor.kind");
    return kind == NULL || strcmp(kind, "ollama") == 0;
}

const char *container_env(const struct container *container, const char *key)
{
    return pairs_get(container->env, container->n_env, key);
}

const struct container *world_container(const struct world *world, const char *id)
{
    for (size_t i = 0; i < world->n_containers; i++)
        if (!strcmp(world->containers[i].id, id))
            return &world->containers[i];
    return NULL;
}

const struct model *ollama_model(const struct ollama *ollama, const char *name)
{
    for (size_t i = 0; i < ollama->n_models; i++)
        if (!strcmp(ollama->models[i].name, name))
            return &ollama->models[i];
    return NULL;
}
