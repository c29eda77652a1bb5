#include "tell/state_json.h"
#include "act/throttler.h"
#include "judge/uses.h"

#include "base/buffer.h"
#include "judge/verdict_json.h"
#include "sense/json_put.h"
#include "sense/world_json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 16 * 1024 * 1024 }; /* as much as a caller takes */

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

json_t *state_ruled_out(const struct assessment *a)
{
    char text[256];
    json_t *list = json_array();
    for (enum verdict_kind k = 0; k < VERDICT_KINDS; k++)
        if (*why_not(a, k, text, sizeof text))
            json_array_append_new(
                list, json_pack("{s:s, s:s}", "verdict", verdict_kind_name(k), "why", text));
    return list;
}

/* When each of its models was used last: at least and at most so many seconds ago, and how that is
 * known. */
static json_t *last_used(const struct uses *uses, double now_s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < uses->n; i++) {
        const struct model_use *use = &uses->all[i];
        if (use->earlier || !isfinite(use->to_s))
            continue;
        json_t *one = json_pack("{s:s, s:f, s:s}", "model", use->model, "ago_s", now_s - use->to_s,
                                "by", use_name(use->use));
        if (isfinite(use->from_s))
            json_object_set_new(one, "ago_most_s", json_real(now_s - use->from_s));
        json_array_append_new(list, one);
    }
    return list;
}

/* What a container is doing: "busy: cpu 43 % of a core"; and its throttle. */
static void add_activity(const struct state *state, size_t i, json_t *container)
{
    const struct assessment *a = &state->judgement->assessments[i];
    char text[160];
    snprintf(text, sizeof text, "%s%s%s", activity_name(a->activity), *a->why ? ": " : "", a->why);
    json_object_set_new(container, "activity", json_string(text));
    json_object_set_new(container, "level", json_string(pressure_name(a->level)));
    if (a->activity != ACTIVITY_STOPPED)
        json_object_set_new(container, "ruled_out", state_ruled_out(a));
    if (a->uses)
        json_object_set_new(container, "last_used", last_used(a->uses, state->world->monotonic_s));
    if (state->healer && *throttler_text(state->healer, a->id, text, sizeof text))
        json_object_set_new(container, "throttled", json_string(text));
}

/* Models that are wanted, and how far each is. */
static void add_pulls(const struct puller *puller, const char *id, json_t *container)
{
    const struct wanted_pull *pull = NULL;
    json_t *list = json_array();
    while (puller && (pull = puller_next(puller, id, pull)) != NULL)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:o*, s:o*, s:o*}", "model", pull->model,
                                        "state", wanted_pull_states[pull->state], "tries",
                                        pull->tries, "current", json_known(pull->current), "total",
                                        json_known(pull->total), "why", json_told(pull->text)));
    if (json_array_size(list) > 0)
        json_object_set(container, "pulls", list);
    json_decref(list);
}

json_t *state_verdict(const struct state *state, size_t i)
{
    const struct verdict *v = &state->judgement->verdicts[i];
    bool young =
        v->state == VERDICT_SUSPECT && state->world->monotonic_s - v->since_s < state->suspect_s;
    return v->state == VERDICT_CLEARED || young
               ? NULL
               : verdict_to_json(v, state->healer ? healer_acted(state->healer, v->id) : "");
}

json_t *state_verdicts(const struct state *state, const char *id)
{
    json_t *list = json_array();
    for (size_t i = 0; i < state->judgement->n_verdicts; i++) {
        json_t *one = !id || strcmp(state->judgement->verdicts[i].id, id) == 0
                          ? state_verdict(state, i)
                          : NULL;
        if (one)
            json_array_append_new(list, one);
    }
    return list;
}

static int append(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

/* Takes over the value; NULL: there is none to be appended. */
static int append_json(struct buffer *buffer, const char *before, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    int r = !value ? 0 : !text || append(buffer, before) < 0 ? -1 : append(buffer, text);
    json_decref(value);
    free(text);
    return r;
}

static json_t *container_json(const struct state *state, size_t i)
{
    struct world one;
    world_init(&one);
    one.containers = &state->world->containers[i];
    one.n_containers = 1;
    json_t *world = world_to_json(&one);
    json_t *container = json_incref(json_array_get(json_object_get(world, "containers"), 0));
    json_decref(world);
    if (container && i < state->judgement->n_assessments)
        add_activity(state, i, container);
    if (container)
        add_pulls(state->puller, state->world->containers[i].id, container);
    return container;
}

static int append_all(struct buffer *buffer, const struct state *state, json_t *more)
{
    struct world head = *state->world;
    head.n_containers = 0;
    json_t *json = world_to_json(&head);
    if (!json)
        return -1;
    add_levels(state->judgement, json);
    json_object_update(json, more);
    json_object_del(json, "containers");
    int r = append_json(buffer, "", json);
    if (r == 0)
        buffer->length--; /* the bracket at the end */
    r = r < 0 ? r : append(buffer, ",\"containers\":[");
    for (size_t i = 0; r == 0 && i < state->world->n_containers; i++)
        r = append_json(buffer, i ? "," : "", container_json(state, i));
    r = r < 0 ? r : append(buffer, "],\"verdicts\":[");
    bool any = false;
    for (size_t i = 0; r == 0 && i < state->judgement->n_verdicts; i++) {
        json_t *verdict = state_verdict(state, i);
        r = append_json(buffer, any ? "," : "", verdict);
        any |= verdict != NULL;
    }
    return r < 0 ? r : append(buffer, "]}");
}

char *state_to_text(const struct state *state, json_t *more)
{
    struct buffer buffer;
    buffer_init(&buffer, TEXT_MAX);
    if (append_all(&buffer, state, more) == 0)
        return buffer.data;
    buffer_clear(&buffer);
    return NULL;
}

json_t *state_to_json(const struct state *state)
{
    char *text = state_to_text(state, NULL);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    return json;
}
