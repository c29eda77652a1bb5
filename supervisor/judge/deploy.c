#include "judge/deploy_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void deploy_find(struct deploy_plan *plan, enum deploy_severity severity, const char *about,
                 fact missing, const char *format, ...)
{
    plan->refused = plan->refused || severity == DEPLOY_REFUSAL;
    if (plan->n_findings >= DEPLOY_FINDINGS_MAX)
        return;
    struct deploy_finding *finding = &plan->findings[plan->n_findings++];
    finding->severity = severity;
    finding->about = about;
    finding->missing = missing;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(finding->text, sizeof(finding->text), format, arguments);
    va_end(arguments);
}

void deploy_append(struct deploy_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n =
        vsnprintf(text->text + text->length, sizeof(text->text) - text->length, format, arguments);
    va_end(arguments);
    if (n > 0)
        text->length += (size_t)n;
    if (text->length >= sizeof(text->text))
        text->length = sizeof(text->text) - 1;
}

/* What the engine cannot do it leaves out without a word. */
static void find_limits(struct deploy *deploy)
{
    const struct deploy_facts *facts = deploy->facts;
    if (!facts->memory_limits)
        deploy_find(deploy->plan, DEPLOY_REFUSAL, "limits", FACT_UNKNOWN,
                    "the engine cannot limit memory and would leave the limit out: give it the "
                    "memory cgroup (cgroup_enable=memory on the kernel's command line; a rootless "
                    "engine: cgroup v2 and systemd)");
    else if (!facts->swap_limits && deploy->plan->profile.swap != FACT_NONE)
        deploy_find(deploy->plan, DEPLOY_WARNING, "limits", FACT_UNKNOWN,
                    "the engine cannot limit swap: beyond its limit the container swaps as much as "
                    "it likes; swapaccount=1 on the kernel's command line, or no swap on the host");
}

void deploy_plan(const struct deploy_wish *wish, const struct deploy_facts *facts,
                 const struct settings *settings, struct deploy_plan *ret_plan)
{
    *ret_plan = (struct deploy_plan){.profile = wish->profile};
    struct deploy deploy = {.wish = wish, .facts = facts, .plan = ret_plan, .vram = FACT_UNKNOWN};
    const struct profile *profile = &ret_plan->profile;
    ret_plan->reserve = fact_known(profile->reserve) ? profile->reserve
                        : profile->exclusive         ? RESERVE_EXCLUSIVE
                                                     : RESERVE_STANDARD;
    ret_plan->footprint = footprint_of(profile->model);
    find_limits(&deploy);
    deploy_others(&deploy);
    deploy_memory(&deploy);
    deploy_margin(&deploy, settings);
    deploy_gpu(&deploy);
    deploy_model(&deploy);
    deploy_disk(&deploy);
    if (ret_plan->refused)
        ret_plan->n_evict = 0; /* nobody is stopped for nothing */
    deploy_name_evicted(&deploy);
}

struct environment {
    char (*env)[DEPLOY_ENV_SIZE];
    size_t n, max;
};

static void __attribute__((format(printf, 2, 3))) add(struct environment *environment,
                                                      const char *format, ...)
{
    if (environment->n >= environment->max)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(environment->env[environment->n++], DEPLOY_ENV_SIZE, format, arguments);
    va_end(arguments);
}

/* Names: Ollama's envconfig/config.go; LLAMA_ARG_…: llama.cpp's tools/server/README.md, which
 * Ollama's runners inherit (since 0.30; older ones know nothing of it). */
static void add_ollama(struct environment *to, const struct deploy_plan *plan)
{
    const struct profile *profile = &plan->profile;
    add(to, "OLLAMA_CONTEXT_LENGTH=%lld", (long long)profile->context);
    add(to, "OLLAMA_NUM_PARALLEL=%lld", (long long)profile->parallel);
    add(to, "OLLAMA_MAX_LOADED_MODELS=%lld", (long long)profile->max_loaded);
    add(to, "OLLAMA_KEEP_ALIVE=%s", profile->keep_alive);
    add(to, "LLAMA_ARG_CACHE_RAM=%lld", (long long)plan->cache_ram_mib);
    /* A server that starts deletes what no model of its volume names, and so what another one
     * beside it is just pulling (PruneLayers in server/images.go). */
    add(to, "OLLAMA_NOPRUNE=1");
}

/* Names: LocalAI's core/cli/run.go. SINGLE_ACTIVE_BACKEND is what all of its versions know. */
static void add_localai(struct environment *to, const struct deploy_plan *plan)
{
    const struct profile *profile = &plan->profile;
    add(to, "LOCALAI_CONTEXT_SIZE=%lld", (long long)profile->context);
    if (profile->max_loaded == 1)
        add(to, "LOCALAI_SINGLE_ACTIVE_BACKEND=true");
    else
        add(to, "LOCALAI_MAX_ACTIVE_BACKENDS=%lld", (long long)profile->max_loaded);
    if (profile->keep_alive[0] == '-')
        return; /* always: its watchdog is off */
    const char *unit = profile->keep_alive[strspn(profile->keep_alive, "0123456789")] ? "" : "s";
    add(to, "LOCALAI_WATCHDOG_IDLE=true");
    add(to, "LOCALAI_WATCHDOG_IDLE_TIMEOUT=%s%s", profile->keep_alive, unit);
}

size_t deploy_environment(const struct deploy_plan *plan, char env[][DEPLOY_ENV_SIZE], size_t max)
{
    struct environment to = {.env = env, .max = max};
    if (plan->profile.server == SERVER_OLLAMA)
        add_ollama(&to, plan);
    else
        add_localai(&to, plan);
    return to.n;
}
