#include "tell/api/values.h"
#include "base/buffer.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- text from a URL */

static int hex(char c)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, tolower((unsigned char)c));
    return c && at ? (int)(at - digits) : -1;
}

int api_decode(const char *from, size_t length, bool query, char *text)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) {
        char c = from[i];
        if (c == '%') {
            int high = length - i > 2 ? hex(from[i + 1]) : -1;
            int low = length - i > 2 ? hex(from[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -EINVAL;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && query) {
            c = ' ';
        }
        if (c == '\0')
            return -EINVAL;
        if (n == API_VALUE_MAX - 1)
            return -EMSGSIZE;
        text[n++] = c;
    }
    text[n] = '\0';
    json_t *valid = json_stringn(text, n); /* NULL for what is no UTF-8 */
    if (!valid)
        return -EINVAL;
    json_decref(valid);
    return (int)n;
}

/* ---- one value */

static int wrong(struct error *err, const char *name, const char *what)
{
    return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.64s\" %s", name, what);
}

static int check_string(const struct api_member *member, const char *text, struct error *err)
{
    size_t characters = 0;
    for (const char *at = text; *at; at++)
        characters += (*at & 0xc0) != 0x80; /* of UTF-8, as JSON Schema counts them */
    if (characters > (member->longest ? member->longest : API_LONGEST))
        return wrong(err, member->name, "is too long");
    if (characters == 0 && member->filled)
        return wrong(err, member->name, "is empty");
    if (!member->choices)
        return 0;
    for (const char *const *choice = member->choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0)
            return 0;
    }
    error_set(err, FAILURE_USAGE, -EINVAL, "\"%s\" is none of: ", member->name);
    for (const char *const *choice = member->choices; err && *choice; choice++) {
        size_t length = strlen(err->message), room = sizeof err->message - length;
        snprintf(err->message + length, room, "%s%s", choice == member->choices ? "" : ", ",
                 *choice);
    }
    return -EINVAL;
}

static int check_number(const struct api_member *member, double number, struct error *err)
{
    if (!member->bounded || (number >= member->min && number <= member->max))
        return 0;
    return error_set(err, FAILURE_USAGE, -EINVAL, "\"%s\" must be from %g to %g", member->name,
                     member->min, member->max);
}

static int check_members(const struct api_schema *schema, json_t *value, struct error *err);

static int check_one(const struct api_member *member, json_t *value, struct error *err)
{
    switch (member->type) {
    case API_STRING:
        if (!json_is_string(value))
            return wrong(err, member->name, "must be a string");
        return check_string(member, json_string_value(value), err);
    case API_INTEGER:
        if (!json_is_integer(value))
            return wrong(err, member->name, "must be a whole number");
        return check_number(member, (double)json_integer_value(value), err);
    case API_NUMBER:
        if (!json_is_number(value))
            return wrong(err, member->name, "must be a number");
        return check_number(member, json_number_value(value), err);
    case API_BOOLEAN:
        return json_is_boolean(value) ? 0 : wrong(err, member->name, "must be true or false");
    case API_OBJECT:
        if (!json_is_object(value))
            return wrong(err, member->name, "must be an object");
        return member->schema ? check_members(member->schema, value, err) : 0;
    default:
        return 0;
    }
}

/* 5.0 is a whole number to JSON Schema; whoever serves gets 5. NULL: it is as it must be. */
static json_t *whole(const struct api_member *member, const json_t *value)
{
    double number = json_is_real(value) ? json_real_value(value) : 0.5;
    bool exact = member->type == API_INTEGER && fabs(number) < 9e15 && number == floor(number);
    return exact ? json_integer((json_int_t)number) : NULL;
}

static int check_member(const struct api_member *member, json_t *value, struct error *err)
{
    size_t i;
    json_t *one, *exact;
    if (json_is_null(value) && member->nullable)
        return 0;
    if (!member->list)
        return check_one(member, value, err);
    if (!json_is_array(value))
        return wrong(err, member->name, "must be a list");
    json_array_foreach(value, i, one)
    {
        if ((exact = whole(member, one)))
            json_array_set_new(value, i, exact);
        int result = check_one(member, json_array_get(value, i), err);
        if (result < 0)
            return result;
    }
    return 0;
}

static int check_members(const struct api_schema *schema, json_t *value, struct error *err)
{
    size_t known = 0;
    for (const struct api_member *member = schema->members; member->name; member++) {
        json_t *one = json_object_get(value, member->name), *exact;
        if (!member->list && (exact = whole(member, one)))
            json_object_set_new(value, member->name, one = exact);
        if (!one && !member->optional)
            return wrong(err, member->name, "is missing");
        if (!one)
            continue;
        known++;
        int result = check_member(member, one, err);
        if (result < 0)
            return result;
    }
    if (schema->open || known == json_object_size(value))
        return 0;
    const char *name;
    json_t *one;
    json_object_foreach(value, name, one)
    {
        const struct api_member *member = schema->members;
        while (member->name && strcmp(member->name, name) != 0)
            member++;
        if (!member->name)
            return wrong(err, name, "is not known here");
    }
    return 0;
}

int api_check_value(const struct api_schema *schema, json_t *value, struct error *err)
{
    if (!json_is_object(value))
        return error_set(err, FAILURE_USAGE, -EINVAL, "the body must be a JSON object");
    return check_members(schema, value, err);
}

/* ---- parameters */

/* From text to the value that its type says; NULL: it is none. */
static json_t *typed(const struct api_member *parameter, const char *text)
{
    char *end;
    errno = 0;
    if (parameter->type == API_BOOLEAN)
        return strcmp(text, "true") == 0    ? json_true()
               : strcmp(text, "false") == 0 ? json_false()
                                            : NULL;
    if (parameter->type != API_INTEGER && parameter->type != API_NUMBER)
        return json_string(text);
    if (!*text || text[strspn(text, "+-.0123456789eE")])
        return NULL;
    if (parameter->type == API_INTEGER) {
        long long whole = strtoll(text, &end, 10);
        return errno || *end || *text == '+' ? NULL : json_integer(whole);
    }
    double number = strtod(text, &end);
    return *end || !isfinite(number) ? NULL : json_real(number);
}

static int put(json_t *values, const struct api_member *parameter, const char *from, size_t length,
               bool query, struct error *err)
{
    char text[API_VALUE_MAX];
    if (api_decode(from, length, query, text) < 0)
        return wrong(err, parameter->name, "is too long, or not encoded as it must be");
    json_t *value = typed(parameter, text);
    int result = value ? check_one(parameter, value, err)
                       : wrong(err, parameter->name,
                               parameter->type == API_BOOLEAN   ? "must be true or false"
                               : parameter->type == API_INTEGER ? "must be a whole number"
                                                                : "must be a number");
    if (result < 0) {
        json_decref(value);
        return result;
    }
    return json_object_set_new(values, parameter->name, value) == 0 ? 0 : -ENOMEM;
}

static int put_query(json_t *values, const struct api_member *parameters, const char *from,
                     size_t length, struct error *err)
{
    char name[API_VALUE_MAX];
    const char *equals = memchr(from, '=', length);
    size_t n = equals ? (size_t)(equals - from) : length;
    if (api_decode(from, n, true, name) < 0)
        return error_set(err, FAILURE_USAGE, -EINVAL, "the query is not encoded as it must be");
    while (parameters && parameters->name && strcmp(parameters->name, name) != 0)
        parameters++;
    if (!parameters || !parameters->name)
        return wrong(err, name, "is no parameter of this");
    if (json_object_get(values, name))
        return wrong(err, name, "is there twice");
    return put(values, parameters, equals ? equals + 1 : "", equals ? length - n - 1 : 0, true,
               err);
}

static int fill(json_t *values, const struct api_route *route, const struct api_match *match,
                const char *query, struct error *err)
{
    const struct api_member *parameter = route->parameters;
    int result = 0;
    for (unsigned i = 0; i < API_SEGMENTS_MAX && match->segments[i].text && result == 0; i++)
        result = put(values, parameter++, match->segments[i].text, match->segments[i].length, false,
                     err);
    while (*query && result == 0) {
        size_t length = strcspn(query, "&");
        if (length > 0)
            result = put_query(values, parameter, query, length, err);
        query += length;
        query += *query == '&';
    }
    for (; parameter && parameter->name && result == 0; parameter++) {
        if (!parameter->optional && !json_object_get(values, parameter->name))
            result = wrong(err, parameter->name, "is missing");
    }
    return result;
}

int api_parameters(const struct api_route *route, const struct api_match *match, const char *query,
                   json_t **ret_values, struct error *err)
{
    json_t *values = json_object();
    int result = values ? fill(values, route, match, query, err) : -ENOMEM;
    if (result < 0) {
        json_decref(values);
        return result;
    }
    *ret_values = values;
    return 0;
}
