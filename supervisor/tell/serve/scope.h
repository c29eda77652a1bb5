/* What the older APIs ask about: one container, or all together; and their words. */
#ifndef SUPERVISOR_TELL_SERVE_SCOPE_H
#define SUPERVISOR_TELL_SERVE_SCOPE_H

#include "tell/serve/operations.h"

/* A model in the path, by the name that each of them has for it, and the container that is meant.
 */
#define MODEL_PARAMETERS(its_name)                                                                 \
    {.name = (its_name),                                                                           \
     .type = API_STRING,                                                                           \
     .about = "the model; a / in it as %2F",                                                       \
     .longest = 255},                                                                              \
    {                                                                                              \
        .name = "container", .type = API_STRING, .about = "in this one", .filled = true,           \
        .optional = true                                                                           \
    }

/* The container that is named by `container`, else the only enforced one, else all that run. */
struct scope {
    struct state state;
    const struct container *one; /* NULL: all together */
    fact held, limit;            /* limit: of it; all together: the host's memory */
    fact models;                 /* bytes that Ollama lists */
    size_t n_models;
    enum pressure_level level;
};

/* false: the call is answered. */
bool scope_of(struct serve *serve, struct api_call *call, struct scope *ret_scope);
bool scope_has(const struct scope *scope, const struct container *c);

double scope_gb(fact bytes);                               /* 10^9 bytes; < 0: unknown */
void put_gb(json_t *object, const char *name, fact bytes); /* left out where it is unknown */
/* RFC 3339 of a time since boot (seconds). */
void scope_time(double boottime_s, char *text, size_t size);
/* One of "model-unavailable", "memory-pressure", "system-error", "leak", "limit-drift", "oom-kill",
 * "thermal". */
const char *alert_type(const char *verdict);
const char *alert_severity(const char *severity); /* critical high low */
/* Standing verdicts of the scope as alerts; *ret_critical: how many of them are. */
json_t *scope_alerts(const struct scope *scope, size_t *ret_critical);

/* A GET that changes something is not to be done by HEAD. false: the call is answered. */
bool scope_is_get(struct api_call *call);

#endif
