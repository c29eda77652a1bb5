#include "pressure_case.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORKERS_MAX = 16 };
static char workers[WORKERS_MAX][32]; /* blobs of the runners that work */
static size_t n_workers;
static fact next_pid;

static void must(bool well)
{
    if (!well)
        abort();
}

static void name_it(struct container *c, size_t at)
{
    memset(c->id, 'a' + (int)at, sizeof c->id - 1);
    snprintf(c->name, sizeof c->name, "%c", 'a' + (int)at);
    c->auto_remove = c->swarm_task = 0;
}

void pressure_begin(struct scene *s, const char *settings)
{
    scene_begin(s, settings);
    s->silent = true;
    n_workers = 0;
    next_pid = 200;
    name_it(scene_container(s), 0);
    scene_container(s)->cgroup.limit = FACT_NONE;
    pressure_use(s, 20);
}

struct container *pressure_container(struct scene *s, size_t at)
{
    return &s->world.containers[at];
}

struct container *pressure_add(struct scene *s)
{
    struct container copy, *c;
    must(container_copy(&copy, pressure_container(s, 0)) == 0);
    must((c = world_add_container(&s->world)) != NULL);
    container_clear(c);
    *c = copy;
    name_it(c, s->world.n_containers - 1);
    c->ollama.n_models = 0;
    c->cgroup.inode = (fact)(10 + s->world.n_containers);
    c->cgroup.anon = 10 * MIB;
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_SERVE)
            c->processes[0] = c->processes[i];
    c->n_processes = 1;
    c->pid = c->processes[0].pid = SERVE_PID + (fact)s->world.n_containers;
    return c;
}

void pressure_label(struct scene *s, size_t at, const char *key, const char *value)
{
    struct container *c = pressure_container(s, at);
    must(pairs_add(&c->labels, &c->n_labels, key, value) == 0);
}

void pressure_load(struct scene *s, size_t at, const char *model, fact size)
{
    struct container *c = pressure_container(s, at);
    struct model *m = ollama_add_model(&c->ollama);
    struct process *p = container_add_process(c);
    must(m && p);
    m->size = size;
    m->size_vram = 0;
    snprintf(m->name, sizeof m->name, "%s", model);
    snprintf(m->expires_at, sizeof m->expires_at, "2026-11-21T03:53:27Z"); /* used at the start */
    snprintf(m->blob, sizeof m->blob, "sha256-%.20s", model);
    memcpy(p->blob, m->blob, sizeof p->blob);
    p->pid = next_pid++;
    p->ppid = c->pid;
    p->started_us = 1000; /* long ago */
    p->state = 'S';
    p->kind = PROCESS_RUNNER;
    p->cpu_us = p->rss_file = p->swap = 0;
    p->rss_anon = size;
    c->cgroup.anon += size;
}

void pressure_unload(struct scene *s, size_t at, const char *model)
{
    struct container *c = pressure_container(s, at);
    char blob[32];
    snprintf(blob, sizeof blob, "sha256-%.20s", model);
    for (size_t i = 0; i < c->ollama.n_models; i++)
        if (!strcmp(c->ollama.models[i].name, model))
            c->ollama.models[i] = c->ollama.models[--c->ollama.n_models];
    for (size_t i = 0; i < c->n_processes; i++)
        if (!strcmp(c->processes[i].blob, blob)) {
            c->cgroup.anon -= c->processes[i].rss_anon;
            c->processes[i] = c->processes[--c->n_processes];
        }
}

void pressure_work(struct scene *s, const char *model, bool works)
{
    char blob[32];
    snprintf(blob, sizeof blob, "sha256-%.20s", model);
    if (works) {
        must(n_workers < WORKERS_MAX);
        memcpy(workers[n_workers++], blob, sizeof blob);
        return;
    }
    time_t until = (time_t)(s->world.time_ms / 1000) + 300;
    for (size_t i = 0; i < s->world.n_containers; i++)
        for (size_t k = 0; k < s->world.containers[i].ollama.n_models; k++) {
            struct model *m = &s->world.containers[i].ollama.models[k];
            if (!strcmp(m->name, model))
                strftime(m->expires_at, sizeof m->expires_at, "%Y-%m-%dT%H:%M:%SZ", gmtime(&until));
        }
    for (size_t i = 0; i < n_workers; i++)
        if (!strcmp(workers[i], blob))
            memmove(workers[i], workers[--n_workers], sizeof workers[i]);
}

void pressure_use(struct scene *s, double percent)
{
    s->world.host.available =
        percent < 0 ? FACT_UNKNOWN : (fact)((double)s->world.host.total * (100 - percent) / 100);
}

void pressure_step(struct scene *s, size_t n)
{
    for (; n > 0; n--) {
        for (size_t i = 0; i < s->world.n_containers; i++)
            for (size_t k = 0; k < s->world.containers[i].n_processes; k++) {
                struct process *p = &s->world.containers[i].processes[k];
                for (size_t w = 0; w < n_workers; w++)
                    if (!strcmp(p->blob, workers[w]))
                        p->cpu_us += 500000;
            }
        scene_step(s, 1);
    }
}

void pressure_settle(struct scene *s)
{
    pressure_step(s, 7);
}

const char *pressure_asked(const struct scene *s)
{
    static char text[512];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < s->judgement.n_verdicts; i++) {
        const struct verdict *v = &s->judgement.verdicts[i];
        if (v->kind == VERDICT_HOST_PRESSURE && v->state == VERDICT_RAISED && v->remedy)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s:%s", n ? " " : "", v->name,
                                  v->model[0] ? v->model : remedy_name(v->remedy));
    }
    return text;
}

static const struct verdict *find(const struct scene *s, const char *id)
{
    for (size_t i = 0; i < s->judgement.n_verdicts; i++) {
        const struct verdict *v = &s->judgement.verdicts[i];
        if (v->kind == VERDICT_HOST_PRESSURE && v->state != VERDICT_CLEARED && !strcmp(v->id, id))
            return v;
    }
    return NULL;
}

const struct verdict *pressure_told(const struct scene *s)
{
    return find(s, "");
}

const struct verdict *pressure_of_container(const struct scene *s, size_t at)
{
    return find(s, s->world.containers[at].id);
}
