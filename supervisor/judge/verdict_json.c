#include "judge/verdict_json.h"

json_t *evidence_to_json(const struct verdict *verdict)
{
    json_t *evidence = json_object();
    for (size_t i = 0; i < verdict->n_evidence; i++) {
        const struct evidence *e = &verdict->evidence[i];
        bool whole = e->unit == UNIT_BYTES || e->unit == UNIT_COUNT;
        json_object_set_new(evidence, e->name,
                            whole ? json_integer((json_int_t)e->value) : json_real(e->value));
    }
    return evidence;
}

json_t *verdict_to_json(const struct verdict *v, const char *acted)
{
    json_t *json = json_object();
    if (v->id[0])
        json_object_set_new(json, "container", json_string(v->name));
    json_object_set_new(json, "verdict", json_string(verdict_kind_name(v->kind)));
    json_object_set_new(json, "state", json_string(verdict_state_name(v->state)));
    json_object_set_new(json, "severity", json_string(severity_name(v->severity)));
    json_object_set_new(json, "since", json_real(v->since_s));
    if (v->raised_s >= 0)
        json_object_set_new(json, "raised", json_real(v->raised_s));
    json_object_set_new(json, "hold_s", json_real(v->hold_s));
    json_object_set_new(json, "evidence", evidence_to_json(v));
    json_object_set_new(json, "remedy", json_string(remedy_name(v->remedy)));
    if (v->why[0])
        json_object_set_new(json, "why", json_string(v->why));
    if (v->missing[0])
        json_object_set_new(json, "missing", json_string(v->missing));
    if (v->model[0])
        json_object_set_new(json, "model", json_string(v->model));
    if (fact_known(v->pid))
        json_object_set_new(json, "pid", json_integer(v->pid));
    if (acted && *acted)
        json_object_set_new(json, "acted", json_string(acted));
    return json;
}
