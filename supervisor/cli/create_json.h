/* What create says to a program. */
#ifndef SUPERVISOR_CLI_CREATE_JSON_H
#define SUPERVISOR_CLI_CREATE_JSON_H

#include "deploy/create.h"
#include <jansson.h>

/* What was seen, planned and done, in bytes. A new reference; NULL when memory is spent. */
json_t *create_json(const struct create_result *result);

#endif
