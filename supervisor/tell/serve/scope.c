#include "tell/serve/scope.h"
#include "base/clock.h"
#include "sense/json_put.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool scope_has(const struct scope *scope, const struct container *c)
{
    return scope->one ? strcmp(scope->one->id, c->id) == 0
                      : c->status == STATUS_RUNNING && container_is_ollama(c);
}

static void sum_up(struct scope *s)
{
    const struct world *w = s->state.world;
    s->held = s->models = 0;
    for (size_t i = 0; i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        if (!scope_has(s, c))
            continue;
        s->held = fact_add(s->held, container_held(c, &w->host));
        s->n_models += c->ollama.n_models;
        for (size_t k = 0; k < c->ollama.n_models; k++)
            s->models = fact_add(s->models, c->ollama.models[k].size);
    }
    const struct assessment *a =
        s->one ? judgement_assessment(s->state.judgement, s->one->id) : NULL;
    fact bound = s->one ? cgroup_bound(&s->one->cgroup) : FACT_NONE;
    s->limit = fact_known(bound) && bound > 0 ? bound : w->host.total;
    s->level =
        a ? pressure_combine(a->level, s->state.judgement->host_level) : s->state.judgement->level;
}

bool scope_of(struct serve *serve, struct api_call *call, struct scope *ret_scope)
{
    const char *named = api_text(call, "container");
    struct scope s = {.one = NULL};
    size_t enforced = 0;
    if (!serve_seen(serve, call, &s.state))
        return false;
    const struct world *w = s.state.world;
    if (named && !(s.one = serve_named(call, w, named)))
        return false;
    for (size_t i = 0; !named && i < w->n_containers; i++) {
        const struct container *c = &w->containers[i];
        if (c->mode != MODE_ENFORCE || !container_is_ollama(c))
            continue;
        s.one = ++enforced == 1 ? c : NULL;
    }
    sum_up(&s);
    *ret_scope = s;
    return true;
}

double scope_gb(fact bytes)
{
    return fact_known(bytes) && bytes >= 0 ? floor((double)bytes / 1e6) / 1000 : -1;
}

void put_gb(json_t *object, const char *name, fact bytes)
{
    put_real(object, name, scope_gb(bytes));
}

void scope_time(double boottime_s, char *text, size_t size)
{
    double ago_s = clock_boottime_s() - boottime_s;
    clock_format(clock_wall_ms() - (int64_t)(ago_s * 1000), text, size);
}

/* ---- alerts */

const char *alert_type(const char *verdict)
{
    static const char *const types[][2] = {{"unreachable", "system-error"},
                                           {"broken-healthcheck", "system-error"},
                                           {"stopped-by-us", "system-error"},
                                           {"ghost-model", "model-unavailable"},
                                           {"hung-runner", "model-unavailable"},
                                           {"stalled-load", "model-unavailable"},
                                           {"stuck-stopping", "model-unavailable"},
                                           {"idle-leak", "leak"},
                                           {"growth-leak", "leak"},
                                           {"orphan-runner", "leak"},
                                           {"limit-drift", "limit-drift"},
                                           {"high-drift", "limit-drift"},
                                           {"no-limit", "limit-drift"},
                                           {"oom-kill", "oom-kill"},
                                           {"thermal", "thermal"}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i][0], verdict) == 0)
            return types[i][1];
    return "memory-pressure";
}

const char *alert_severity(const char *severity)
{
    return strcmp(severity, "critical") == 0  ? "critical"
           : strcmp(severity, "warning") == 0 ? "high"
                                              : "low";
}

static json_t *alert_json(const struct verdict *v)
{
    char since[32], runbook[400];
    const char *kind = verdict_kind_name(v->kind);
    scope_time(v->since_s, since, sizeof since);
    snprintf(runbook, sizeof runbook,
             v->remedy == REMEDY_NONE ? "it is told only: `supervisor explain %.255s` shows why"
             : v->mode == MODE_ENFORCE
                 ? "it is healed by itself; `supervisor events %.255s` shows how"
                 : "it is only observed; to heal it: `supervisor fix-ollama %.255s`",
             v->name);
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", alert_type(kind), "verdict", kind,
                             "severity", alert_severity(severity_name(v->severity)), "since", since,
                             "runbook", runbook);
    put_text(json, "message", v->why);
    put_text(json, "container", v->name);
    put_text(json, "model", v->model);
    return json;
}

json_t *scope_alerts(const struct scope *scope, size_t *ret_critical)
{
    const struct judgement *j = scope->state.judgement;
    json_t *list = json_array();
    *ret_critical = 0;
    for (size_t i = 0; i < j->n_verdicts; i++) {
        const struct verdict *v = &j->verdicts[i];
        if (v->state != VERDICT_RAISED || (scope->one && v->id[0] && strcmp(v->id, scope->one->id)))
            continue;
        *ret_critical += v->severity == SEVERITY_CRITICAL;
        json_array_append_new(list, alert_json(v));
    }
    return list;
}

bool scope_is_get(struct api_call *call)
{
    static const struct net_field allow = {"Allow", "GET, POST"};
    if (net_head_method_of(net_exchange_head(call->exchange)) != NET_HEAD)
        return true;
    net_answer_problem(call->exchange, 405, &allow, 1, "it does something: ask by GET or POST");
    return false;
}
