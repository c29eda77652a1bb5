/* Members of an answer that somebody else wrote (the engine, Ollama). A member that is absent, of
 * the wrong type or out of range is unknown. */
#ifndef SUPERVISOR_SENSE_JSON_MEMBER_H
#define SUPERVISOR_SENSE_JSON_MEMBER_H

#include "base/fact.h"
#include <jansson.h>

/* The largest tree that is built of an answer: jansson takes up to 250 bytes a value beside its
 * text, so 8 MiB; of one container or event 2 MiB. The largest real one, /api/show, has some
 * hundred; an inspect some thousand. */
enum { ANSWER_VALUES_MAX = 32768, ANSWER_VALUES_FEW = 8192, ANSWER_DEPTH_MAX = 64 };

/* Parses a whole answer, which must be an object or an array; NULL if it is not JSON, or has more
 * values or brackets within brackets than the above. NUL
 * characters inside strings are let through (and end the string for member_text): one odd label
 * must not hide all other containers. Where a number is beyond int64 (a pids limit of 2^64 - 1) all
 * of them are doubles, exact up to 2^53. Owned by the caller: CLEANUP_JSON. */
json_t *answer_parse(const char *text, size_t length);
/* The same with another number of values. */
json_t *answer_parse_within(const char *text, size_t length, size_t values_max);

/* Whole numbers >= 0, up to 2^53 where they were parsed as doubles; else FACT_UNKNOWN. */
fact member_fact(const json_t *object, const char *key);
/* The same; null is FACT_NONE. */
fact member_limit(const json_t *object, const char *key);
/* true 1, false 0, else FACT_UNKNOWN. */
fact member_truth(const json_t *object, const char *key);
/* The string, or NULL; belongs to the object. */
const char *member_string(const json_t *object, const char *key);
/* The same, but never NULL: otherwise where there is none. */
const char *member_string_or(const json_t *object, const char *key, const char *otherwise);
/* The first of a list of objects in which the member of this name is that string; NULL: none. */
const json_t *member_find(const json_t *list, const char *key, const char *value);
/* Copies the string, cleaned (text_clean.h), if it fits, else text is "" (a cut name would name
 * something else). */
void member_text(const json_t *object, const char *key, char *text, size_t size);

static inline void json_cleanup(json_t **json)
{
    json_decref(*json);
}
#define CLEANUP_JSON __attribute__((cleanup(json_cleanup)))

#endif
