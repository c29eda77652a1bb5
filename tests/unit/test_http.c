/* What the HTTP client makes of answers, and of addresses. */
#include "http_fixture.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void good_answers(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/hello", url);
    options.answer_header = "x-word";
    http_ask(f, &options);
    assert_int_equal(f->last.result, 0);
    assert_int_equal(f->last.status, 200);
    assert_true(f->last.sent);
    assert_string_equal(f->body, "hello");
    assert_string_equal(f->last.header, "spoken");
    assert_true(f->last.latency_ms > 0 && f->last.latency_ms < WAIT_MS);
    assert_non_null(strstr(f->seen, "\r\nUser-Agent: supervisor/" SUPERVISOR_VERSION "\r\n"));
    assert_null(strstr(f->seen, "Content-Type"));

    http_get(f, "/404");
    assert_int_equal(f->last.result, 0);
    assert_int_equal(f->last.status, 404);
    assert_string_equal(f->body, "{\"error\":\"none\"}");
    assert_string_equal(f->last.header, "");

    options = http_options_for(f, "/hello", url);
    options.method = "HEAD";
    http_ask(f, &options);
    assert_int_equal(f->last.result, 0);
    assert_string_equal(f->body, "");
    assert_memory_equal(f->seen, "HEAD /hello HTTP/1.1\r\n", 22);

    char body[3000]; /* more than the 1024 bytes for which curl would say Expect */
    memset(body, 'b', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    options.method = "POST";
    options.body = body;
    http_ask(f, &options);
    assert_int_equal(f->last.status, 200);
    assert_non_null(strstr(f->seen, "\r\nContent-Type: application/json\r\n"));
    assert_null(strstr(f->seen, "Expect"));
    assert_non_null(strstr(f->seen, body));

    options.method = "DELETE";
    options.body = NULL;
    http_ask(f, &options);
    assert_memory_equal(f->seen, "DELETE /hello HTTP/1.1\r\n", 24);
}

static void pieces(void **state)
{
    struct http_fixture *f = *state;
    http_get(f, "/chunks");
    assert_int_equal(f->last.result, 0);
    assert_string_equal(f->body, "abcd");
}

static void streams(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/chunks", url);
    options.on_data = http_arrived;
    options.timeout_ms = 0;
    http_ask(f, &options);
    assert_int_equal(f->last.result, 0);
    assert_string_equal(f->streamed, "abcd");
    assert_string_equal(f->body, "");

    memset(f->streamed, 0, sizeof f->streamed);
    f->stop_stream = true;
    http_ask(f, &options);
    assert_int_equal(f->last.result, -ECANCELED);
    assert_true(f->streamed[0] == 'a' && !strchr(f->streamed, 'd')); /* which came later */
}

static void request_from_within_a_stream(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/chunks", url);
    options.on_data = http_arrived;
    f->start_in_callback = true;
    http_begin(f, &options);
    assert_true(loop_until(&f->loop, &f->done, 2, WAIT_MS));
    assert_int_equal(f->last.result, 0);
    assert_string_equal(f->streamed, "abcd");
}

static void no_answer(void **state)
{
    struct http_fixture *f = *state;
    char url[128];
    struct http_options options = http_options_for(f, "/silent", url);
    options.timeout_ms = 100;
    http_ask(f, &options);
    assert_int_equal(f->last.result, -ETIMEDOUT);
    assert_int_equal(f->last.status, 0);
    assert_true(f->last.sent);
    assert_true(f->last.latency_ms >= 99);
    assert_true(f->last.message[0]);
}

static void lost_connections(void **state)
{
    struct http_fixture *f = *state;
    static const char *const paths[] = {"/reset", "/close", "/half"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        http_get(f, paths[i]);
        assert_int_equal(f->last.result, -ECONNRESET);
        assert_true(f->last.sent);
    }
    http_get(f, "/foreign");
    assert_int_equal(f->last.result, -EPROTO);
    http_get(f, "/hello");
    assert_int_equal(f->last.result, 0);
}

static void nobody_listens(void **state)
{
    struct http_fixture *f = *state;
    struct server *other = server_tcp(http_answer, f);
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", server_port(other));
    server_stop(other);
    struct http_options options = {.method = "POST", .url = url, .body = "{}", .timeout_ms = 1000};
    http_ask(f, &options);
    assert_int_equal(f->last.result, -ECONNREFUSED);
    assert_false(f->last.sent);
}

static void too_long(void **state)
{
    struct http_fixture *f = *state;
    http_get(f, "/declared");
    assert_int_equal(f->last.result, -ECONNRESET); /* nothing of it came */
    http_get(f, "/endless");
    assert_int_equal(f->last.result, -EMSGSIZE);
    assert_string_equal(f->last.message, "the answer is too long");
}

static void proxies_do_not_matter(void **state)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    http_get(*state, "/hello");
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    assert_int_equal(((struct http_fixture *)*state)->last.result, 0);
}

static void refused_options(void **state)
{
    struct http_fixture *f = *state;
    struct http_options options = {.method = "GET", .url = "file:///etc/passwd", .timeout_ms = 500};
    http_ask(f, &options);
    assert_int_equal(f->last.result, -EPROTO);
    options.url = "http://127.0.0.1:99999/";
    http_ask(f, &options);
    assert_int_equal(f->last.result, -EINVAL);
}

static void socket_addresses(void **state)
{
    (void)state;
    struct error err;
    char path[108];
    assert_int_equal(http_unix_path("unix:///var/run/docker.sock", path, sizeof path, &err), 0);
    assert_string_equal(path, "/var/run/docker.sock");
    static const struct {
        const char *url;
        int code;
        const char *words;
    } bad[] = {
        {"tcp://127.0.0.1:2375", -EINVAL, "\"tcp://127.0.0.1:2375\""},
        {"/var/run/docker.sock", -EINVAL, "only unix:// is spoken"},
        {"unix://docker.sock", -EINVAL, "no absolute path"},
        {"unix://", -EINVAL, "no absolute path"},
        {"", -EINVAL, "only unix:// is spoken"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(http_unix_path(bad[i].url, path, sizeof path, &err), bad[i].code);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_non_null(strstr(err.message, bad[i].words));
    }
    char url[128] = "unix:///";
    memset(url + 8, 'p', 106); /* 107 bytes of path */
    assert_int_equal(http_unix_path(url, path, sizeof path, &err), 0);
    assert_int_equal(strlen(path), 107);
    url[8 + 106] = 'p';
    assert_int_equal(http_unix_path(url, path, sizeof path, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.message, "at most 107"));
    assert_int_equal(http_unix_path("unix:///abc", path, 4, NULL), -ENAMETOOLONG);
    assert_int_equal(http_unix_path("unix:///ab", path, 4, NULL), 0);
}

static void encoding(void **state)
{
    static const char *const cases[][2] = {
        {"aZ0-._~", "aZ0-._~"},
        {"{\"a\": [/\xc3\xa4]}", "%7B%22a%22%3A%20%5B%2F%C3%A4%5D%7D"},
        {"", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *encoded = http_encode(cases[i][0]);
        assert_string_equal(encoded, cases[i][1]);
        free(encoded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HTTP_TEST(good_answers),
        HTTP_TEST(pieces),
        HTTP_TEST(streams),
        HTTP_TEST(request_from_within_a_stream),
        HTTP_TEST(no_answer),
        HTTP_TEST(lost_connections),
        HTTP_TEST(nobody_listens),
        HTTP_TEST(too_long),
        HTTP_TEST(proxies_do_not_matter),
        HTTP_TEST(refused_options),
        cmocka_unit_test(socket_addresses),
        cmocka_unit_test(encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
