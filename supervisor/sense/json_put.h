/* Members of an object that we write. What is unknown, or "", is left out. */
#ifndef SUPERVISOR_SENSE_JSON_PUT_H
#define SUPERVISOR_SENSE_JSON_PUT_H

#include "base/fact.h"
#include <jansson.h>

/* For json_pack's "o*", which leaves a NULL out. */
static inline json_t *json_known(fact value)
{
    return fact_known(value) ? json_integer(value) : NULL;
}
static inline json_t *json_told(const char *text)
{
    return text && *text ? json_string(text) : NULL;
}

/* object may be NULL: then nothing happens. */
static inline void put_known(json_t *object, const char *name, fact value)
{
    if (fact_known(value))
        json_object_set_new(object, name, json_integer(value));
}
/* The same, and null for what is known to be none. */
static inline void put_fact(json_t *object, const char *name, fact value)
{
    if (value == FACT_NONE)
        json_object_set_new(object, name, json_null());
    put_known(object, name, value);
}
static inline void put_text(json_t *object, const char *name, const char *text)
{
    if (text && *text)
        json_object_set_new(object, name, json_string(text));
}
/* Seconds and the like: what is negative is unknown. */
static inline void put_real(json_t *object, const char *name, double value)
{
    if (value >= 0)
        json_object_set_new(object, name, json_real(value));
}

#endif
