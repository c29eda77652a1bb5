/* The engine's client where the answer is a stream: pulls, imports, logs; cut anywhere. */
#include "engine_fixture.h"
#include "sense/docker_make.h"
#include "sense/json_stream.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

static struct {
    unsigned times;
    struct pull_progress progress;
    char status[64];
    struct docker_call *call;
    bool stop, free;
    char text[200000];
} last;

static bool on_progress(void *userdata, const struct pull_progress *progress)
{
    struct engine *e = userdata;
    last.times++;
    if (fact_known(last.progress.current))
        assert_true(progress->current >= last.progress.current || last.progress.total == 0);
    last.progress = *progress;
    snprintf(last.status, sizeof last.status, "%s", progress->status);
    if (last.stop)
        docker_stream_stop(last.call);
    if (last.free)
        engine_free_client(e);
    return true;
}

static void on_said(void *userdata, int result, const char *text, const struct error *err)
{
    assert_true((result == 0) == (text != NULL));
    snprintf(last.text, sizeof last.text, "%s", text ? text : "");
    engine_done(userdata, result, err);
}

static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

/* By so many bytes at a time. */
static void say_pieces(int fd, const char *bytes, size_t length, size_t piece)
{
    for (size_t i = 0; i < length; i += piece) {
        size_t n = length - i < piece ? length - i : piece;
        if (send(fd, bytes + i, n, MSG_NOSIGNAL) < 0)
            return;
    }
}

#define PULLED                                                                                     \
    "{\"status\":\"Pulling from o/o\",\"id\":\"latest\"}\r\n"                                      \
    "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"aaa\"}"                       \
    "{\"status\":\"Already exists\",\"progressDetail\":{},\"id\":\"bbb\"}\n"                       \
    "{\"status\":\"Pulling fs layer\",\"progressDetail\":{},\"id\":\"c\\\"}{c\"}"                  \
    "{\"status\":\"Downloading\",\"progressDetail\":{\"current\":10,\"total\":100},\"id\":\"aaa\"" \
    "} {\"status\":\"Downloading\",\"progressDetail\":{\"current\":5,\"total\":50},\"id\":\"c\\\"" \
    "}{c\"}{\"status\":\"Download complete\",\"progressDetail\":{},\"id\":\"aaa\"}"                \
    "{\"status\":\"Extracting\",\"progressDetail\":{\"current\":1,\"total\":100},\"id\":\"aaa\"}"

static const char pulled[] =
    PULLED "{\"status\":\"Pull complete\",\"progressDetail\":{},\"id\":\"aaa\"}"
           "{\"status\":\"Digest: sha256:1\"}{\"status\":\"Status: Downloaded newer image\"}";
static const char broken[] =
    PULLED "{\"errorDetail\":{\"message\":\"unexpected EOF\"},\"error\":\"unexpected EOF\"}\r\n";

static bool answer(struct engine *e, int fd, const char *path)
{
    static const char frames[] = "\1\0\0\0\0\0\0\4one\n\2\0\0\0\0\0\0\5two\0\n"
                                 "\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\3end";
    (void)e;
    if (strstr(path, "fromImage=cut&")) {
        say_pieces(fd, head, sizeof head - 1, 1000);
        say_pieces(fd, pulled, sizeof pulled - 20, 1000);
        shutdown(fd, SHUT_WR);
    } else if (strstr(path, "fromImage=none&")) {
        server_reply(fd, 404, "", "{\"message\":\"manifest for none:latest not found\"}");
    } else if (strstr(path, "fromImage=broken&")) {
        say_pieces(fd, head, sizeof head - 1, 1000);
        say_pieces(fd, broken, sizeof broken - 1, 3);
        shutdown(fd, SHUT_WR);
    } else if (strstr(path, "fromImage=slow&")) {
        say_pieces(fd, head, sizeof head - 1, 1000);
        say_pieces(fd, PULLED, sizeof PULLED - 1, 1000);
        server_wait_ms(300);
    } else if (strstr(path, "/images/create?fromSrc=-&repo=bad ")) {
        server_reply(fd, 200, "", "{\"error\":\"archive/tar: invalid tar header\"}");
    } else if (strstr(path, "/images/create?fromSrc=-&")) {
        server_reply(fd, 200, "", "{\"status\":\"sha256:0123\"}\r\n");
    } else if (strstr(path, "/images/create?")) {
        say_pieces(fd, head, sizeof head - 1, 1000);
        say_pieces(fd, pulled, sizeof pulled - 1, 1);
        shutdown(fd, SHUT_WR);
    } else if (strstr(path, "/containers/framed/logs?stdout=1&stderr=1&tail=3 ")) {
        say_pieces(fd, head, sizeof head - 1, 1000);
        say_pieces(fd, frames, sizeof frames - 1, 1);
        shutdown(fd, SHUT_WR);
    } else if (strstr(path, "/containers/tty/logs")) {
        server_reply(fd, 200, "", "as it is: \033[1mhello\n");
    } else if (strstr(path, "/containers/short/logs")) {
        server_reply(fd, 200, "", "hi");
    } else if (strstr(path, "/containers/silent/logs")) {
        server_reply(fd, 200, "", "");
    } else if (strstr(path, "/containers/long/logs")) {
        say_pieces(fd, head, sizeof head - 1, 1000);
        char line[16];
        for (int i = 0; i < 50000; i++) {
            int n = snprintf(line, sizeof line, "line %d\n", i);
            say_pieces(fd, line, (size_t)n, 1000);
        }
        shutdown(fd, SHUT_WR);
    } else {
        return false;
    }
    return true;
}

static void ask_pull(struct engine *e, const char *image)
{
    unsigned n = e->done;
    memset(&last, 0, sizeof last);
    e->also = answer;
    last.call = docker_pull(e->docker, image, on_progress, engine_done, e);
    assert_non_null(last.call);
    engine_wait(e, n + 1);
}

static void pulls(void **state)
{
    struct engine *e = *state;
    ask_pull(e, "o/o");
    assert_int_equal(e->result, 0);
    assert_int_equal(last.times, 11);
    assert_int_equal(last.progress.total, 150);
    assert_int_equal(last.progress.current, 105);
    assert_string_equal(last.status, "Status: Downloaded newer image");
    static const struct {
        const char *image, *asked;
    } names[] = {
        {"o/o", "fromImage=o%2Fo&tag=latest "},
        {"127.0.0.1:5000/o", "fromImage=127.0.0.1%3A5000%2Fo&tag=latest "},
        {"127.0.0.1:5000/o:1.2", "fromImage=127.0.0.1%3A5000%2Fo&tag=1.2 "},
        {"o@sha256:ab", "fromImage=o&tag=sha256%3Aab "},
        {"r:5/o:1@sha256:cd", "fromImage=r%3A5%2Fo&tag=sha256%3Acd "},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char asked[128];
        ask_pull(e, names[i].image);
        assert_int_equal(e->result, 0);
        snprintf(asked, sizeof asked, "POST /v1.45/images/create?%s", names[i].asked);
        assert_true(engine_asked(e, asked) > 0);
    }
}

static void pulls_that_fail(void **state)
{
    struct engine *e = *state;
    ask_pull(e, "broken");
    assert_int_equal(e->result, -EIO);
    assert_non_null(strstr(e->err.message, "unexpected EOF"));
    assert_int_equal(e->err.failure, FAILURE_JOB);
    ask_pull(e, "cut");
    assert_int_equal(e->result, -ECONNRESET);
    ask_pull(e, "none");
    assert_int_equal(e->result, -ENOENT);
    assert_non_null(strstr(e->err.message, "manifest for none:latest not found"));
    assert_int_equal(last.times, 0);
}

static void pulls_that_are_stopped(void **state)
{
    struct engine *e = *state;
    e->also = answer;
    docker_ping(e->docker, engine_done, e);
    engine_wait(e, 1);
    memset(&last, 0, sizeof last);
    last.stop = true; /* from its own callback */
    last.call = docker_pull(e->docker, "slow", on_progress, engine_done, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, -ECANCELED);
    assert_int_equal(last.times, 1);
    docker_forget(e->docker); /* while it waits for the version */
    last.call = docker_pull(e->docker, "slow", on_progress, engine_done, e);
    docker_stream_stop(last.call);
    engine_wait(e, 3);
    assert_int_equal(e->result, -ECANCELED);
    assert_int_equal(last.times, 1);
    last.stop = false;
    last.free = true;
    last.call = docker_pull(e->docker, "slow", on_progress, engine_done, e);
    engine_wait(e, 4);
    assert_int_equal(e->result, -ECANCELED);
    assert_int_equal(last.times, 2);
}

static void imports(void **state)
{
    struct engine *e = *state;
    e->also = answer;
    docker_import_empty(e->docker, "r/x:1", engine_done, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "POST /v1.45/images/create?fromSrc=-&repo=r%2Fx%3A1 "), 1);
    docker_import_empty(e->docker, "bad", engine_done, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, -EIO);
    assert_non_null(strstr(e->err.message, "invalid tar header"));
    docker_import_empty(e->docker, "r:1", engine_done, e); /* is not called any more */
    engine_free_client(e);
    loop_for(&e->loop, 50);
}

static void logs(void **state)
{
    struct engine *e = *state;
    static const struct {
        const char *id, *text;
    } cases[] = {
        {"framed", "one\ntwo \nend"},
        {"tty", "as it is: \033[1mhello\n"},
        {"short", "hi"},
        {"silent", ""},
    };
    unsigned n = 0;
    e->also = answer;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        docker_logs(e->docker, cases[i].id, 3, on_said, e);
        engine_wait(e, ++n);
        assert_int_equal(e->result, 0);
        assert_string_equal(last.text, cases[i].text);
    }
    docker_logs(e->docker, "long", 100, on_said, e);
    engine_wait(e, ++n);
    size_t length = strlen(last.text);
    assert_true(length <= 65536 && length > 65000);
    assert_memory_equal(last.text, "line ", 5);
    assert_string_equal(last.text + length - 11, "line 49999\n");
    docker_logs(e->docker, "none", 3, on_said, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, -ENOENT);
    e->newest = 41; /* refused for its version, asked again */
    docker_logs(e->docker, "framed", 3, on_said, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_string_equal(last.text, "one\ntwo \nend");
}

static bool object_taken(void *userdata, const char *text, size_t length)
{
    char *all = userdata;
    snprintf(all + strlen(all), 256 - strlen(all), "<%.*s>", (int)length, text);
    return strcmp(text, "{\"stop\":1}") != 0;
}

static void objects(void **state)
{
    static const char text[] = "  {}\r\n{\"a\":\"}\\\"{\"} rubbish ] [{\"b\":[1,2]},{}]{\"too\":"
                               "\"much much much\"}{\"c\":3}{\"half\":";
    (void)state;
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct json_stream stream;
        char all[256] = "";
        json_stream_init(&stream, 20, 0);
        for (size_t i = 0; i < sizeof text - 1; i += piece) {
            size_t n = sizeof text - 1 - i < piece ? sizeof text - 1 - i : piece;
            assert_int_equal(json_stream_feed(&stream, text + i, n, object_taken, all), 0);
        }
        assert_string_equal(all, "<{}><{\"a\":\"}\\\"{\"}><[{\"b\":[1,2]},{}]><{\"c\":3}>");
        assert_int_equal(stream.skipped, 1);
        assert_int_equal(stream.depth, 1);
        json_stream_clear(&stream);
        assert_int_equal(json_stream_feed(&stream, "{\"stop\":1}{}", 12, object_taken, all),
                         -ECANCELED);
        json_stream_clear(&stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(pulls),
        ENGINE_TEST(pulls_that_fail),
        ENGINE_TEST(pulls_that_are_stopped),
        ENGINE_TEST(imports),
        ENGINE_TEST(logs),
        cmocka_unit_test(objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
