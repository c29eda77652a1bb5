#include "netserver/sample.h"
#include "base/error.h"
#include "net/events.h"
#include "tell/api/call.h"
#include "tell/api/openapi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THINGS_MAX = 50 };

static json_t *things; /* name -> thing */

static const char *const levels[] = {"low", "middle", "high", NULL};
static const struct api_member thing_members[] = {
    {.name = "name",
     .type = API_STRING,
     .about = "what it is called",
     .longest = 40,
     .filled = true},
    {.name = "level", .type = API_STRING, .about = "how important it is", .choices = levels},
    {.name = "size_bytes",
     .type = API_INTEGER,
     .about = "how large it is",
     .bounded = true,
     .max = 1e12,
     .nullable = true,
     .optional = true},
    {.name = "tags", .type = API_STRING, .about = "further words", .list = true, .optional = true},
    {0}};
static const struct api_schema thing = {"Thing", "Something with a name", thing_members, false};
static const struct api_schema description = {"Description", "This page",
                                              (const struct api_member[]){{0}}, true};

static const struct api_member list_parameters[] = {{.name = "level",
                                                     .type = API_STRING,
                                                     .about = "these only",
                                                     .choices = levels,
                                                     .optional = true},
                                                    {.name = "limit",
                                                     .type = API_INTEGER,
                                                     .about = "at most so many",
                                                     .bounded = true,
                                                     .min = 1,
                                                     .max = THINGS_MAX,
                                                     .optional = true},
                                                    {0}};
static const struct api_member name_parameter[] = {
    {.name = "name", .type = API_STRING, .about = "what it is called"}, {0}};

static const struct api_answer listed[] = {
    {.status = 200, .about = "those that there are", .schema = &thing, .list = true}, {0}};
static const struct api_answer made[] = {{.status = 201, .about = "it is there", .schema = &thing},
                                         {0}};
static const struct api_answer found[] = {{.status = 200, .about = "it", .schema = &thing}, {0}};
static const struct api_answer gone[] = {{.status = 204, .about = "it is gone"}, {0}};
static const struct api_answer described[] = {
    {.status = 200, .about = "the description", .schema = &description}, {0}};
static const struct api_answer events[] = {
    {.status = 200, .about = "an event a thing", .type = "text/event-stream"}, {0}};

static void list(void *userdata, struct api_call *call)
{
    const char *level = api_text(call, "level"), *name;
    size_t limit = (size_t)api_whole(call, "limit", THINGS_MAX);
    json_t *all = json_array(), *one;
    (void)userdata;
    json_object_foreach(things, name, one)
    {
        const char *its = json_string_value(json_object_get(one, "level"));
        if (json_array_size(all) < limit && (!level || strcmp(level, its) == 0))
            json_array_append(all, one);
    }
    api_answer(call, 200, all);
}

static void make(void *userdata, struct api_call *call)
{
    const char *name = json_string_value(json_object_get(call->body, "name"));
    (void)userdata;
    if (json_object_get(things, name))
        api_problem(call, 409, "there is one of that name");
    else if (json_object_size(things) == THINGS_MAX)
        api_problem(call, 429, "there are too many");
    else if (json_object_set(things, name, call->body) == 0)
        api_answer(call, 201, json_incref(call->body));
}

static void get(void *userdata, struct api_call *call)
{
    json_t *one = json_object_get(things, api_text(call, "name"));
    (void)userdata;
    if (one)
        api_answer(call, 200, json_incref(one));
    else
        api_problem(call, 404, "there is none of that name");
}

static void drop(void *userdata, struct api_call *call)
{
    (void)userdata;
    if (json_object_del(things, api_text(call, "name")) == 0)
        net_answer(call->exchange, 204, NULL, 0, NULL, 0);
    else
        api_problem(call, 404, "there is none of that name");
}

static void stream(void *userdata, struct api_call *call)
{
    const char *name;
    json_t *one;
    (void)userdata;
    net_events_begin(call->exchange);
    json_object_foreach(things, name, one)
    {
        CLEANUP_BUFFER struct buffer event;
        char *text = json_dumps(one, JSON_COMPACT);
        buffer_init(&event, 64 * 1024);
        if (net_event_format(&event, "thing", NULL, text) == 0)
            net_events_send(call->exchange, &event);
        free(text);
    }
    net_answer_end(call->exchange);
}

static void describe(void *userdata, struct api_call *call);

static const struct api_route routes[] = {
    {NET_GET, "/openapi.json", "describe", "self", "What this API has.", API_READS, NULL, NULL,
     described, describe},
    {NET_GET, "/things", "listThings", "things", "All things, or some.", API_READS, list_parameters,
     NULL, listed, list},
    {NET_POST, "/things", "makeThing", "things", "Makes a thing.", API_ACTS, NULL, &thing, made,
     make},
    {NET_GET, "/things/{name}", "getThing", "things", "One thing.", API_READS, name_parameter, NULL,
     found, get},
    {NET_DELETE, "/things/{name}", "dropThing", "things", "Takes a thing away.", API_ACTS,
     name_parameter, NULL, gone, drop},
    {NET_GET, "/events", "thingEvents", "things", "All things as events.", API_READS, NULL, NULL,
     events, stream},
};
static const struct api api = {.routes = routes, .n_routes = sizeof routes / sizeof *routes};

static void describe(void *userdata, struct api_call *call)
{
    (void)userdata;
    api_answer(call, 200,
               api_openapi(api.routes, api.n_routes, NULL, "Things", "1", "A sample of an API."));
}

const struct net_service *sample_service(void)
{
    static const struct net_service service = {
        .userdata = (void *)&api, .body_max = api_body_max, .request = api_request};
    struct error err;
    if (api_check(api.routes, api.n_routes, &err) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return NULL;
    }
    things = json_object();
    return &service;
}
