/* The description of an API as OpenAPI 3.1, made from the table that routes. Pure. */
#ifndef SUPERVISOR_TELL_API_OPENAPI_H
#define SUPERVISOR_TELL_API_OPENAPI_H

#include "tell/api/route.h"

/* families as in api_match. NULL: no memory. */
json_t *api_openapi(const struct api_route *routes, size_t n, const char *families,
                    const char *title, const char *version, const char *about);

#endif
