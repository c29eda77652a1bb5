#include "judge/ruled_out.h"

#include "base/clock.h"
#include "base/profile.h"
#include "base/size.h"
#include "judge/kinds.h"
#include "judge/look.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct said {
    const struct ruled_case *seen;
    char *text;
    size_t size;
};

static void __attribute__((format(printf, 2, 3))) say(const struct said *s, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(s->text, s->size, format, values);
    va_end(values);
}

static bool is_busy(const struct ruled_case *c)
{
    return !strncmp(c->activity, "busy", 4) || !strncmp(c->activity, "loading", 7);
}

static void idle_leak(const struct said *s)
{
    const struct ruled_case *c = s->seen;
    const struct assessment *a = c->assessment;
    char threshold[16];
    fact over = a->serve_held - a->baseline;
    if (!a->answered)
        say(s, "which models are loaded is not known");
    else if (c->container->ollama.n_models > 0)
        say(s, "a model is loaded");
    else if (a->live_runners > 0)
        say(s, "a runner is alive");
    else if (!fact_known(a->serve_held) || !fact_known(a->threshold))
        say(s, "the server's memory, or the limit, is not known");
    else if (over < a->threshold)
        say(s, "the server itself holds %s above its baseline, a leak begins at %s",
            SHOWN(over > 0 ? over : 0), size_format(a->threshold, threshold, sizeof threshold));
    else if (is_busy(c))
        say(s, "%s", c->activity);
    else
        say(s, "it has not lasted yet (leak.hold, leak.grace)");
}

static void orphan(const struct said *s)
{
    const struct assessment *a = s->seen->assessment;
    if (a->live_runners == 0)
        say(s, "no runner is alive");
    else if (!a->answered)
        say(s, "which models are loaded is not known");
    else if (a->live_runners <= s->seen->container->ollama.n_models)
        say(s, "every runner is one of a listed model");
    else
        say(s, "the runner that is not listed works, or has not stood still for long enough");
}

static void stuck(const struct said *s)
{
    const struct container *c = s->seen->container;
    int64_t now_ms = s->seen->world->time_ms, expires_ms;
    bool over = false;
    for (size_t i = 0; i < c->ollama.n_models; i++)
        over |= clock_parse(c->ollama.models[i].expires_at, &expires_ms) == 0 && now_ms >= 0 &&
                expires_ms < now_ms;
    say(s, "%s",
        c->ollama.n_models == 0 ? "no model is loaded"
        : over ? "its model's time is over, but its runner works, has a client, or it has not "
                 "lasted yet"
               : "no model's time is over");
}

static void ghost(const struct said *s)
{
    const struct container *c = s->seen->container;
    size_t known = 0;
    for (size_t i = 0; i < c->ollama.n_models; i++)
        known += c->ollama.models[i].blob[0] != '\0';
    say(s, "%s",
        c->ollama.n_models == 0      ? "no model is listed"
        : known < c->ollama.n_models ? "which file a listed model is made of is not known"
        : s->seen->assessment->live_runners > 0 ? "each listed model has its runner"
                                                : "it has not lasted yet");
}

static void growth(const struct said *s, const char *what)
{
    if (s->seen->assessment->live_runners == 0 && s->seen->container->ollama.n_models == 0)
        say(s, "no model is loaded");
    else
        say(s,
            "no lasting growth %s was seen; one look, or a daemon that has just started, sees "
            "none",
            what);
}

static void oom(const struct said *s)
{
    fact kills = s->seen->container->cgroup.oom_kills;
    if (!fact_known(kills))
        say(s, "the kernel's counter of kills is not known");
    else if (kills == 0)
        say(s, "the kernel has killed nothing in it");
    else
        say(s, "no new kill in the last ten minutes (%lld since it started)", (long long)kills);
}

static void unreachable(const struct said *s)
{
    const struct ollama *o = &s->seen->container->ollama;
    if (!o->asked)
        say(s, "Ollama has not been asked yet");
    else if (o->reachable)
        say(s, "Ollama answers, in %.1f ms", o->latency_ms < 0 ? 0 : o->latency_ms);
    else
        say(s, "it has not lasted yet (leak.unreachable_hold)");
}

static void elsewhere(const struct said *s)
{
    const struct container *c = s->seen->container;
    fact foreign = 0, threshold = s->seen->assessment->threshold;
    for (size_t i = 0; i < c->n_processes; i++)
        if (c->processes[i].kind == PROCESS_OTHER)
            foreign = fact_add(foreign, process_held(&c->processes[i]));
    fact sum = c->processes_known ? fact_add(foreign, c->cgroup.shmem) : FACT_UNKNOWN;
    if (!fact_known(sum) || !fact_known(threshold))
        say(s, "what other processes and tmpfs hold is not known");
    else
        say(s, "other processes and tmpfs hold %s, it is told from %s on", SHOWN(sum),
            SHOWN(threshold));
}

static void budget(const struct said *s)
{
    fact most = s->seen->settings->memory_max_model_memory, held = s->seen->assessment->models_held;
    if (most < 0)
        say(s, "memory.max_model_memory is not set");
    else
        say(s, "its models hold %s of %s", SHOWN(held), SHOWN(most));
}

static void limits(const struct said *s, enum verdict_kind kind)
{
    const struct cgroup_memory *m = &s->seen->container->cgroup;
    bool high = kind == VERDICT_HIGH_DRIFT;
    fact wanted = high ? s->seen->settings->memory_high : s->seen->settings->memory_limit,
         is = high ? m->high : m->limit;
    const char *setting = high ? "memory.high" : "memory.limit";
    if (kind == VERDICT_NO_LIMIT && fact_known(is))
        say(s, "it has a limit of %s", SHOWN(is));
    else if (kind == VERDICT_NO_LIMIT)
        say(s, "%s", wanted >= 0 ? "one is wanted, see limit-drift" : "its limit is not known");
    else if (wanted < 0)
        say(s, "%s is not set: none is wanted", setting);
    else
        say(s, "it has what is wanted, %s", SHOWN(wanted));
}

static void page_cache(const struct said *s)
{
    const struct host *h = &s->seen->world->host;
    if (h->total <= 0 || !fact_known(h->available))
        say(s, "the host's memory is not known");
    else
        say(s,
            "%.0f %% of the host's memory are in use (from %.0f %% on), %s are inactive page cache",
            100.0 * (double)(h->total - h->available) / (double)h->total,
            s->seen->settings->action_optimize, SHOWN(s->seen->container->cgroup.inactive_file));
}

static void priority(const struct said *s)
{
    const struct host *h = &s->seen->world->host;
    const char *label = container_label(s->seen->container, "supervisor.priority");
    if (!label || strcmp(label, priority_name(PRIORITY_LOW)) != 0)
        say(s, "its label supervisor.priority is not low");
    else if (h->total <= 0 || !fact_known(h->available))
        say(s, "the host's memory is not known");
    else
        say(s, "%.0f %% of the host's memory are in use, it is throttled above %.0f %%",
            100.0 * (double)(h->total - h->available) / (double)h->total,
            s->seen->settings->level_critical);
}

static void pressure(const struct said *s)
{
    const struct host *h = &s->seen->world->host;
    if (h->total <= 0 || !fact_known(h->available))
        say(s, "the host's memory is not known");
    else
        say(s, "%.0f %% of the host's memory are in use, it is told from %.0f %% on",
            100.0 * (double)(h->total - h->available) / (double)h->total,
            s->seen->settings->action_warn);
}

static void swap(const struct said *s)
{
    const struct host *h = &s->seen->world->host;
    if (h->swap_total == 0)
        say(s, "the host has no swap");
    else if (s->seen->assessment->live_runners == 0 || s->seen->container->ollama.n_models == 0)
        say(s, "no model is loaded");
    else
        say(s, "%s of it are swapped out", SHOWN(s->seen->container->cgroup.swap));
}

static void health(const struct said *s)
{
    switch (s->seen->container->health) {
    case HEALTH_NONE:
        say(s, "it has no health check");
        break;
    case HEALTH_UNKNOWN:
        say(s, "its health is not known");
        break;
    case HEALTH_UNHEALTHY:
        say(s, "it is unhealthy, and its check can run");
        break;
    default:
        say(s, "the engine calls it %s", container_health_name(s->seen->container->health));
    }
}

static void thermal(const struct said *s)
{
    const struct world *w = s->seen->world;
    fact hottest = FACT_UNKNOWN;
    for (size_t i = 0; i < w->n_gpus; i++)
        hottest = w->gpus[i].temperature_c > hottest ? w->gpus[i].temperature_c : hottest;
    if (w->n_gpus == 0)
        say(s, "%s", w->gpus_known ? "the host has no GPU" : "GPUs are not known");
    else if (!fact_known(hottest))
        say(s, "no GPU tells its temperature");
    else
        say(s, "the hottest GPU has %lld degrees Celsius, it is told above %lld",
            (long long)hottest, (long long)s->seen->settings->gpu_temperature_alert);
}

const char *ruled_out(enum verdict_kind kind, const struct ruled_case *seen, char *text,
                      size_t size)
{
    const struct said s = {seen, text, size};
    const struct container *c = seen->container;
    text[0] = '\0';
    if (kind != VERDICT_THERMAL && c->status != STATUS_RUNNING) {
        say(&s, "it does not run");
        return text;
    }
    switch (kind) {
    case VERDICT_IDLE_LEAK:
        idle_leak(&s);
        break;
    case VERDICT_ORPHAN_RUNNER:
    case VERDICT_STALLED_LOAD:
        orphan(&s);
        break;
    case VERDICT_STUCK_STOPPING:
        stuck(&s);
        break;
    case VERDICT_GHOST_MODEL:
        ghost(&s);
        break;
    case VERDICT_GROWTH_LEAK:
        growth(&s, "beyond a prompt cache");
        break;
    case VERDICT_PROMPT_CACHE:
        growth(&s, "of a runner");
        break;
    case VERDICT_OOM_KILL:
        oom(&s);
        break;
    case VERDICT_UNREACHABLE:
        unreachable(&s);
        break;
    case VERDICT_HELD_ELSEWHERE:
        elsewhere(&s);
        break;
    case VERDICT_OVER_BUDGET:
        budget(&s);
        break;
    case VERDICT_TOO_MANY_MODELS:
        say(&s, "%s",
            !seen->settings->models_single ? "models.single is off"
            : c->ollama.n_models < 2       ? "fewer than two models are loaded"
                                           : "the models beside the one used last are busy");
        break;
    case VERDICT_OVERSIZE_MODEL:
        say(&s, "%s",
            !fact_known(seen->settings->models_max_parameters) ? "models.max_parameters is not set"
            : c->ollama.n_models == 0                          ? "no model is loaded"
                                      : "no loaded model has more than models.max_parameters");
        break;
    case VERDICT_IDLE_MODEL:
        say(&s, "%s",
            seen->settings->models_idle_unload_s < 0 ? "models.idle_unload is not set"
            : c->ollama.n_models == 0                ? "no model is loaded"
                                      : "each loaded model is used, stays (models.pin, a tier), or "
                                        "it has not lasted yet");
        break;
    case VERDICT_NO_LIMIT:
    case VERDICT_LIMIT_DRIFT:
    case VERDICT_HIGH_DRIFT:
        limits(&s, kind);
        break;
    case VERDICT_PAGE_CACHE:
        page_cache(&s);
        break;
    case VERDICT_LOW_PRIORITY:
        priority(&s);
        break;
    case VERDICT_HOST_PRESSURE:
        pressure(&s);
        break;
    case VERDICT_STOPPED_BY_US:
        say(&s, "it runs");
        break;
    case VERDICT_SWAP_IN_USE:
        swap(&s);
        break;
    case VERDICT_BROKEN_HEALTHCHECK:
        health(&s);
        break;
    case VERDICT_THERMAL:
        thermal(&s);
        break;
    default:
        break;
    }
    if (!text[0] && kind < VERDICT_KINDS) /* one that has no sentence of its own */
        say(&s, "this is not so: %s", kind_of(kind)->when);
    return text;
}
