/* What a service of net/ is told, and how often, with a server and a client on one loop. */
#include "base/error.h"
#include "net/client.h"
#include "net/server.h"
#include "tell/api/call.h"
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
// clang-format off
#include <cmocka.h>
// clang-format on

enum { PATIENCE_MS = 5000 };

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static unsigned failing; /* so many allocations by calloc fail from now on */

void *__wrap_calloc(size_t n, size_t size)
{
    if (failing == 0)
        return __real_calloc(n, size);
    failing--;
    errno = ENOMEM;
    return NULL;
}

static uv_loop_t loop;
static struct net_server *server;
static int port;

static void begin(const struct net_service *service)
{
    struct error err;
    failing = 0;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(net_server_new(&loop, service, &net_limits, &server), 0);
    const char *list = "127.0.0.1:0";
    struct net_address address;
    assert_int_equal(net_address_next(&list, &address, &err), 1);
    assert_int_equal(net_server_listen(server, &address, NULL, 0, &err), 0);
    port = net_server_port(server, 0);
}

static void end(void)
{
    net_server_free(server);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* Lets the loop turn until *over, or until it took too long. */
static void turn(const bool *over)
{
    uint64_t until_ms = uv_now(&loop) + PATIENCE_MS;
    while (!*over && uv_now(&loop) < until_ms) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
}

/* Sends a request on a connection of its own; what came until it was closed: "" where nothing came
 * in time. */
static const char *talk(const char *request)
{
    static char text[4096];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t length = 0;
    ssize_t n = -1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    uv_update_time(&loop);
    for (uint64_t until_ms = uv_now(&loop) + PATIENCE_MS; n != 0 && uv_now(&loop) < until_ms;) {
        uv_run(&loop, UV_RUN_NOWAIT);
        n = recv(fd, text + length, sizeof text - 1 - length, MSG_DONTWAIT);
        length += n > 0 ? (size_t)n : 0;
        if (n < 0)
            usleep(1000);
    }
    close(fd);
    text[n == 0 ? length : 0] = '\0';
    return text;
}

static void says(const char *request, const char *start)
{
    const char *text = talk(request);
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("%.40s...: \"%.200s\"", request, text);
}

/* ---- a service of its own */

static unsigned ends;
static uv_timer_t later;

static void answer_later(uv_timer_t *timer)
{
    net_answer(timer->data, 200, NULL, 0, "all of it\n", 10);
    uv_close((uv_handle_t *)timer, NULL);
}

static void on_body_end(void *own, struct net_exchange *exchange)
{
    (void)own;
    if (ends++ > 0)
        return;
    net_body_flow(exchange,
                  true); /* as one who has room again, and does not know that it is over */
    uv_timer_init(&loop, &later);
    later.data = exchange;
    uv_timer_start(&later, answer_later, 20, 0);
}

static void serve(void *userdata, struct net_exchange *exchange)
{
    static const struct net_calls calls = {.body_end = on_body_end};
    (void)userdata;
    if (net_body_left(exchange) == 0) {
        net_answer(exchange, 200, NULL, 0, "hello\n", 6);
        return;
    }
    net_follow(exchange, &calls, NULL);
    net_body_flow(exchange, true);
}

static const struct net_service service = {.request = serve};

static void test_body_ends_once(void **state)
{
    (void)state;
    ends = 0;
    begin(&service);
    says("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab",
         "HTTP/1.1 200 ");
    assert_int_equal(ends, 1);
    end();
}

static void test_listener_outlives_a_lack_of_memory(void **state)
{
    static const char hello[] = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    (void)state;
    begin(&service);
    failing = 2;
    says(hello, "HTTP/1.1 200 ");
    says(hello, "HTTP/1.1 200 ");
    assert_int_equal(failing, 0);
    end();
}

/* ---- a client */

static bool over;
static int ended;

static void on_answer_body(void *own, struct net_ask *ask, const char *data, size_t length)
{
    (void)own, (void)data, (void)length;
    net_ask_cancel(ask);
}

static void on_answer_done(void *own, struct net_ask *ask, int result, bool again)
{
    (void)own, (void)ask, (void)again;
    over = true;
    ended = result;
}

static void test_cancelled_is_told_so(void **state)
{
    static const struct net_ask_calls calls = {.body = on_answer_body, .done = on_answer_done};
    static const struct net_field host = {"Host", "h"};
    struct net_request request = {.method = "GET", .target = "/", .fields = &host, .n_fields = 1};
    struct net_client *client;
    struct net_address address;
    struct net_ask *ask;
    char text[32];
    const char *list = text;
    (void)state;
    begin(&service);
    snprintf(text, sizeof text, "127.0.0.1:%d", port);
    assert_int_equal(net_address_next(&list, &address, NULL), 1);
    assert_int_equal(net_client_new(&loop, &address, &client), 0);
    over = false;
    assert_int_equal(net_ask(client, &request, &calls, NULL, &ask), 0);
    turn(&over); /* the answer is whole with the piece in which it is cancelled */
    assert_true(over);
    assert_int_equal(ended, -ECANCELED);
    net_client_free(client);
    end();
}

/* ---- an API */

static void no_answer(void *userdata, struct api_call *call)
{
    (void)userdata;
    assert_true(api_answer(call, 42, json_true()) < 0); /* no status has two digits */
}

static void no_problem(void *userdata, struct api_call *call)
{
    (void)userdata;
    assert_true(api_problem(call, 42, "why") < 0);
}

static const struct api_answer good[] = {{.status = 200, .about = "it is so"}, {0}};
static const struct api_route routes[] = {
    {NET_GET, "/answer", "answer", "main", "One.", API_READS, NULL, NULL, good, no_answer},
    {NET_GET, "/problem", "problem", "main", "One.", API_READS, NULL, NULL, good, no_problem},
};

static int nobody_may(void *userdata, struct net_exchange *exchange, const struct api_route *route,
                      const char **ret_detail)
{
    (void)userdata, (void)exchange;
    assert_int_equal(route->access, API_READS);
    assert_non_null(route->path);
    *ret_detail = "a token is needed";
    return 401;
}

static void test_answer_that_cannot_be_made(void **state)
{
    static const struct api api = {.routes = routes, .n_routes = 2};
    static const struct net_service its = {(void *)&api, api_body_max, api_request};
    (void)state;
    begin(&its);
    says("GET /answer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 500 ");
    says("GET /problem HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "HTTP/1.1 500 ");
    end();
}

static void test_access_comes_before_what_there_is(void **state)
{
    static const struct api api = {.routes = routes, .n_routes = 2, .refuses = nobody_may};
    static const struct net_service its = {(void *)&api, api_body_max, api_request};
    static const char *const first_lines[] = {"GET /answer", "GET /nothing", "POST /answer",
                                              "OPTIONS /answer"};
    char request[128];
    (void)state;
    begin(&its);
    for (size_t i = 0; i < sizeof first_lines / sizeof *first_lines; i++) {
        snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                 first_lines[i]);
        says(request, "HTTP/1.1 401 ");
    }
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_body_ends_once),
        cmocka_unit_test(test_listener_outlives_a_lack_of_memory),
        cmocka_unit_test(test_cancelled_is_told_so),
        cmocka_unit_test(test_answer_that_cannot_be_made),
        cmocka_unit_test(test_access_comes_before_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
