#include "tell/state_json.h"

#include "judge/verdict_json.h"
#include "sense/json_put.h"
#include "sense/world_json.h"

#include <stdio.h>

/* The host's level, that of all models against their budget, and `level`, which is all together. */
static void add_levels(const struct judgement *j, json_t *world)
{
    json_t *models =
        json_pack("{s:o*, s:o?, s:s}", "held", json_known(j->models_held), "budget",
                  json_known(j->models_budget), "level", pressure_name(j->models_level));
    json_object_set_new(json_object_get(world, "host"), "level",
                        json_string(pressure_name(j->host_level)));
    json_object_set_new(world, "models", models);
    json_object_set_new(world, "level", json_string(pressure_name(j->level)));
}

/* What does not stand of a container that runs, and why, as the judge left it. */
static json_t *ruled_out(const struct assessment *a)
{
    char text[256];
    json_t *list = json_array();
    for (enum verdict_kind k = 0; k < VERDICT_KINDS; k++)
        if (*why_not(a, k, text, sizeof text))
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "verdict", verdict_kind_name(k), "why", text));
    return list;
}

/* What each container is doing: "busy: cpu 43 % of a core"; and its throttle. */
static void add_activities(const struct state *state, json_t *containers)
{
    for (size_t i = 0; i < state->judgement->n_assessments; i++) {
        const struct assessment *a = &state->judgement->assessments[i];
        char text[160];
        snprintf(text, sizeof text, "%s%s%s", activity_name(a->activity), *a->why ? ": " : "",
                 a->why);
        json_t *container = json_array_get(containers, i);
        json_object_set_new(container, "activity", json_string(text));
        json_object_set_new(container, "level", json_string(pressure_name(a->level)));
        if (a->activity != ACTIVITY_STOPPED)
            json_object_set_new(container, "ruled_out", ruled_out(a));
        if (state->throttler && *throttler_text(state->throttler, a->id, text, sizeof text))
            json_object_set_new(container, "throttled", json_string(text));
    }
}

json_t *state_to_json(const struct state *state)
{
    json_t *json = world_to_json(state->world);
    if (!json)
        return NULL;
    add_activities(state, json_object_get(json, "containers"));
    add_levels(state->judgement, json);
    json_t *verdicts = json_array();
    for (size_t i = 0; i < state->judgement->n_verdicts; i++) {
        const struct verdict *v = &state->judgement->verdicts[i];
        if (v->state != VERDICT_CLEARED)
            json_array_append_new(
                verdicts,
                verdict_to_json(v, state->healer ? healer_acted(state->healer, v->id) : ""));
    }
    json_object_set_new(json, "verdicts", verdicts);
    return json;
}
