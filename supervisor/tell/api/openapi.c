#include "tell/api/openapi.h"

#include <stdio.h>
#include <string.h>

static const struct api_member problem_members[] = {
    {.name = "title", .type = API_STRING, .about = "the status in words"},
    {.name = "status", .type = API_INTEGER, .about = "the status"},
    {.name = "detail", .type = API_STRING, .about = "one sentence: what is wrong, and the remedy"},
    {0},
};
static const struct api_schema problem = {.name = "Problem",
                                          .about = "Why something was not done (RFC 9457)",
                                          .members = problem_members,
                                          .open = true};

/* What is made is looked at once, in the end: each step goes on without memory too. */
static void set(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static json_t *reference(json_t *schemas, const struct api_schema *schema);

static json_t *type_of(json_t *schemas, const struct api_member *member)
{
    static const char *const names[] = {"string", "integer", "number", "boolean", "object"};
    if (member->type == API_OBJECT && member->schema)
        return reference(schemas, member->schema);
    json_t *type = json_object();
    set(type, "type", json_string(names[member->type]));
    if (member->type == API_STRING && !member->choices)
        set(type, "maxLength",
            json_integer((json_int_t)(member->longest ? member->longest : API_LONGEST)));
    if (member->filled)
        set(type, "minLength", json_integer(1));
    if (member->choices) {
        json_t *choices = json_array();
        for (const char *const *choice = member->choices; *choice; choice++)
            json_array_append_new(choices, json_string(*choice));
        set(type, "enum", choices);
    }
    if (member->bounded && member->type == API_INTEGER) {
        set(type, "minimum", json_integer((json_int_t)member->min));
        set(type, "maximum", json_integer((json_int_t)member->max));
    } else if (member->bounded) {
        set(type, "minimum", json_real(member->min));
        set(type, "maximum", json_real(member->max));
    }
    return type;
}

static json_t *schema_of(json_t *schemas, const struct api_member *member)
{
    json_t *type = type_of(schemas, member);
    if (member->list)
        type = json_pack("{s:s, s:o}", "type", "array", "items", type);
    if (member->nullable)
        type = json_pack("{s:[o, {s:s}]}", "anyOf", type, "type", "null");
    return type;
}

static json_t *members_of(json_t *schemas, const struct api_schema *schema)
{
    json_t *members = json_object(), *required = json_array();
    for (const struct api_member *member = schema->members; member->name; member++) {
        json_t *type = schema_of(schemas, member);
        set(type, "description", json_string(member->about));
        set(members, member->name, type);
        if (!member->optional)
            json_array_append_new(required, json_string(member->name));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:b}", "type", "object", "description", schema->about,
                     "properties", members, "required", required, "additionalProperties",
                     schema->open);
}

/* Where the schema is described: put there at its first use. */
static json_t *reference(json_t *schemas, const struct api_schema *schema)
{
    char where[128];
    if (!json_object_get(schemas, schema->name))
        set(schemas, schema->name, members_of(schemas, schema));
    snprintf(where, sizeof where, "#/components/schemas/%s", schema->name);
    return json_pack("{s:s}", "$ref", where);
}

static json_t *content(const char *type, json_t *schema)
{
    return json_pack("{s:{s:o}}", type, "schema", schema);
}

static json_t *parameters(const struct api_route *route)
{
    json_t *all = json_array();
    const char *path = route->path;
    for (const struct api_member *parameter = route->parameters; parameter && parameter->name;
         parameter++) {
        bool in_path = (path = path ? strchr(path, '{') : NULL) != NULL;
        path = path ? path + 1 : NULL;
        struct api_member described = *parameter;
        described.filled = described.filled || in_path;
        json_array_append_new(
            all, json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", parameter->name, "in",
                           in_path ? "path" : "query", "required", in_path || !parameter->optional,
                           "description", parameter->about, "schema", type_of(NULL, &described)));
    }
    return all;
}

static json_t *answers(json_t *schemas, const struct api_route *route)
{
    char status[16];
    json_t *all = json_object();
    for (const struct api_answer *answer = route->answers; answer->status; answer++) {
        json_t *one = json_pack("{s:s}", "description", answer->about);
        json_t *schema = answer->schema ? reference(schemas, answer->schema) : json_object();
        if (answer->schema && answer->list)
            schema = json_pack("{s:s, s:o}", "type", "array", "items", schema);
        const char *type = answer->type ? answer->type : answer->schema ? "application/json" : NULL;
        if (type)
            set(one, "content", content(type, schema));
        else
            json_decref(schema);
        snprintf(status, sizeof status, "%d", answer->status);
        set(all, status, one);
    }
    if (!json_object_get(all, "default"))
        set(all, "default",
            json_pack("{s:s, s:o}", "description", "why not", "content",
                      content("application/problem+json", reference(schemas, &problem))));
    return all;
}

/* Whether it cannot be left out. */
static bool needs_body(const struct api_schema *schema)
{
    for (const struct api_member *member = schema->members; member->name; member++) {
        if (!member->optional)
            return true;
    }
    return false;
}

static json_t *operation(json_t *schemas, const struct api_route *route)
{
    json_t *one = json_pack("{s:s, s:s, s:[s]}", "operationId", route->id, "summary", route->about,
                            "tags", route->family);
    if (route->parameters)
        set(one, "parameters", parameters(route));
    if (route->body)
        set(one, "requestBody",
            json_pack("{s:b, s:o}", "required", needs_body(route->body), "content",
                      content("application/json", reference(schemas, route->body))));
    set(one, "responses", answers(schemas, route));
    set(one, "security",
        route->access == API_ADMIN ? json_pack("[{s:[]}]", "token")
                                   : json_pack("[{}, {s:[]}]", "token"));
    return one;
}

json_t *api_openapi(const struct api_route *routes, size_t n, const char *families,
                    const char *title, const char *version, const char *about)
{
    static const char *const methods[] = {[NET_GET] = "get",
                                          [NET_POST] = "post",
                                          [NET_PUT] = "put",
                                          [NET_DELETE] = "delete",
                                          [NET_PATCH] = "patch"};
    json_t *paths = json_object(), *schemas = json_object();
    for (size_t i = 0; i < n; i++) {
        if (families && !net_list_has(families, routes[i].family))
            continue;
        json_t *path = json_object_get(paths, routes[i].path);
        if (!path)
            set(paths, routes[i].path, path = json_object());
        set(path, methods[routes[i].method], operation(schemas, &routes[i]));
    }
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o, s:{s:o, s:{s:{s:s, s:s}}}}", "openapi", "3.1.0",
                     "info", "title", title, "version", version, "description", about, "paths",
                     paths, "components", "schemas", schemas, "securitySchemes", "token", "type",
                     "http", "scheme", "bearer");
}
