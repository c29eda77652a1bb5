#include "worlds.h"
#include "judge/kinds.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The world's clocks when the scene begins: neither is 0, and they do not agree. */
static const double origin_s = 5000;
static const int64_t wall_origin_ms = INT64_C(1795232907000);

/* A test cannot go on without its scene. */
static void must(bool well, const char *what)
{
    if (!well) {
        fprintf(stderr, "scene: %s\n", what);
        abort();
    }
}

static void apply_settings(struct config *config, const char *settings)
{
    struct error err = {0};
    char list[512];
    snprintf(list, sizeof list, "%s", settings ? settings : "");
    for (char *at = list, *one; (one = strsep(&at, " ")) != NULL;)
        if (*one && config_set(config, one, ORIGIN_COMMAND_LINE, &err) < 0)
            must(false, err.message);
}

void scene_begin(struct scene *scene, const char *settings)
{
    struct error err = {0};
    *scene = (struct scene){.interval_s = 1, .cpu_percent = 0.2, .received_per_s = 50};
    must(config_new(&scene->config, &err) == 0, err.message);
    apply_settings(scene->config, settings);
    must(judge_new(scene->config, &scene->judge) == 0, "no memory");
    struct world *w = &scene->world;
    world_init(w);
    w->host.cpus = 4;
    w->host.total = 32 * GIB;
    w->host.available = 30 * GIB;
    w->host.swap_total = 4 * GIB;
    w->host.swap_used = 0;
    struct container *c = world_add_container(w);
    must(c != NULL, "no memory");
    memset(c->id, 'a', sizeof c->id - 1);
    snprintf(c->name, sizeof c->name, "ollama");
    snprintf(c->image, sizeof c->image, "ollama/ollama:0.33.0");
    snprintf(c->started_at, sizeof c->started_at, "2026-11-21T02:48:27.123456789Z");
    c->status = STATUS_RUNNING;
    c->mode = MODE_ENFORCE;
    c->pid = SERVE_PID;
    c->uptime_s = 3600;
    c->received = 1000;
    c->processes_known = true;
    c->cgroup.version = 2;
    c->cgroup.inode = 7;
    c->cgroup.anon = 10 * MIB;
    c->cgroup.file = c->cgroup.shmem = c->cgroup.swap = c->cgroup.swapcached = 0;
    c->cgroup.inactive_file = 0;
    c->cgroup.kernel = 1 * MIB;
    c->cgroup.limit = 8 * GIB;
    c->cgroup.swap_limit = 0;
    c->cgroup.high = FACT_NONE;
    c->cgroup.cpu_us = 250000;
    c->cgroup.disk_read = c->cgroup.frozen = 0;
    scene_add_process(scene, SERVE_PID, PROCESS_SERVE, 0)->rss_anon = 10 * MIB;
    scene_serve(scene)->ppid = 1;
    scene_serve(scene)->rss_file = 24 * MIB;
    c->ollama.asked = c->ollama.reachable = true;
}

void scene_end(struct scene *scene)
{
    judge_free(scene->judge);
    config_free(scene->config);
    judgement_clear(&scene->judgement);
    world_clear(&scene->world);
}

struct container *scene_container(struct scene *scene)
{
    return &scene->world.containers[0];
}

struct process *scene_process(struct scene *scene, fact pid)
{
    struct container *c = scene_container(scene);
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].pid == pid)
            return &c->processes[i];
    return NULL;
}

struct process *scene_serve(struct scene *scene)
{
    struct process *p = scene_process(scene, SERVE_PID);
    must(p != NULL, "no server");
    return p;
}

struct process *scene_add_process(struct scene *scene, fact pid, enum process_kind kind, fact anon)
{
    struct process *p = container_add_process(scene_container(scene));
    must(p != NULL, "no memory");
    p->pid = pid;
    p->ppid = SERVE_PID;
    p->started_us = (fact)((origin_s + scene->now_s) * 1e6) + pid;
    p->state = 'S';
    p->kind = kind;
    snprintf(p->comm, sizeof p->comm, "%s", kind == PROCESS_RUNNER ? "llama-server" : "ollama");
    p->cpu_us = 0;
    p->rss_anon = anon;
    p->rss_file = p->swap = 0;
    scene_container(scene)->cgroup.anon += anon;
    return p;
}

struct process *scene_add_runner(struct scene *scene, fact pid, const char *blob)
{
    struct process *p = scene_add_process(scene, pid, PROCESS_RUNNER, 400 * MIB);
    p->rss_file = 200 * MIB;
    p->port = 40000 + pid;
    snprintf(p->blob, sizeof p->blob, "%s", blob);
    return p;
}

void scene_remove_process(struct scene *scene, fact pid)
{
    struct container *c = scene_container(scene);
    struct process *p = scene_process(scene, pid);
    must(p != NULL, "no such process");
    c->cgroup.anon -= process_held(p);
    *p = c->processes[--c->n_processes];
}

void scene_list(struct scene *scene, const char *name, const char *blob)
{
    must(scene->n_models < SCENE_MODELS_MAX, "too many models");
    struct model *m = &scene->models[scene->n_models++];
    *m = (struct model){.size = 600 * MIB, .size_vram = 0, .context_length = 2048};
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(m->blob, sizeof m->blob, "%s", blob);
}

void scene_unlist(struct scene *scene, const char *name)
{
    for (size_t i = 0; i < scene->n_models; i++)
        if (!strcmp(scene->models[i].name, name)) {
            scene->models[i] = scene->models[--scene->n_models];
            return;
        }
    must(false, "no such model");
}

void scene_leak(struct scene *scene, fact bytes)
{
    scene_serve(scene)->rss_anon += bytes;
    scene_container(scene)->cgroup.anon += bytes;
}

static void ask(struct scene *scene)
{
    struct ollama *o = &scene_container(scene)->ollama;
    if (scene->silent)
        return;
    if (scene->poll_s <= 0 || scene->now_s - scene->asked_s >= scene->poll_s - 1e-9) {
        scene->asked_s = scene->now_s;
        o->n_models = 0;
        for (size_t i = 0; i < scene->n_models; i++) {
            struct model *m = ollama_add_model(o);
            if (!m)
                abort();
            *m = scene->models[i];
        }
    }
    o->age_ms = (scene->now_s - scene->asked_s) * 1000;
}

void scene_look(struct scene *scene)
{
    struct container *c = scene_container(scene);
    const struct assessment *a = scene_assessment(scene);
    bool read =
        (scene->connections_always || (a && a->wants_connections)) && !scene->connections_never;
    scene->world.monotonic_s = origin_s + scene->now_s;
    scene->world.time_ms =
        wall_origin_ms + scene->wall_offset_ms + (int64_t)(scene->now_s * 1000 + 0.5);
    c->connections = read ? scene->connections : FACT_UNKNOWN;
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_RUNNER)
            c->processes[i].clients = read ? scene->clients : FACT_UNKNOWN;
    ask(scene);
    struct container kept;
    struct host kept_host = scene->world.host;
    must(!scene->change || container_copy(&kept, c) == 0, "no memory");
    if (scene->change)
        scene->change(scene);
    must(judge_look(scene->judge, &scene->world, &scene->judgement) == 0, "no memory");
    for (size_t i = 0; i < scene->judgement.n_verdicts; i++) {
        const struct verdict *v = &scene->judgement.verdicts[i];
        must(kind_allows(v->kind, v->remedy), "a remedy that its kind may not have");
        for (size_t k = 0; k < v->n_evidence; k++)
            must(kind_shows(v->kind, v->evidence[k].name), v->evidence[k].name);
    }
    char text[256];
    for (enum verdict_kind k = 0; k < VERDICT_KINDS && c->status == STATUS_RUNNING; k++) {
        const struct assessment *said = scene_assessment(scene);
        bool stands =
            judgement_find(&scene->judgement, c->id, k) || judgement_find(&scene->judgement, "", k);
        must(stands != (*why_not(said, k, text, sizeof text) != '\0'), verdict_kind_name(k));
    }
    if (scene->change) {
        container_clear(c);
        *c = kept;
        scene->world.host = kept_host;
    }
}

void scene_pass(struct scene *scene, double seconds)
{
    struct container *c = scene_container(scene);
    scene->now_s += seconds;
    if (fact_known(c->cgroup.cpu_us))
        c->cgroup.cpu_us += (fact)(scene->cpu_percent * 1e4 * seconds);
    if (fact_known(c->received))
        c->received += (fact)(scene->received_per_s * seconds);
    scene_look(scene);
}

void scene_step(struct scene *scene, size_t n)
{
    for (size_t i = 0; i < n; i++)
        scene_pass(scene, scene->interval_s);
}

const struct verdict *scene_verdict(const struct scene *scene, enum verdict_kind kind)
{
    for (size_t i = 0; i < scene->judgement.n_verdicts; i++)
        if (scene->judgement.verdicts[i].kind == kind)
            return &scene->judgement.verdicts[i];
    return NULL;
}

bool scene_raised(const struct scene *scene, enum verdict_kind kind)
{
    const struct verdict *v = scene_verdict(scene, kind);
    return v && v->state == VERDICT_RAISED;
}

bool scene_acts(const struct scene *scene)
{
    for (size_t i = 0; i < scene->judgement.n_verdicts; i++)
        if (scene->judgement.verdicts[i].state == VERDICT_RAISED &&
            scene->judgement.verdicts[i].remedy != REMEDY_NONE)
            return true;
    return false;
}

const struct assessment *scene_assessment(const struct scene *scene)
{
    return scene->judgement.n_assessments ? &scene->judgement.assessments[0] : NULL;
}

double scene_until_raised(struct scene *scene, enum verdict_kind kind, double max_s)
{
    double end_s = scene->now_s + max_s;
    while (!scene_raised(scene, kind)) {
        if (scene->now_s >= end_s)
            return -1;
        scene_step(scene, 1);
    }
    return scene->now_s;
}

bool scene_never_raised(struct scene *scene, enum verdict_kind kind, double seconds)
{
    for (double end_s = scene->now_s + seconds; scene->now_s < end_s;) {
        scene_step(scene, 1);
        if (scene_raised(scene, kind))
            return false;
    }
    return true;
}
