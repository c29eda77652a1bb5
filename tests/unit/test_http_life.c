/* The HTTP client's requests and connections from their start to their end. */
#include "http_fixture.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void cancelled(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/silent", url);
    http_begin(f, &options); /* before anything was sent */
    http_cancel(f->request);
    http_cancel(f->request);
    assert_int_equal(f->done, 0);
    assert_true(loop_until(&f->loop, &f->done, 1, WAIT_MS));
    assert_int_equal(f->last.result, -ECANCELED);
    assert_false(f->last.sent);

    http_begin(f, &options); /* in flight */
    loop_for(&f->loop, 50);
    http_cancel(f->request);
    assert_int_equal(f->done, 1);
    assert_true(loop_until(&f->loop, &f->done, 2, WAIT_MS));
    assert_int_equal(f->last.result, -ECANCELED);
    assert_true(f->last.sent);
    loop_for(&f->loop, 20);
    assert_int_equal(f->done, 2);
}

static void freed_under_way(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/silent", url);
    http_begin(f, &options);
    loop_for(&f->loop, 50);
    http_begin(f, &options);
    http_free_client(f);
    assert_int_equal(f->done, 2);
    assert_int_equal(f->last.result, -ECANCELED);
}

static void freed_by_a_callback(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/silent", url);
    http_begin(f, &options);
    options = http_options_for(f, "/hello", url);
    http_begin(f, &options);
    f->free_in_callback = true;
    assert_true(loop_until(&f->loop, &f->done, 2, WAIT_MS));
    assert_int_equal(f->last.result, -ECANCELED);
}

static void freed_by_a_stream(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/chunks", url);
    options.on_data = http_arrived;
    http_begin(f, &options);
    f->free_in_callback = true;
    assert_true(loop_until(&f->loop, &f->done, 1, WAIT_MS));
    assert_int_equal(f->last.result, -ECANCELED);
    assert_true(f->streamed[0] == 'a' && !strchr(f->streamed, 'd')); /* which came later */
}

static void connections(void **state)
{
    struct http_fixture *f = *state;
    uint16_t ports[4];
    char url[128];
    http_get(f, "/hello");
    http_get(f, "/hello");
    assert_int_equal(server_connections(f->server), 1);
    assert_int_equal(http_local_ports(f->http, ports, 4), 1);
    assert_int_equal(ports[0], f->peer_port);
    assert_int_equal(http_local_ports(f->http, ports, 0), 0);

    struct http_options options = http_options_for(f, "/hello", url);
    options.fresh_connection = true;
    http_ask(f, &options);
    http_ask(f, &options);
    assert_int_equal(server_connections(f->server), 3);
    assert_int_equal(http_local_ports(f->http, ports, 4), 1); /* only the kept one is left */
    assert_int_not_equal(ports[0], f->peer_port);
}

/* curl repeats a request whose kept connection dies before an answer: well for a question, never
 * for a restart. */
static void changes_are_sent_once(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    http_get(f, "/keep-then-close");
    http_get(f, "/hello");
    assert_int_equal(f->last.result, 0);
    struct http_options options = http_options_for(f, "/reset", url);
    options.method = "POST";
    unsigned before = server_requests(f->server);
    http_ask(f, &options);
    loop_for(&f->loop, 50);
    assert_int_equal(f->last.result, -ECONNRESET);
    assert_true(f->last.sent);
    assert_int_equal(server_requests(f->server), before + 1);
}

static void many_at_once(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/many", url);
    options.timeout_ms =
        20000; /* curl 8.14 looks at all that wait whenever one ends (its issue 18017) */
    for (int i = 0; i < 300; i++)
        http_begin(f, &options);
    assert_true(loop_until(&f->loop, &f->done, 300, 20000));
    assert_int_equal(f->last.result, 0);
    assert_int_equal(server_requests(f->server), 300);
    assert_true(f->most_ports > 8 && f->most_ports <= 32);
    uint16_t ports[64];
    assert_true(http_local_ports(f->http, ports, 64) <= 8);
}

/* The first address of a name refuses, the second answers: its socket may get the same number. */
static void second_address(void **state)
{
    struct http_fixture *f = *state;
    char url[64];
    snprintf(url, sizeof url, "http://localhost:%u/hello", server_port(f->server));
    struct http_options options = {.method = "GET", .url = url, .timeout_ms = 3000};
    for (int i = 0; i < 20; i++) {
        options.fresh_connection = true;
        http_ask(f, &options);
        assert_int_equal(f->last.result, 0);
        assert_true(f->last.latency_ms < 1000);
    }
}

static void ask_socket(struct http_fixture *f, const char *path)
{
    struct http_options options = {
        .method = "GET", .url = "http://d/x", .unix_socket = path, .timeout_ms = WAIT_MS};
    http_ask(f, &options);
}

static void unix_sockets(void **state)
{
    struct http_fixture *f = *state;
    char directory[] = "/tmp/http-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    ask_socket(f, path);
    assert_int_equal(f->last.result, -ENOENT);
    assert_false(f->last.sent);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    ask_socket(f, path);
    assert_int_equal(f->last.result, -ECONNREFUSED);

    struct server *server = server_unix(path, http_answer, f);
    ask_socket(f, path);
    assert_int_equal(f->last.result, 0);
    assert_string_equal(f->body, "hello");
    ask_socket(f, path);
    assert_int_equal(server_connections(server), 1);
    uint16_t ports[4];
    assert_int_equal(http_local_ports(f->http, ports, 4), 0);
    server_stop(server); /* the kept connection is dead now */
    ask_socket(f, path);
    assert_int_equal(f->last.result, -ENOENT);
    rmdir(directory);
}

static void forbidden_socket(void **state)
{
    if (geteuid() != 0) {
        skip(); /* only root can become somebody who may not */
        return;
    }
    struct http_fixture *f = *state;
    char directory[] = "/tmp/http-XXXXXX", path[64];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/socket", directory);
    struct server *server = server_unix(path, http_answer, f);
    chmod(directory, 0755);
    chmod(path, 0600);
    assert_int_equal(seteuid(65534), 0);
    ask_socket(f, path);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(f->last.result, -EACCES);
    assert_false(f->last.sent);
    server_stop(server);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(cancelled),         HTTP_TEST(freed_under_way), HTTP_TEST(freed_by_a_callback),
        HTTP_TEST(freed_by_a_stream), HTTP_TEST(connections),     HTTP_TEST(changes_are_sent_once),
        HTTP_TEST(many_at_once),      HTTP_TEST(second_address),  HTTP_TEST(unix_sockets),
        HTTP_TEST(forbidden_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
