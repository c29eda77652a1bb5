/* /metrics: what Prometheus asks for. A container, process or model that went takes its series
 * along; nothing but names that the engine and Ollama give is a label. */
#include "base/clock.h"
#include "judge/kinds.h"
#include "tell/serve/metrics_text.h"
#include "tell/serve/serve_private.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static double number(fact value)
{
    return value >= 0 ? (double)value : NAN;
}

/* ---- the host */

static void host_metrics(struct metrics *m, const struct state *state)
{
    const struct host *h = &state->world->host;
    const struct {
        const char *name, *help;
        double value;
    } all[] = {
        {"supervisor_host_memory_total_bytes", "Memory of the host.", number(h->total)},
        {"supervisor_host_memory_available_bytes", "MemAvailable of the host.",
         number(h->available)},
        {"supervisor_host_swap_total_bytes", "Swap of the host.", number(h->swap_total)},
        {"supervisor_host_swap_used_bytes", "Swap in use.", number(h->swap_used)},
        {"supervisor_host_pressure_some_ratio",
         "Share of the last 10 s in which some task waited for memory (PSI).",
         h->psi.some_avg10 >= 0 ? h->psi.some_avg10 / 100 : NAN},
        {"supervisor_host_pressure_full_ratio",
         "Share of the last 10 s in which all tasks waited for memory (PSI).",
         h->psi.full_avg10 >= 0 ? h->psi.full_avg10 / 100 : NAN},
        {"supervisor_models_held_bytes", "Memory that all runners hold.",
         number(state->judgement->models_held)},
        {"supervisor_models_budget_bytes", "The budget of all models (memory.max_model_memory).",
         number(state->judgement->models_budget)},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!isfinite(all[i].value))
            continue;
        metrics_gauge(m, all[i].name, all[i].help);
        metrics_sample(m, LABELS(), all[i].value);
    }
    metrics_gauge(m, "supervisor_pressure_level",
                  "Level of pressure, 1 for the one that holds: of the host, of all models, of all "
                  "together.");
    const struct {
        const char *of;
        enum pressure_level level;
    } levels[] = {{"host", state->judgement->host_level},
                  {"models", state->judgement->models_level},
                  {"all", state->judgement->level}};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        for (enum pressure_level l = LEVEL_LOW; l <= LEVEL_CRITICAL; l++)
            metrics_sample(m, LABELS("of", levels[i].of, "level", pressure_name(l)),
                           levels[i].level == l);
}

static void gpu_metrics(struct metrics *m, const struct world *w)
{
    static const struct {
        const char *name, *help;
    } all[] = {{"supervisor_gpu_memory_total_bytes", "Memory of a GPU."},
               {"supervisor_gpu_memory_used_bytes", "Memory of a GPU in use."},
               {"supervisor_gpu_temperature_celsius", "Temperature of a GPU."}};
    for (size_t i = 0; i < sizeof all / sizeof *all && w->n_gpus > 0; i++) {
        metrics_gauge(m, all[i].name, all[i].help);
        for (size_t k = 0; k < w->n_gpus; k++) {
            const struct gpu *g = &w->gpus[k];
            char index[24];
            snprintf(index, sizeof index, "%u", g->index);
            metrics_sample(m, LABELS("gpu", index, "vendor", gpu_vendor_name(g->vendor)),
                           number(i == 0   ? g->vram_total
                                  : i == 1 ? g->vram_used
                                           : g->temperature_c));
        }
    }
}

/* ---- containers */

/* An engine gives a name once; one that does not would spoil the whole page. */
static bool is_first(const struct world *w, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(w->containers[k].name, w->containers[i].name) == 0)
            return false;
    return true;
}

typedef double of_container(const struct world *world, const struct container *c);

static double held(const struct world *world, const struct container *c)
{
    return number(container_held(c, &world->host));
}
static double page_cache(const struct world *world, const struct container *c)
{
    (void)world;
    return number(c->cgroup.file);
}
static double limit(const struct world *world, const struct container *c)
{
    (void)world;
    return number(cgroup_bound(&c->cgroup)); /* none has no series */
}
static double cpu(const struct world *world, const struct container *c)
{
    (void)world;
    return c->cgroup.cpu_us >= 0 ? (double)c->cgroup.cpu_us / 1e6 : NAN;
}
static double oom_kills(const struct world *world, const struct container *c)
{
    (void)world;
    return number(c->cgroup.oom_kills);
}
static double running(const struct world *world, const struct container *c)
{
    (void)world;
    return c->status == STATUS_RUNNING;
}
static double enforced(const struct world *world, const struct container *c)
{
    (void)world;
    return c->mode == MODE_ENFORCE;
}
static double models(const struct world *world, const struct container *c)
{
    (void)world;
    return c->ollama.asked && c->ollama.reachable ? (double)c->ollama.n_models : NAN;
}
static double reachable(const struct world *world, const struct container *c)
{
    (void)world;
    return c->ollama.asked ? c->ollama.reachable : NAN;
}
static double latency(const struct world *world, const struct container *c)
{
    (void)world;
    return c->ollama.reachable && c->ollama.latency_ms >= 0 ? c->ollama.latency_ms / 1000 : NAN;
}

static const struct {
    const char *name, *help;
    of_container *value;
    bool counter;
} container_families[] = {
    {"supervisor_container_held_bytes",
     "Memory that nobody can take back: anonymous, shared, swap.", held, false},
    {"supervisor_container_page_cache_bytes", "Page cache, which the kernel takes back by itself.",
     page_cache, false},
    {"supervisor_container_limit_bytes", "Limit of its memory; without one there is no series.",
     limit, false},
    {"supervisor_container_cpu_seconds", "CPU time of its processes.", cpu, true},
    {"supervisor_container_oom_kills", "Processes that the kernel has killed for memory.",
     oom_kills, true},
    {"supervisor_container_running", "Whether it runs.", running, false},
    {"supervisor_container_enforced", "Whether it is healed (1) or only observed (0).", enforced,
     false},
    {"supervisor_container_models", "Models that are loaded.", models, false},
    {"supervisor_ollama_up", "Whether its Ollama answers.", reachable, false},
    {"supervisor_ollama_latency_seconds", "How long its Ollama took to answer.", latency, false},
};

static void container_metrics(struct metrics *m, const struct world *w)
{
    for (size_t f = 0; f < sizeof container_families / sizeof *container_families; f++) {
        (container_families[f].counter ? metrics_counter : metrics_gauge)(
            m, container_families[f].name, container_families[f].help);
        for (size_t i = 0; i < w->n_containers; i++)
            if (is_first(w, i))
                metrics_sample(m, LABELS("container", w->containers[i].name),
                               container_families[f].value(w, &w->containers[i]));
    }
    metrics_gauge(m, "supervisor_container_info", "What a container is.");
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        if (is_first(w, i))
            metrics_sample(m,
                           LABELS("container", c->name, "id", c->id, "image", c->image, "ollama",
                                  c->ollama.version),
                           1);
    }
}

static void process_metrics(struct metrics *m, const struct world *w)
{
    metrics_gauge(m, "supervisor_container_processes_held_bytes",
                  "Anonymous memory and swap of its processes, by their kind.");
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        double sums[PROCESS_HELPER + 1] = {0};
        if (!c->processes_known || !is_first(w, i))
            continue;
        for (size_t k = 0; k < c->n_processes; k++)
            sums[c->processes[k].kind] += number(process_held(&c->processes[k]));
        for (enum process_kind kind = PROCESS_OTHER; kind <= PROCESS_HELPER; kind++)
            metrics_sample(m, LABELS("container", c->name, "kind", process_kind_name(kind)),
                           sums[kind]);
    }
}

static void model_metrics(struct metrics *m, const struct world *w)
{
    static const struct {
        const char *name, *help;
    } all[] = {{"supervisor_model_size_bytes", "Size of a loaded model, as Ollama says."},
               {"supervisor_model_vram_bytes", "What of it is on GPUs, as Ollama says."}};
    for (size_t f = 0; f < 2; f++) {
        metrics_gauge(m, all[f].name, all[f].help);
        for (size_t i = 0; i < w->n_containers; i++) {
            const struct ollama *o = &w->containers[i].ollama;
            for (size_t k = 0; k < o->n_models && is_first(w, i); k++)
                if (ollama_model(o, o->models[k].name) == &o->models[k])
                    metrics_sample(
                        m, LABELS("container", w->containers[i].name, "model", o->models[k].name),
                        number(f ? o->models[k].size_vram : o->models[k].size));
        }
    }
}

/* ---- verdicts and remedies */

static bool is_raised(const struct judgement *j, const char *id, enum verdict_kind kind)
{
    for (size_t i = 0; i < j->n_verdicts; i++) {
        const struct verdict *v = &j->verdicts[i];
        if (v->kind == kind && v->state == VERDICT_RAISED && strcmp(v->id, id) == 0)
            return true;
    }
    return false;
}

/* Two are about the host; all others about a container. */
static bool of_host(enum verdict_kind kind)
{
    return kind == VERDICT_THERMAL || kind == VERDICT_HOST_PRESSURE;
}

static void verdict_metrics(struct metrics *m, const struct state *state)
{
    const struct world *w = state->world;
    uint64_t by_severity[SEVERITY_CRITICAL + 1] = {0};
    metrics_gauge(m, "supervisor_verdict", "1: a verdict of that kind stands.");
    for (size_t i = 0; i < w->n_containers; i++)
        for (enum verdict_kind k = 0; k < VERDICT_KINDS && is_first(w, i); k++)
            if (k != VERDICT_THERMAL)
                metrics_sample(
                    m, LABELS("container", w->containers[i].name, "verdict", verdict_kind_name(k)),
                    is_raised(state->judgement, w->containers[i].id, k));
    for (enum verdict_kind k = 0; k < VERDICT_KINDS; k++)
        if (of_host(k))
            metrics_sample(m, LABELS("container", "", "verdict", verdict_kind_name(k)),
                           is_raised(state->judgement, "", k));
    for (size_t i = 0; i < state->judgement->n_verdicts; i++)
        if (state->judgement->verdicts[i].state == VERDICT_RAISED)
            by_severity[state->judgement->verdicts[i].severity]++;
    metrics_gauge(m, "supervisor_verdicts", "Verdicts that stand, by severity.");
    for (enum severity s = SEVERITY_INFO; s <= SEVERITY_CRITICAL; s++)
        metrics_sample(m, LABELS("severity", severity_name(s)), (double)by_severity[s]);
}

/* Those that are alerted on begin at 0: Prometheus sees no increase in what was not there before.
 */
static bool is_shown(const struct serve *serve, size_t step, enum heal_event_kind kind)
{
    return serve->remedies[step][kind] > 0 || kind == HEAL_DONE || kind == HEAL_NOT_DONE ||
           kind == HEAL_HOLD;
}

static void remedy_metrics(struct metrics *m, const struct serve *serve)
{
    metrics_counter(m, "supervisor_remedies", "Remedies, by step and what became of them.");
    for (size_t i = 0; i < STEPS; i++)
        for (enum heal_event_kind k = 0; k < HEAL_KINDS; k++)
            if (is_shown(serve, i, k))
                metrics_sample(m, LABELS("step", serve_steps[i], "outcome", heal_kinds[k].event),
                               (double)serve->remedies[i][k]);
}

/* ---- the daemon itself */

static double open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    double n = 0;
    if (!directory)
        return NAN;
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(directory);
    return n - 1; /* the directory itself */
}

static double resident(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%*d %ld", &pages) != 1)
        pages = -1;
    if (file)
        fclose(file);
    return pages < 0 ? NAN : (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void own_metrics(struct metrics *m, struct serve *serve)
{
    struct net_counts counts = net_server_counts(serve->server);
    char text[600];
    const struct {
        const char *name, *help;
        double value;
        bool counter;
    } all[] = {
        {"supervisor_healthy", "Whether it looks, and can remember what it does.",
         serve_ill(serve, text, sizeof text) == NULL, false},
        {"supervisor_engine_up", "Whether the container engine is reached.",
         serve->o.engine_up(serve->o.userdata), false},
        {"supervisor_look_age_seconds", "How old the last look is.",
         serve->looked_s > 0 ? clock_boottime_s() - serve->looked_s : NAN, false},
        {"supervisor_loop_lag_seconds", "How late the last timer of a second was.", serve->lag_s,
         false},
        {"supervisor_http_requests", "Requests that were read.", (double)counts.requests, true},
        {"supervisor_http_refused", "Requests that were no good HTTP.", (double)counts.refused,
         true},
        {"supervisor_http_connections", "Connections that are open.", counts.open, false},
        {"process_cpu_seconds", "CPU time of the supervisor.", cpu_seconds(), true},
        {"process_resident_memory_bytes", "Resident memory of the supervisor.", resident(), false},
        {"process_open_fds", "Open descriptors of the supervisor.", open_files(), false},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        (all[i].counter ? metrics_counter : metrics_gauge)(m, all[i].name, all[i].help);
        metrics_sample(m, LABELS(), all[i].value);
    }
    metrics_gauge(m, "supervisor_build_info", "The version that runs.");
    metrics_sample(m, LABELS("version", SUPERVISOR_VERSION), 1);
}

static void metrics(void *userdata, struct api_call *call)
{
    struct serve *serve = userdata;
    const char *accept = net_head_get(net_exchange_head(call->exchange), "accept");
    struct metrics m = {.open = accept && strstr(accept, "application/openmetrics-text")};
    struct state state;
    buffer_init(&m.text, METRICS_MAX);
    own_metrics(&m, serve);
    if (serve->o.look(serve->o.userdata, &state)) {
        host_metrics(&m, &state);
        gpu_metrics(&m, state.world);
        container_metrics(&m, state.world);
        process_metrics(&m, state.world);
        model_metrics(&m, state.world);
        verdict_metrics(&m, &state);
        remedy_metrics(&m, serve);
    }
    metrics_end(&m);
    if (m.failed)
        api_problem(call, 500, "no memory is left for the answer");
    else
        serve_answer_text(call,
                          m.open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                 : "text/plain; version=0.0.4; charset=utf-8",
                          m.text.data, m.text.length);
    buffer_clear(&m.text);
}

static const struct api_answer metrics_answers[] = {
    {.status = 200,
     .about = "Prometheus' text format; OpenMetrics where Accept names it",
     .type = "text/plain"},
    {0}};

const struct api_route routes_metrics[] = {{NET_GET, "/metrics", "metrics", "metrics",
                                            "What Prometheus asks for.", API_READS, NULL, NULL,
                                            metrics_answers, metrics},
                                           {0}};
