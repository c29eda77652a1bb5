#include "cli/create_json.h"
#include "sense/json_put.h"

static json_t *ledger_json(const struct deploy_ledger *l)
{
    return json_pack("{s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*}", "weights",
                     json_known(l->weights), "weights_vram", json_known(l->weights_vram),
                     "weights_file", json_known(l->weights_file), "weights_anon",
                     json_known(l->weights_anon), "kv", json_known(l->kv), "compute",
                     json_known(l->compute), "server", json_known(l->server), "prompt_cache",
                     json_known(l->prompt_cache), "needed", json_known(l->needed), "limit",
                     json_known(l->limit));
}

static json_t *margin_json(const struct deploy_margin *m)
{
    return fact_known(m->beside)
               ? json_pack("{s:o*, s:o*, s:o*, s:o*}", "beside", json_known(m->beside), "full",
                           json_known(m->full), "unload_below", json_known(m->unload), "stop_below",
                           json_known(m->stop))
               : NULL;
}

static json_t *plan_json(const struct create_result *result)
{
    const struct deploy_plan *plan = &result->plan;
    json_t *evict = json_array();
    for (size_t i = 0; i < plan->n_evict; i++)
        json_array_append_new(evict, json_string(result->seen.facts.others[plan->evict[i]].name));
    return json_pack("{s:o, s:o*, s:o*, s:b, s:o, s:o, s:b}", "profile",
                     profile_json(&plan->profile), "reserve", json_known(plan->reserve), "margin",
                     margin_json(&plan->margin), "gpu", plan->gpu, "ledger",
                     ledger_json(&plan->ledger), "evict", evict, "refused", plan->refused);
}

static json_t *facts_json(const struct create_seen *seen)
{
    const struct deploy_facts *facts = &seen->facts;
    return json_pack("{s:o*, s:o*, s:o*, s:o*, s:b, s:I, s:b, s:b, s:b}", "memory_total",
                     json_known(facts->memory_total), "memory_available",
                     json_known(facts->memory_available), "disk_free", json_known(facts->disk_free),
                     "disk_path", json_string(facts->disk_path), "gpu_runtime", facts->gpu_runtime,
                     "gpus", (json_int_t)facts->gpus.n, "image_present", seen->image_present,
                     "volume_present", seen->volume_present, "model_present", facts->model_present);
}

static json_t *findings_json(const struct deploy_plan *plan)
{
    static const char *const words[] = {"note", "warning", "refusal"};
    json_t *list = json_array();
    for (size_t i = 0; i < plan->n_findings; i++) {
        const struct deploy_finding *finding = &plan->findings[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:o*}", "severity",
                                        words[finding->severity], "about", finding->about, "text",
                                        finding->text, "missing", json_known(finding->missing)));
    }
    return list;
}

json_t *create_json(const struct create_result *result)
{
    static const char *const outcomes[] = {"made", "there", "refused", "planned", "failed"};
    bool failed = result->outcome == CREATE_FAILED, looked = result->request != NULL;
    return json_pack(
        "{s:s, s:s, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:o*, s:O*, s:o, s:O*, s:o*}",
        "outcome", outcomes[result->outcome], "container", result->plan.profile.container, "id",
        json_told(failed ? NULL : result->id), "address", json_told(result->address), "limit",
        json_known(result->limit), "error", json_told(failed ? result->error.message : NULL),
        "leftover", json_told(result->seen.leftover), "kept", json_told(result->seen.kept), "facts",
        looked ? facts_json(&result->seen) : NULL, "plan", looked ? plan_json(result) : NULL,
        "request", result->request, "findings", findings_json(&result->plan), "differs",
        result->differs, "taken_back", result->taken_back ? json_true() : NULL);
}
