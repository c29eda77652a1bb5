#include "base/clock.h"
#include "sense/world_json.h"
#include "sense/world_json_members.h"
#include <stdlib.h>
#include <string.h>

/* All functions that fill an object return false when memory is spent. */

static bool set(json_t *object, const char *name, json_t *value) /* takes over value */
{
    return json_object_set_new_nocheck(object, name, value) == 0;
}

/* Bytes of the UTF-8 character at text, 0 if there is none (RFC 3629: no overlong form, no
 * surrogate, nothing above U+10FFFF). */
static size_t utf8_length(const unsigned char *text)
{
    unsigned lead = text[0], low = 0x80, high = 0xBF;
    size_t n = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;

    if (n < 2 || lead > 0xF4)
        return n < 2 ? n : 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    for (size_t i = 1; i < n; i++) {
        if (text[i] < low || text[i] > high)
            return 0;
        low = 0x80, high = 0xBF;
    }
    return n;
}

/* A copy in which every foreign byte is '?'; NULL when memory is spent. */
static char *clean_copy(const char *text)
{
    char *copy = strdup(text);

    for (char *at = copy; at != NULL && *at != '\0';) {
        size_t n = utf8_length((const unsigned char *)at);
        if (n == 0)
            *at = '?';
        at += n == 0 ? 1 : n;
    }
    return copy;
}

static json_t *text_value(const char *text)
{
    json_t *value = json_string(text);
    if (value != NULL)
        return value;
    char *clean = clean_copy(text);
    value = clean != NULL ? json_string(clean) : NULL;
    free(clean);
    return value;
}

static bool set_text(json_t *object, const char *name, const char *text)
{
    return text[0] == '\0' || set(object, name, text_value(text));
}

static bool set_fact(json_t *object, const char *name, fact value)
{
    if (value == FACT_NONE)
        return set(object, name, json_null());
    return value < 0 || set(object, name, json_integer(value));
}

static bool set_real(json_t *object, const char *name, double value)
{
    return !(value >= 0) || set(object, name, json_real(value)); /* NaN is unknown too */
}

static bool set_members(json_t *object, const struct members *members, const void *from)
{
    for (size_t i = 0; i < members->n; i++) {
        const struct member *m = &members->list[i];
        const char *place = (const char *)from + m->offset;
        bool done = true;

        switch (m->type) {
        case MEMBER_FACT:
        case MEMBER_LIMIT:
            done = set_fact(object, m->name, *(const fact *)(const void *)place);
            break;
        case MEMBER_FLAG: {
            fact flag = *(const fact *)(const void *)place;
            done = flag < 0 || set(object, m->name, json_boolean(flag != 0));
            break;
        }
        case MEMBER_REAL:
            done = set_real(object, m->name, *(const double *)(const void *)place);
            break;
        case MEMBER_TEXT:
        case MEMBER_TOKEN:
            done = set_text(object, m->name, place);
            break;
        }
        if (!done)
            return false;
    }
    return true;
}

static bool set_psi(json_t *object, const struct psi *psi)
{
    if (!(psi->some_avg10 >= 0) && !(psi->full_avg10 >= 0) && psi->some_total_us < 0 &&
        psi->full_total_us < 0)
        return true;
    json_t *value = json_object();
    return set(object, "psi", value) && set_members(value, &psi_members, psi);
}

static bool set_pairs(json_t *object, const char *name, const struct pair *pairs, size_t n)
{
    json_t *value = n > 0 ? json_object() : NULL;

    if (n == 0)
        return true;
    if (!set(object, name, value))
        return false;
    for (size_t i = 0; i < n; i++) {
        char *key = clean_copy(pairs[i].key);
        bool done = key != NULL && set(value, key, text_value(pairs[i].value));
        free(key);
        if (!done)
            return false;
    }
    return true;
}

static bool set_cgroup(json_t *object, const struct cgroup_memory *memory)
{
    if (memory->version == 0)
        return true;
    json_t *value = json_object();
    return set(object, "cgroup", value) && set(value, "version", json_integer(memory->version)) &&
           set_members(value, &cgroup_members, memory) && set_psi(value, &memory->psi);
}

/* A new object appended to the list; NULL when memory is spent. */
static json_t *append_object(json_t *list)
{
    return json_array_append_new(list, json_object()) == 0
               ? json_array_get(list, json_array_size(list) - 1)
               : NULL;
}

static bool set_ollama(json_t *object, const struct ollama *ollama)
{
    if (!ollama->asked && !ollama->error[0])
        return true;
    json_t *value = json_object();
    if (!set(object, "ollama", value) ||
        (ollama->asked && !set(value, "reachable", json_boolean(ollama->reachable))) ||
        !set_text(value, "version", ollama->version) || !set_text(value, "error", ollama->error) ||
        (ollama->foreign && !set(value, "foreign", json_true())) ||
        (ollama->server > 0 && !set(value, "server", json_integer(ollama->server))) ||
        !set_real(value, "latency_ms", ollama->latency_ms) ||
        (ollama->age_ms != 0 && !set_real(value, "age_ms", ollama->age_ms)))
        return false;
    if (!ollama->asked || !ollama->reachable)
        return true;
    if (ollama->incomplete && !set(value, "incomplete", json_true()))
        return false;
    json_t *models = json_array();
    if (!set(value, "models", models))
        return false;
    for (size_t i = 0; i < ollama->n_models; i++) {
        json_t *model = append_object(models);
        if (model == NULL || !set_members(model, &model_members, &ollama->models[i]))
            return false;
    }
    return true;
}

static bool set_processes(json_t *object, const struct container *container)
{
    if (!container->processes_known)
        return true;
    json_t *list = json_array();
    if (!set(object, "processes", list))
        return false;
    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        json_t *process = append_object(list);
        if (process == NULL || !set_text(process, "state", (char[]){p->state, '\0'}) ||
            !set(process, "kind", json_string(process_kind_name(p->kind))) ||
            !set_members(process, &process_members, p))
            return false;
    }
    return true;
}

static bool set_container(json_t *object, const struct container *c)
{
    return set_members(object, &container_members, c) &&
           (c->status == STATUS_UNKNOWN ||
            set(object, "status", json_string(container_status_name(c->status)))) &&
           (c->health == HEALTH_UNKNOWN ||
            set(object, "health", json_string(container_health_name(c->health)))) &&
           (!c->health_probed || (set(object, "health_exit", json_integer(c->health_exit)) &&
                                  set_text(object, "health_output", c->health_output))) &&
           set(object, "mode", json_string(c->mode == MODE_ENFORCE ? "enforce" : "observe")) &&
           set_pairs(object, "labels", c->labels, c->n_labels) &&
           set_pairs(object, "env", c->env, c->n_env) && set_cgroup(object, &c->cgroup) &&
           set_members(object, &container_tail_members, c) && set_ollama(object, &c->ollama) &&
           set_processes(object, c);
}

static bool set_gpu(json_t *object, const struct gpu *gpu)
{
    if (!set(object, "index", json_integer(gpu->index)) ||
        !set(object, "vendor", json_string(gpu_vendor_name(gpu->vendor))) ||
        !set_members(object, &gpu_members, gpu) ||
        !set_real(object, "utilization", (double)gpu->utilisation_percent) ||
        !set_real(object, "watts", (double)gpu->power_mw / 1000))
        return false;
    if (gpu->n_processes == 0)
        return true;
    json_t *list = json_array();
    if (!set(object, "processes", list))
        return false;
    for (size_t i = 0; i < gpu->n_processes; i++) {
        json_t *process = append_object(list);
        if (process == NULL || !set_fact(process, "pid", gpu->processes[i].pid) ||
            !set_fact(process, "vram", gpu->processes[i].vram))
            return false;
    }
    return true;
}

static bool set_gpus(json_t *object, const struct world *world)
{
    if (!world->gpus_known)
        return true;
    json_t *list = json_array();
    if (!set(object, "gpus", list) || !set_text(object, "gpus_missing", world->gpus_missing))
        return false;
    for (size_t i = 0; i < world->n_gpus; i++) {
        json_t *gpu = append_object(list);
        if (gpu == NULL || !set_gpu(gpu, &world->gpus[i]))
            return false;
    }
    return true;
}

static bool set_world(json_t *object, const struct world *world)
{
    json_t *host = json_object(), *containers = NULL;
    char time[48] = "";

    if (world->time_ms >= 0)
        clock_format(world->time_ms, time, sizeof time);
    if (!set(object, "world", json_integer(1)) || !set_text(object, "time", time) ||
        !set_real(object, "monotonic", world->monotonic_s)) {
        json_decref(host);
        return false;
    }
    if (!set(object, "host", host) || !set_members(host, &host_members, &world->host) ||
        !set_psi(host, &world->host.psi))
        return false;
    containers = json_array();
    if (!set(object, "containers", containers))
        return false;
    for (size_t i = 0; i < world->n_containers; i++) {
        json_t *container = append_object(containers);
        if (container == NULL || !set_container(container, &world->containers[i]))
            return false;
    }
    return set_gpus(object, world);
}

json_t *world_to_json(const struct world *world)
{
    json_t *object = json_object();

    if (object != NULL && set_world(object, world))
        return object;
    json_decref(object);
    return NULL;
}
