#include "tell/api/call.h"
#include "tell/api/values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    BODY_MAX = 64 * 1024
}; /* what a person or program says about this host is a few hundred bytes */

uint64_t api_body_max(void *userdata, const struct net_head *head)
{
    (void)userdata;
    (void)head;
    return BODY_MAX;
}

/* ---- answers */

/* One that could not be made is said to be so, or its client would wait for ever. */
static int made(struct api_call *call, int result)
{
    if (result >= 0 || result == -ECONNRESET || result == -EALREADY)
        return result;
    if (net_answer_problem(call->exchange, 500, NULL, 0, "the answer could not be made") < 0)
        net_answer_abort(call->exchange);
    return result;
}

int api_answer(struct api_call *call, int status, json_t *value)
{
    static const struct net_field json[] = {{"Content-Type", "application/json"},
                                            {"Cache-Control", "no-store"}};
    char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    json_decref(value);
    if (!text)
        return api_problem(call, 500, "no memory is left for the answer");
    int result = net_answer(call->exchange, status, json, 2, text, strlen(text));
    free(text);
    return made(call, result);
}

int api_problem(struct api_call *call, int status, const char *detail)
{
    return made(call, net_answer_problem(call->exchange, status, NULL, 0, detail));
}

const char *api_text(const struct api_call *call, const char *name)
{
    return json_string_value(json_object_get(call->parameters, name));
}

int64_t api_whole(const struct api_call *call, const char *name, int64_t fallback)
{
    const json_t *value = json_object_get(call->parameters, name);
    return value ? json_integer_value(value) : fallback;
}

/* ---- what the exchange tells */

static void on_body(void *own, struct net_exchange *exchange, const char *data, size_t length)
{
    struct api_call *call = own;
    (void)exchange;
    if (buffer_append(&call->text, data, length) < 0) /* memory: net refuses more than fits */
        call->cut = true;
}

static void read_body(struct api_call *call)
{
    struct error err;
    json_error_t where;
    char detail[256];
    if (call->cut) {
        api_problem(call, 500, "no memory is left for the body");
        return;
    }
    call->body = call->text.length == 0 ? json_object()
                                        : json_loadb(call->text.data, call->text.length,
                                                     JSON_REJECT_DUPLICATES, &where);
    buffer_clear(&call->text);
    if (!call->body) {
        snprintf(detail, sizeof detail, "the body is no JSON: %.160s", where.text);
        api_problem(call, 400, detail);
    } else if (api_check_value(call->route->body, call->body, &err) < 0) {
        api_problem(call, 422, err.message);
    } else {
        call->route->serve(call->api->userdata, call);
    }
}

static void on_body_end(void *own, struct net_exchange *exchange)
{
    (void)exchange;
    read_body(own);
}

static void on_room(void *own, struct net_exchange *exchange)
{
    struct api_call *call = own;
    if (call->calls && call->calls->room)
        call->calls->room(call->own, exchange);
}

static void on_half_closed(void *own, struct net_exchange *exchange)
{
    struct api_call *call = own;
    if (call->calls && call->calls->half_closed)
        call->calls->half_closed(call->own, exchange);
}

static void on_done(void *own, struct net_exchange *exchange, int result)
{
    struct api_call *call = own;
    if (call->calls && call->calls->done)
        call->calls->done(call->own, exchange, result);
    json_decref(call->parameters);
    json_decref(call->body);
    buffer_clear(&call->text);
    free(call);
}

/* ---- a request */

static void not_here(struct api_call *call, enum net_method method)
{
    const struct net_field allow = {"Allow", call->match.allow};
    if (!call->match.known)
        api_problem(call, 404, "there is no such path; /openapi.json has those that there are");
    else if (method == NET_OPTIONS)
        made(call, net_answer(call->exchange, 204, &allow, 1, NULL, 0));
    else
        made(call,
             net_answer_problem(call->exchange, 405, &allow, 1, "the path has other methods only"));
}

static void begin(struct api_call *call, const struct net_head *head)
{
    /* Who may not read is not told what there is. */
    static const struct api_route nowhere = {.path = "(none)", .access = API_READS};
    const struct api *api = call->api;
    const struct api_route *route = call->route ? call->route : &nowhere;
    struct error err;
    const char *detail;
    int status = api->refuses ? api->refuses(api->userdata, call->exchange, route, &detail) : 0;
    if (status != 0) {
        const struct net_field field = status == 429
                                           ? (struct net_field){"Retry-After", "60"}
                                           : (struct net_field){"WWW-Authenticate", "Bearer"};
        net_answer_problem(call->exchange, status, &field, status == 401 || status == 429, detail);
        return;
    }
    if (!call->route) {
        not_here(call, net_head_method_of(head));
        return;
    }
    int result =
        api_parameters(call->route, &call->match, net_head_query(head), &call->parameters, &err);
    if (result < 0)
        api_problem(call, result == -ENOMEM ? 500 : 400,
                    result == -ENOMEM ? "no memory is left" : err.message);
    else if (call->route->body)
        net_body_flow(call->exchange, true);
    else
        call->route->serve(api->userdata, call);
}

void api_request(void *userdata, struct net_exchange *exchange)
{
    static const struct net_calls calls = {.body = on_body,
                                           .body_end = on_body_end,
                                           .room = on_room,
                                           .half_closed = on_half_closed,
                                           .done = on_done};
    const struct api *api = userdata;
    const struct net_head *head = net_exchange_head(exchange);
    struct api_call *call = calloc(1, sizeof *call);
    if (!call) {
        if (net_answer_problem(exchange, 500, NULL, 0, "no memory is left") < 0)
            net_answer_abort(exchange);
        return;
    }
    call->api = api;
    call->exchange = exchange;
    buffer_init(&call->text, BODY_MAX);
    net_follow(exchange, &calls, call);
    api_match(api->routes, api->n_routes, api->families, net_head_method_of(head),
              net_head_target(head), net_head_path_length(head), &call->match);
    call->route = call->match.route;
    begin(call, head);
}
