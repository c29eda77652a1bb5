/* What a caller says, held against the table: parameters as text, bodies as JSON. Pure. */
#ifndef SUPERVISOR_TELL_API_VALUES_H
#define SUPERVISOR_TELL_API_VALUES_H

#include "base/error.h"
#include "tell/api/route.h"

/* Percent-decodes into text (at least API_VALUE_MAX bytes), '+' is a blank in a query. Its length,
 * -EINVAL: a byte that is not encoded well, NUL, or no UTF-8; -EMSGSIZE. */
int api_decode(const char *from, size_t length, bool query, char *text);

/* The parameters of a route as one JSON object, typed; those that are not there are left out.
 * -EINVAL with the sentence: one that is missing, given twice, not known, or not what it must be;
 * -ENOMEM. */
int api_parameters(const struct api_route *route, const struct api_match *match, const char *query,
                   json_t **ret_values, struct error *err);

/* Whether a value is what the schema says; whole numbers in it are JSON integers then. -EINVAL with
 * the sentence that names the member. */
int api_check_value(const struct api_schema *schema, json_t *value, struct error *err);

#endif
