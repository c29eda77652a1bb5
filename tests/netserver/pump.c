#include "netserver/pump.h"
#include "net/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_MAX = 128 };

struct pump { /* gone when both sides are done */
    struct net_exchange *exchange;
    struct net_ask *ask;
    char name[128];
    bool begun, exchange_over, ask_over;
};

static struct net_client *client;
static bool quiet;

void pump_quietly(void)
{
    quiet = true;
}

static void release(struct pump *pump)
{
    if (pump->exchange_over && pump->ask_over)
        free(pump);
}

/* Fields that end here (RFC 9110 7.6.1), and those that say where the body ends. */
static bool ends_here(const struct net_head *head, const char *name)
{
    static const char *const always[] = {"connection", "keep-alive",        "proxy-connection",
                                         "te",         "trailer",           "upgrade",
                                         "expect",     "transfer-encoding", "content-length"};
    const char *value;
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (strcasecmp(always[i], name) == 0)
            return true;
    }
    for (unsigned i = 0; (value = net_head_next(head, "connection", &i));) {
        if (net_list_has(value, name))
            return true;
    }
    return false;
}

static size_t take_fields(const struct net_head *head, struct net_field fields[FIELDS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < head->n_fields && n < FIELDS_MAX - 1; i++) {
        struct net_field field = net_head_field(head, i);
        if (!ends_here(head, field.name))
            fields[n++] = field;
    }
    return n;
}

/* ---- what the server said */

static void on_head(void *own, struct net_ask *ask, const struct net_head *head, uint64_t length)
{
    struct pump *pump = own;
    struct net_field fields[FIELDS_MAX];
    const char *said = net_head_get(head, "content-length");
    if (head->status < 200 || pump->exchange_over)
        return;
    if (net_head_method_of(net_exchange_head(pump->exchange)) == NET_HEAD)
        length = said ? strtoull(said, NULL, 10) : NET_LENGTH_UNKNOWN;
    pump->begun = true;
    if (net_answer_begin(pump->exchange, head->status, fields, take_fields(head, fields), length) <
        0)
        net_ask_cancel(ask);
}

static void on_answer_body(void *own, struct net_ask *ask, const char *data, size_t length)
{
    struct pump *pump = own;
    if (!pump->exchange_over && net_answer_write(pump->exchange, data, length) == 0)
        net_ask_flow(ask, false);
}

static void on_ask_room(void *own, struct net_ask *ask)
{
    struct pump *pump = own;
    (void)ask;
    if (!pump->exchange_over)
        net_body_flow(pump->exchange, true);
}

static void on_ask_done(void *own, struct net_ask *ask, int result, bool again)
{
    struct pump *pump = own;
    (void)ask;
    pump->ask_over = true;
    if (!quiet)
        printf("asked %s %d%s\n", pump->name, result, again ? " again" : "");
    if (pump->exchange_over)
        release(pump);
    else if (result == 0)
        net_answer_end(pump->exchange);
    else if (pump->begun)
        net_answer_abort(pump->exchange);
    else
        net_answer_problem(pump->exchange, 502, NULL, 0, strerror(-result));
}

/* ---- what the client said */

static void on_body(void *own, struct net_exchange *exchange, const char *data, size_t length)
{
    struct pump *pump = own;
    if (!pump->ask_over && net_ask_write(pump->ask, data, length) == 0)
        net_body_flow(exchange, false);
}

static void on_body_end(void *own, struct net_exchange *exchange)
{
    struct pump *pump = own;
    (void)exchange;
    if (!pump->ask_over)
        net_ask_end(pump->ask);
}

static void on_room(void *own, struct net_exchange *exchange)
{
    struct pump *pump = own;
    (void)exchange;
    if (!pump->ask_over)
        net_ask_flow(pump->ask, true);
}

/* As Ollama has it: who sends nothing more is gone. */
static void on_half_closed(void *own, struct net_exchange *exchange)
{
    (void)own;
    net_answer_abort(exchange);
}

static void on_done(void *own, struct net_exchange *exchange, int result)
{
    struct pump *pump = own;
    (void)exchange;
    pump->exchange_over = true;
    if (!quiet)
        printf("done %s %d\n", pump->name, result);
    if (!pump->ask_over)
        net_ask_cancel(pump->ask);
    release(pump);
}

static void request(void *userdata, struct net_exchange *exchange)
{
    static const struct net_calls calls = {.body = on_body,
                                           .body_end = on_body_end,
                                           .room = on_room,
                                           .half_closed = on_half_closed,
                                           .done = on_done};
    static const struct net_ask_calls ask_calls = {
        .head = on_head, .body = on_answer_body, .room = on_ask_room, .done = on_ask_done};
    const struct net_head *head = net_exchange_head(exchange);
    struct net_field fields[FIELDS_MAX];
    struct net_request asked = {.method = net_head_method(head),
                                .target = net_head_target(head),
                                .fields = fields,
                                .length = net_body_left(exchange)};
    struct pump *pump = calloc(1, sizeof *pump);
    (void)userdata;
    asked.n_fields = take_fields(head, fields);
    if (!net_head_get(head, "host")) /* HTTP/1.0 */
        fields[asked.n_fields++] = (struct net_field){"Host", "upstream"};
    pump->exchange = exchange;
    snprintf(pump->name, sizeof pump->name, "%s %s", asked.method, asked.target);
    if (!quiet)
        printf("request %s\n", pump->name);
    net_follow(exchange, &calls, pump);
    pump->ask_over = net_ask(client, &asked, &ask_calls, pump, &pump->ask) < 0;
    if (pump->ask_over)
        net_answer_problem(exchange, 502, NULL, 0, "the request cannot be sent on");
    else if (asked.length > 0)
        net_body_flow(exchange, true);
}

static uint64_t body_max(void *userdata, const struct net_head *head)
{
    (void)userdata;
    (void)head;
    return UINT64_MAX;
}

const struct net_service *pump_service(uv_loop_t *loop, const char *address)
{
    static const struct net_service service = {.body_max = body_max, .request = request};
    struct net_address to;
    struct error err;
    if (net_address_next(&address, &to, &err) <= 0 || net_client_new(loop, &to, &client) < 0) {
        fprintf(stderr, "%s\n", err.message);
        return NULL;
    }
    return &service;
}

void pump_free(void)
{
    net_client_free(client);
}
