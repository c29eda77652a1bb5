#include "base/clock.h"
#include "base/text_clean.h"
#include "sense/world_json.h"
#include "sense/world_json_members.h"
#include <stdlib.h>
#include <string.h>

/* What could not be made, for memory was spent, is NULL; jansson sets nothing in it and frees what
 * it was to get. So all is written to the end, and asked there whether something failed. */
struct writer {
    bool failed;
};

static void set(struct writer *w, json_t *object, const char *name, json_t *value)
{
    w->failed |= json_object_set_new_nocheck(object, name, value) < 0;
}

/* The value, which belongs to the object. */
static json_t *set_new(struct writer *w, json_t *object, const char *name, json_t *value)
{
    set(w, object, name, value);
    return json_object_get(object, name);
}

/* A new object appended to the list. */
static json_t *append_object(struct writer *w, json_t *list)
{
    w->failed |= json_array_append_new(list, json_object()) < 0;
    return json_array_get(list, json_array_size(list) - 1);
}

/* A copy in which every byte that is no UTF-8 is '?'; NULL when memory is spent. */
static char *clean_copy(const char *text)
{
    char *copy = strdup(text);
    bool harmless;
    size_t left = copy ? strlen(copy) : 0;
    for (char *at = copy; left > 0;) {
        size_t n = text_character(at, left, &harmless);
        if (n == 0) {
            *at = '?';
            n = 1;
        }
        at += n;
        left -= n;
    }
    return copy;
}

static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    char *clean = clean_copy(text);
    value = json_string(clean);
    free(clean);
    return value;
}

static void set_text(struct writer *w, json_t *object, const char *name, const char *text)
{
    if (text[0] != '\0')
        set(w, object, name, text_value(text));
}

static void set_fact(struct writer *w, json_t *object, const char *name, fact value)
{
    if (value == FACT_NONE)
        set(w, object, name, json_null());
    else if (value >= 0)
        set(w, object, name, json_integer(value));
}

static void set_real(struct writer *w, json_t *object, const char *name, double value)
{
    if (value >= 0) /* NaN is unknown too */
        set(w, object, name, json_real(value));
}

static void set_members(struct writer *w, json_t *object, const struct members *members,
                        const void *from)
{
    for (size_t i = 0; i < members->n; i++) {
        const struct member *m = &members->list[i];
        const void *place = (const char *)from + m->offset;
        switch (m->type) {
        case MEMBER_FACT:
        case MEMBER_LIMIT:
            set_fact(w, object, m->name, *(const fact *)place);
            break;
        case MEMBER_FLAG:
            if (*(const fact *)place >= 0)
                set(w, object, m->name, json_boolean(*(const fact *)place != 0));
            break;
        case MEMBER_REAL:
            set_real(w, object, m->name, *(const double *)place);
            break;
        case MEMBER_TEXT:
        case MEMBER_TOKEN:
            set_text(w, object, m->name, place);
            break;
        }
    }
}

static void set_psi(struct writer *w, json_t *object, const struct psi *psi)
{
    if (psi->some_avg10 >= 0 || psi->full_avg10 >= 0 || psi->some_total_us >= 0 ||
        psi->full_total_us >= 0)
        set_members(w, set_new(w, object, "psi", json_object()), &psi_members, psi);
}

static void set_pairs(struct writer *w, json_t *object, const char *name, const struct pair *pairs,
                      size_t n)
{
    json_t *value = n > 0 ? set_new(w, object, name, json_object()) : NULL;
    for (size_t i = 0; i < n; i++) {
        char *key = clean_copy(pairs[i].key);
        set(w, value, key, text_value(pairs[i].value));
        free(key);
    }
}

static void set_cgroup(struct writer *w, json_t *object, const struct cgroup_memory *memory)
{
    if (memory->version == 0)
        return;
    json_t *value = set_new(w, object, "cgroup", json_object());
    set(w, value, "version", json_integer(memory->version));
    set_members(w, value, &cgroup_members, memory);
    set_psi(w, value, &memory->psi);
}

static void set_ollama(struct writer *w, json_t *object, const struct ollama *ollama)
{
    if (!ollama->asked && !ollama->error[0])
        return;
    json_t *value = set_new(w, object, "ollama", json_object());
    if (ollama->asked)
        set(w, value, "reachable", json_boolean(ollama->reachable));
    if (ollama->foreign)
        set(w, value, "foreign", json_true());
    if (ollama->doubted)
        set(w, value, "doubted", json_true());
    set_members(w, value, &ollama_members, ollama);
    if (ollama->age_ms != 0)
        set_real(w, value, "age_ms", ollama->age_ms);
    if (!ollama->asked || !ollama->reachable)
        return;
    if (ollama->incomplete)
        set(w, value, "incomplete", json_true());
    json_t *models = set_new(w, value, "models", json_array());
    for (size_t i = 0; i < ollama->n_models; i++)
        set_members(w, append_object(w, models), &model_members, &ollama->models[i]);
}

static void set_processes(struct writer *w, json_t *object, const struct container *container)
{
    if (!container->processes_known)
        return;
    json_t *list = set_new(w, object, "processes", json_array());
    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        json_t *process = append_object(w, list);
        set_text(w, process, "state", (char[]){p->state, '\0'});
        set(w, process, "kind", json_string(process_kind_name(p->kind)));
        set_members(w, process, &process_members, p);
    }
}

static void set_container(struct writer *w, json_t *object, const struct container *c)
{
    set_members(w, object, &container_members, c);
    if (c->status != STATUS_UNKNOWN)
        set(w, object, "status", json_string(container_status_name(c->status)));
    if (c->health != HEALTH_UNKNOWN)
        set(w, object, "health", json_string(container_health_name(c->health)));
    if (c->health_probed) {
        set(w, object, "health_exit", json_integer(c->health_exit));
        set_text(w, object, "health_output", c->health_output);
    }
    set(w, object, "mode", json_string(c->mode == MODE_ENFORCE ? "enforce" : "observe"));
    set_pairs(w, object, "labels", c->labels, c->n_labels);
    set_pairs(w, object, "env", c->env, c->n_env);
    set_cgroup(w, object, &c->cgroup);
    set_members(w, object, &container_tail_members, c);
    set_ollama(w, object, &c->ollama);
    set_processes(w, object, c);
}

static void set_gpu(struct writer *w, json_t *object, const struct gpu *gpu)
{
    set(w, object, "index", json_integer(gpu->index));
    set(w, object, "vendor", json_string(gpu_vendor_name(gpu->vendor)));
    set_members(w, object, &gpu_members, gpu);
    set_real(w, object, "utilization", (double)gpu->utilisation_percent);
    set_real(w, object, "watts", (double)gpu->power_mw / 1000);
    json_t *list = gpu->n_processes > 0 ? set_new(w, object, "processes", json_array()) : NULL;
    for (size_t i = 0; i < gpu->n_processes; i++) {
        json_t *process = append_object(w, list);
        set_fact(w, process, "pid", gpu->processes[i].pid);
        set_fact(w, process, "vram", gpu->processes[i].vram);
    }
}

static void set_gpus(struct writer *w, json_t *object, const struct world *world)
{
    if (!world->gpus_known)
        return;
    json_t *list = set_new(w, object, "gpus", json_array());
    set_text(w, object, "gpus_missing", world->gpus_missing);
    for (size_t i = 0; i < world->n_gpus; i++)
        set_gpu(w, append_object(w, list), &world->gpus[i]);
}

json_t *world_to_json(const struct world *world)
{
    struct writer w = {.failed = false};
    json_t *object = json_object();
    char time[48] = "";

    if (world->time_ms >= 0)
        clock_format(world->time_ms, time, sizeof time);
    set(&w, object, "world", json_integer(1));
    set_text(&w, object, "time", time);
    set_real(&w, object, "monotonic", world->monotonic_s);
    json_t *host = set_new(&w, object, "host", json_object());
    set_members(&w, host, &host_members, &world->host);
    set_psi(&w, host, &world->host.psi);
    json_t *containers = set_new(&w, object, "containers", json_array());
    for (size_t i = 0; i < world->n_containers; i++)
        set_container(&w, append_object(&w, containers), &world->containers[i]);
    set_gpus(&w, object, world);
    if (!w.failed)
        return object;
    json_decref(object);
    return NULL;
}
