#include "tell/api/route.h"
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- a path against a pattern, segment by segment */

static bool is_name(const char *segment)
{
    return *segment == '{';
}

enum fit { NO_FIT, BY_NAME, BY_WORD };

/* How far it fits: as far as the first segment in which a literal would have been nearer. */
static enum fit fits(const char *pattern, const char *path, size_t length,
                     struct api_segment *segments, unsigned *ret_literal)
{
    const char *end = path + length;
    enum fit found = BY_WORD;
    unsigned n = 0;
    *ret_literal = 0;
    for (bool literal = true; *pattern;) {
        size_t theirs = 1 + strcspn(pattern + 1, "/");
        const char *slash = path < end ? memchr(path + 1, '/', (size_t)(end - path - 1)) : NULL;
        size_t ours = (size_t)((slash ? slash : end) - path);
        if (path == end)
            return NO_FIT;
        if (is_name(pattern + 1)) {
            if (ours < 2 || n == API_SEGMENTS_MAX)
                return NO_FIT;
            segments[n++] = (struct api_segment){path + 1, ours - 1};
            found = BY_NAME;
            literal = false;
        } else if (ours != theirs || memcmp(pattern, path, ours) != 0) {
            return NO_FIT;
        }
        *ret_literal += literal;
        pattern += theirs;
        path += ours;
    }
    return path == end ? found : NO_FIT;
}

static const char *const method_names[] = {"GET",    "HEAD",  "POST",    "PUT",
                                           "DELETE", "PATCH", "OPTIONS", ""};

static void allow(struct api_match *match, enum net_method method)
{
    char *end = match->allow + strlen(match->allow);
    size_t room = sizeof match->allow - strlen(match->allow);
    if (strstr(match->allow, method_names[method]))
        return;
    snprintf(end, room, "%s%s%s", *match->allow ? ", " : "", method_names[method],
             method == NET_GET ? ", HEAD" : "");
}

void api_match(const struct api_route *routes, size_t n, const char *families,
               enum net_method method, const char *path, size_t length, struct api_match *ret_match)
{
    enum net_method wanted = method == NET_HEAD ? NET_GET : method;
    unsigned best = 0, literal;
    *ret_match = (struct api_match){0};
    for (size_t i = 0; i < n; i++) {
        const struct api_route *route = &routes[i];
        struct api_segment segments[API_SEGMENTS_MAX] = {0};
        if (families && !net_list_has(families, route->family))
            continue;
        enum fit fit = fits(route->path, path, length, segments, &literal);
        unsigned nearness = fit == BY_WORD ? 1000 : literal + 1;
        if (fit == NO_FIT)
            continue;
        ret_match->known = true;
        allow(ret_match, route->method);
        if (route->method == wanted && nearness > best) {
            best = nearness;
            ret_match->route = route;
            memcpy(ret_match->segments, segments, sizeof segments);
        }
    }
}

/* ---- whether the table is whole */

static int lacks(struct error *err, const struct api_route *route, const char *what)
{
    return error_set(err, FAILURE_JOB, -EINVAL, "the route %s %s %s", method_names[route->method],
                     route->path ? route->path : "(none)", what);
}

static const char *check_path(const struct api_route *route)
{
    const struct api_member *parameter = route->parameters;
    unsigned n = 0;
    if (!route->path || *route->path != '/')
        return "has no path";
    for (const char *at = strchr(route->path, '{'); at; at = strchr(at + 1, '{'), n++) {
        size_t length = strcspn(at + 1, "}");
        if (at[-1] != '/' || !at[1 + length] || (at[2 + length] && at[2 + length] != '/'))
            return "has a name that is no whole segment";
        if (!parameter || !parameter->name || strlen(parameter->name) != length ||
            strncmp(at + 1, parameter->name, length) != 0)
            return "does not describe the names of its path in their order";
        parameter++;
    }
    return n > API_SEGMENTS_MAX ? "has too many names in its path" : NULL;
}

static const char *check_members(const struct api_member *members, unsigned max)
{
    unsigned n = 0;
    for (; members && members->name; members++, n++) {
        if (!members->about || !*members->about)
            return "has a member or parameter without a sentence";
        if (members->bounded && !(members->min <= members->max))
            return "has bounds that are none";
    }
    return n > max ? "has too many parameters" : NULL;
}

static const char *check_schema(const struct api_schema *schema, int depth)
{
    if (!schema)
        return NULL;
    if (!schema->name || !schema->about || !schema->members || depth > 8)
        return "has a schema that is not described";
    const char *wrong = check_members(schema->members, 1000);
    for (const struct api_member *member = schema->members; member->name && !wrong; member++)
        wrong = check_schema(member->schema, depth + 1);
    return wrong;
}

static const char *check_answers(const struct api_answer *answers)
{
    const char *wrong = NULL;
    if (!answers || answers->status == 0)
        return "describes no answer";
    for (; answers->status && !wrong; answers++) {
        if (answers->status < 200 || answers->status > 599 || !answers->about || !*answers->about)
            return "has an answer that is not described";
        wrong = check_schema(answers->schema, 0);
    }
    return wrong;
}

static const char *check_one(const struct api_route *routes, size_t i)
{
    const struct api_route *route = &routes[i];
    const char *wrong = check_path(route);
    if (!wrong &&
        (!route->id || !route->about || !*route->about || !route->family || !route->serve))
        return "has no id, sentence, family or server";
    if (route->method == NET_HEAD || route->method >= NET_OPTIONS)
        wrong = "has a method that no route can have";
    for (size_t k = 0; k < i && !wrong; k++) {
        if (strcmp(routes[k].id, route->id) == 0)
            return "has the id of another one";
        if (routes[k].method == route->method && strcmp(routes[k].path, route->path) == 0)
            return "is there twice";
    }
    if (!wrong)
        wrong = check_members(route->parameters, API_PARAMETERS_MAX);
    if (!wrong)
        wrong = check_schema(route->body, 0);
    return wrong ? wrong : check_answers(route->answers);
}

int api_check(const struct api_route *routes, size_t n, struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        const char *wrong = check_one(routes, i);
        if (wrong)
            return lacks(err, &routes[i], wrong);
    }
    return 0;
}
