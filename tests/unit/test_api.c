/* The table of an API: what it finds, what it refuses, what it says of itself. */
#include "base/error.h"
#include "tell/api/openapi.h"
#include "tell/api/route.h"
#include "tell/api/values.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
// clang-format off
#include <cmocka.h>
// clang-format on

static void nothing(void *userdata, struct api_call *call)
{
    (void)userdata;
    (void)call;
}

static const char *const levels[] = {"low", "high", NULL};
static const struct api_member part_members[] = {
    {.name = "bytes", .type = API_INTEGER, .about = "how large", .bounded = true, .max = 100}, {0}};
static const struct api_schema part = {"Part", "a part", part_members, false};
static const struct api_member thing_members[] = {
    {.name = "name", .type = API_STRING, .about = "its name", .longest = 8, .filled = true},
    {.name = "level", .type = API_STRING, .about = "of it", .choices = levels, .optional = true},
    {.name = "parts",
     .type = API_OBJECT,
     .about = "of it",
     .schema = &part,
     .list = true,
     .optional = true},
    {.name = "share", .type = API_NUMBER, .about = "in %", .nullable = true, .optional = true},
    {0}};
static const struct api_schema thing = {"Thing", "a thing", thing_members, false};
static const struct api_member by_id[] = {
    {.name = "id", .type = API_STRING, .about = "whose"},
    {.name = "points",
     .type = API_INTEGER,
     .about = "how many",
     .optional = true,
     .bounded = true,
     .min = 1,
     .max = 1000},
    {.name = "from", .type = API_NUMBER, .about = "since", .optional = true},
    {.name = "all", .type = API_BOOLEAN, .about = "all of them", .optional = true},
    {0}};
static const struct api_member needed[] = {
    {.name = "level", .type = API_STRING, .about = "which", .choices = levels}, {0}};
static const struct api_answer good[] = {{.status = 200, .about = "it is so", .schema = &thing},
                                         {0}};

static const struct api_route routes[] = {
    {NET_GET, "/", "root", "page", "The page.", API_READS, NULL, NULL, good, nothing},
    {NET_GET, "/things", "things", "main", "All.", API_READS, needed, NULL, good, nothing},
    {NET_POST, "/things", "make", "main", "Makes one.", API_ADMIN, NULL, &thing, good, nothing},
    {NET_GET, "/things/{id}", "one", "main", "One.", API_READS, by_id, NULL, good, nothing},
    {NET_GET, "/things/all", "all", "main", "By word.", API_READS, NULL, NULL, good, nothing},
    {NET_DELETE, "/things/{id}/parts", "drop", "main", "Drops.", API_ACTS, by_id, NULL, good,
     nothing},
};
enum { N = sizeof routes / sizeof *routes };

static struct api_match find(enum net_method method, const char *path, const char *families)
{
    struct api_match match;
    api_match(routes, N, families, method, path, strlen(path), &match);
    return match;
}

static void finds(enum net_method method, const char *path, const char *id)
{
    struct api_match match = find(method, path, NULL);
    if (!match.route || strcmp(match.route->id, id) != 0)
        fail_msg("%s: %s", path, match.route ? match.route->id : "nothing");
}

static void test_match(void **state)
{
    (void)state;
    finds(NET_GET, "/", "root");
    finds(NET_HEAD, "/things", "things");
    finds(NET_POST, "/things", "make");
    finds(NET_GET, "/things/7", "one");
    finds(NET_GET, "/things/all", "all");
    finds(NET_GET, "/things/alle", "one");
    finds(NET_DELETE, "/things/all/parts", "drop");
    struct api_match match = find(NET_DELETE, "/things/a%2Fb/parts", NULL);
    assert_int_equal(match.segments[0].length, 5);
    assert_memory_equal(match.segments[0].text, "a%2Fb", 5);
    /* A route that fitted before leaves nothing: one without parameters has none. */
    match = find(NET_GET, "/things/all", NULL);
    json_t *values = NULL;
    struct error err;
    assert_null(match.segments[0].text);
    assert_int_equal(api_parameters(match.route, &match, "", &values, &err), 0);
    assert_int_equal(json_object_size(values), 0);
    json_decref(values);
    static const char *const unknown[] = {
        "",        "/thing",         "/things/",          "/things/1/",
        "//",      "/things//parts", "/things/1/parts/2", "things",
        "/Things", "/things/1/part"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_false(find(NET_GET, unknown[i], NULL).known);
    match = find(NET_PUT, "/things", NULL);
    assert_true(match.known && !match.route);
    assert_string_equal(match.allow, "GET, HEAD, POST");
    assert_string_equal(find(NET_OTHER, "/things/1/parts", NULL).allow, "DELETE");
    assert_string_equal(find(NET_PUT, "/things/all", NULL).allow, "GET, HEAD");
    assert_false(find(NET_GET, "/things", "page").known);
    assert_true(find(NET_GET, "/", "other, page").known);
}

static int decode(const char *from, bool query, char *text)
{
    return api_decode(from, strlen(from), query, text);
}

static void test_decode(void **state)
{
    static char text[API_VALUE_MAX], longest[API_VALUE_MAX + 1];
    (void)state;
    assert_int_equal(decode("a+b%20c%c3%A4", true, text), 7);
    assert_string_equal(text, "a b c\xc3\xa4");
    assert_int_equal(decode("a+b", false, text), 3);
    assert_string_equal(text, "a+b");
    assert_int_equal(decode("", true, text), 0);
    static const char *const bad[] = {"%", "%4", "a%4", "%4g", "%g4", "%00", "%ff", "%c3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(decode(bad[i], true, text), -EINVAL);
    memset(longest, 'x', sizeof longest);
    assert_int_equal(api_decode(longest, API_VALUE_MAX - 1, true, text), API_VALUE_MAX - 1);
    assert_int_equal(api_decode(longest, API_VALUE_MAX, true, text), -EMSGSIZE);
}

static void parameters(const char *path, const char *query, const char *json, const char *why)
{
    struct api_match match = find(NET_GET, path, NULL);
    json_t *values = NULL;
    struct error err;
    int result = api_parameters(match.route, &match, query, &values, &err);
    if (why) {
        assert_int_equal(result, -EINVAL);
        if (!strstr(err.message, why))
            fail_msg("%s?%s: %s", path, query, err.message);
        return;
    }
    assert_int_equal(result, 0);
    char *text = json_dumps(values, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, json);
    free(text);
    json_decref(values);
}

static void test_parameters(void **state)
{
    (void)state;
    parameters("/things/a%20b", "", "{\"id\":\"a b\"}", NULL);
    parameters("/things/1", "points=7&&all=true&from=-1.5e3",
               "{\"all\":true,\"from\":-1500.0,\"id\":\"1\",\"points\":7}", NULL);
    parameters("/things", "level=high", "{\"level\":\"high\"}", NULL);
    parameters("/things", "", NULL, "\"level\" is missing");
    parameters("/things", "level=middle", NULL, "\"level\" is none of: low, high");
    parameters("/things/1", "id=2", NULL, "\"id\" is no parameter");
    parameters("/things/1", "pointz=2", NULL, "\"pointz\" is no parameter");
    parameters("/things/1", "points=2&points=2", NULL, "\"points\" is there twice");
    static const char *const none[] = {"points",
                                       "points=",
                                       "points=x",
                                       "points=1.5",
                                       "points=1e3",
                                       "points=+1",
                                       "points=99999999999999999999",
                                       "points=%201"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        parameters("/things/1", none[i], NULL, "\"points\" must be a whole number");
    parameters("/things/1", "points=0", NULL, "\"points\" must be from 1 to 1000");
    parameters("/things/1", "points=1001", NULL, "\"points\" must be from 1 to 1000");
    parameters("/things/1", "from=nan", NULL, "\"from\" must be a number");
    parameters("/things/1", "from=1e999", NULL, "\"from\" must be a number");
    parameters("/things/1", "all=yes", NULL, "\"all\" must be true or false");
    parameters("/things/%ff", "", NULL, "\"id\" is too long, or not encoded");
    parameters("/", "%zz", NULL, "the query is not encoded");
}

static void body(const char *json, const char *why)
{
    struct error err;
    json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    int result = api_check_value(&thing, value, &err);
    json_decref(value);
    assert_int_equal(result, why ? -EINVAL : 0);
    if (why && !strstr(err.message, why))
        fail_msg("%s: %s", json, err.message);
}

static void test_bodies(void **state)
{
    (void)state;
    body("{\"name\":\"a\"}", NULL);
    body("{\"name\":\"a\",\"level\":\"low\",\"share\":null,\"parts\":[{\"bytes\":0},{\"bytes\":100}"
         "]}",
         NULL);
    body("{\"name\":\"a\",\"share\":1}", NULL);
    body("[]", "must be a JSON object");
    body("{}", "\"name\" is missing");
    body("{\"name\":1}", "\"name\" must be a string");
    body("{\"name\":null}", "\"name\" must be a string");
    body("{\"name\":\"123456789\"}", "\"name\" is too long");
    body("{\"name\":\"12345678\"}", NULL);
    body("{\"name\":\"\u00e41234567\"}", NULL); /* characters, not bytes */
    body("{\"name\":\"\"}", "\"name\" is empty");
    body("{\"name\":\"a\",\"level\":\"x\"}", "\"level\" is none of: low, high");
    body("{\"name\":\"a\",\"parts\":{}}", "\"parts\" must be a list");
    body("{\"name\":\"a\",\"parts\":[1]}", "\"parts\" must be an object");
    body("{\"name\":\"a\",\"parts\":[{\"bytes\":1.5}]}", "\"bytes\" must be a whole number");
    body("{\"name\":\"a\",\"parts\":[{\"bytes\":101}]}", "\"bytes\" must be from 0 to 100");
    body("{\"name\":\"a\",\"other\":1}", "\"other\" is not known here");
}

static void test_whole_numbers(void **state)
{
    (void)state;
    json_t *value =
        json_loads("{\"name\":\"a\",\"parts\":[{\"bytes\":7.0},{\"bytes\":1e1}]}", 0, NULL);
    assert_int_equal(api_check_value(&thing, value, NULL), 0);
    char *text = json_dumps(value, JSON_SORT_KEYS | JSON_COMPACT);
    assert_string_equal(text, "{\"name\":\"a\",\"parts\":[{\"bytes\":7},{\"bytes\":10}]}");
    free(text);
    json_decref(value);
}

static void lacks(struct api_route route, const char *why)
{
    struct api_route all[2] = {routes[1], route};
    struct error err;
    assert_int_equal(api_check(all, 2, &err), -EINVAL);
    if (!strstr(err.message, why))
        fail_msg("%s", err.message);
}

static void test_tables(void **state)
{
    static const struct api_answer silent[] = {{.status = 200}, {0}}, none[] = {{0}};
    static const struct api_member unsaid[] = {{.name = "id", .type = API_STRING}, {0}};
    (void)state;
    assert_int_equal(api_check(routes, N, NULL), 0);
    struct api_route route = routes[3];
    route.about = "";
    lacks(route, "GET /things/{id} has no id, sentence");
    route = routes[3];
    route.id = routes[1].id;
    lacks(route, "has the id of another one");
    route = routes[1];
    route.id = "other";
    lacks(route, "is there twice");
    route = routes[3];
    route.parameters = needed;
    lacks(route, "does not describe the names of its path");
    route.parameters = NULL;
    lacks(route, "does not describe the names of its path");
    route.parameters = unsaid;
    lacks(route, "without a sentence");
    route = routes[3];
    route.method = NET_HEAD;
    lacks(route, "HEAD /things/{id} has a method that no route can have");
    route.method = NET_OTHER;
    lacks(route, "has a method that no route can have");
    route = routes[3];
    route.path = "/x{id}";
    lacks(route, "no whole segment");
    route = routes[3];
    route.answers = silent;
    lacks(route, "has an answer that is not described");
    route.answers = none;
    lacks(route, "describes no answer");
}

static const char *at(const json_t *value, const char *path)
{
    char name[64];
    while (*path && value) {
        size_t length = strcspn(path, ">");
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        value = json_is_array(value) ? json_array_get(value, (size_t)(name[0] - '0'))
                                     : json_object_get(value, name);
        path += length + (path[length] == '>');
    }
    return json_string_value(value);
}

static void test_description(void **state)
{
    (void)state;
    json_t *all = api_openapi(routes, N, NULL, "Things", "1", "What there is.");
    assert_non_null(all);
    assert_string_equal(at(all, "openapi"), "3.1.0");
    assert_string_equal(at(all, "paths>/things>post>operationId"), "make");
    assert_string_equal(at(all, "paths>/things/{id}>get>parameters>0>in"), "path");
    assert_string_equal(at(all, "paths>/things/{id}>get>parameters>1>in"), "query");
    assert_string_equal(
        at(all, "paths>/things>get>responses>200>content>application/json>schema>$ref"),
        "#/components/schemas/Thing");
    assert_string_equal(at(all, "components>schemas>Thing>properties>parts>items>$ref"),
                        "#/components/schemas/Part");
    assert_string_equal(at(all, "components>schemas>Problem>type"), "object");
    json_decref(all);
    all = api_openapi(routes, N, "page", "Things", "1", "What there is.");
    assert_int_equal(json_object_size(json_object_get(all, "paths")), 1);
    json_decref(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_match),         cmocka_unit_test(test_decode),
        cmocka_unit_test(test_parameters),    cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_whole_numbers), cmocka_unit_test(test_tables),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
