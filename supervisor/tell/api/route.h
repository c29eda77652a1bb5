/* The table of what an HTTP API has: it routes, it checks what is asked, and it is the description
 * that openapi.h makes. What it does not describe does not exist. Nothing here knows the product.
 */
#ifndef SUPERVISOR_TELL_API_ROUTE_H
#define SUPERVISOR_TELL_API_ROUTE_H

#include "net/exchange.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum api_type { API_STRING, API_INTEGER, API_NUMBER, API_BOOLEAN, API_OBJECT };

/* A member of an object, or a parameter. Its unit is in its name or in `about`. */
struct api_member {
    const char *name; /* NULL ends a list of them */
    enum api_type type;
    const char *about;
    const struct api_schema *schema; /* of API_OBJECT; NULL: any object */
    bool optional, nullable, list;   /* list: of these */
    const char *const *choices;      /* of API_STRING; NULL-terminated; NULL: any */
    bool bounded;                    /* of numbers: */
    double min, max;
    size_t longest; /* of API_STRING, in characters; 0: API_LONGEST */
    bool filled;    /* of API_STRING: not empty; what stands in a path never is */
};

enum { API_LONGEST = 1024 };

struct api_schema {
    const char *name; /* "Event" */
    const char *about;
    const struct api_member *members;
    bool open; /* it may have further members */
};

struct api_answer {
    int status; /* 0 ends a list of them */
    const char *about;
    const struct api_schema *schema; /* NULL: none, or another type than JSON */
    bool list;                       /* of these */
    const char *type;                /* NULL: application/json where there is a schema */
};

/* What whoever asks must be allowed; the service that authenticates decides. */
enum api_access { API_READS, API_ACTS, API_ADMIN };

struct api_call;
typedef void api_serve(void *userdata, struct api_call *call);

struct api_route {
    enum net_method method; /* GET, which serves HEAD too, POST, PUT, DELETE, PATCH */
    const char *path;       /* "/api/v1/events/{id}": a {name} is a whole segment */
    const char *id;         /* operationId, unique */
    const char *family;     /* can be left out as a whole */
    const char *about;      /* one sentence */
    enum api_access access;
    const struct api_member *parameters; /* those in the path, then those of the query; or NULL */
    const struct api_schema *body;       /* JSON; NULL: none, and one that is sent is not read */
    const struct api_answer *answers;
    api_serve *serve;
};

enum { API_SEGMENTS_MAX = 4, API_PARAMETERS_MAX = 16, API_VALUE_MAX = 4 * API_LONGEST + 1 };

struct api_segment { /* what stands for a {name} in a path, not decoded yet */
    const char *text;
    size_t length;
};

struct api_match {
    const struct api_route *route;                 /* NULL: none */
    bool known;                                    /* the path is, for other methods */
    char allow[96];                                /* those methods, "GET, HEAD, POST" */
    struct api_segment segments[API_SEGMENTS_MAX]; /* in the order of the path */
};

/* Finds the route of a method and a path; a literal segment goes before a {name}. Of families (a
 * comma-separated list, NULL: all) only these are there. Pure. */
void api_match(const struct api_route *routes, size_t n, const char *families,
               enum net_method method, const char *path, size_t length,
               struct api_match *ret_match);

/* Whether the table is whole: each route has its id (unique), sentence, parameters for the path's
 * names in their order, and answers, each with its sentence. 0, -EINVAL with the route and what it
 * lacks. Pure. */
struct error;
int api_check(const struct api_route *routes, size_t n, struct error *err);

#endif
