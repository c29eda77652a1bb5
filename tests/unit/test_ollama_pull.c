/* Pulling a model: a stream of progress that is cut anywhere, and every way in which it ends. */
#include "http_server.h"
#include "sense/ollama_pull.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 8000 };

struct fixture {
    uv_loop_t loop;
    struct http *http;
    struct server *server;
    struct ollama_client *client;
    atomic_int status;
    atomic_bool hangs;
    const char *body;
    char asked[128];
    unsigned done, told;
    bool enough; /* told wants no more */
    int result;
    struct error err;
    fact current, total;
};

static enum server_next answer(void *userdata, int fd, const char *request)
{
    struct fixture *f = userdata;
    snprintf(f->asked, sizeof f->asked, "%s", strstr(request, "\r\n\r\n") + 4);
    if (f->status != 200) {
        server_reply(fd, f->status, "", f->body);
        return SERVER_KEEP;
    }
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n";
    assert_int_equal(write(fd, head, sizeof head - 1), sizeof head - 1);
    for (const char *at = f->body; *at; at += 7 < strlen(at) ? 7 : strlen(at))
        if (write(fd, at, 7 < strlen(at) ? 7 : strlen(at)) < 0)
            return SERVER_CLOSE;
    if (f->hangs)
        server_wait_ms(2000);
    return SERVER_CLOSE;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->status = 200;
    f->server = server_tcp(answer, f);
    uv_loop_init(&f->loop);
    if (http_new(&f->loop, &f->http, NULL) < 0 ||
        ollama_client_new(f->http, "127.0.0.1", server_port(f->server), &f->client) < 0)
        return -1;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    ollama_client_free(f->client);
    http_free(f->http);
    bool closed = loop_end(&f->loop);
    server_stop(f->server);
    free(f);
    return closed ? 0 : -1;
}

static bool told(void *userdata, const struct pull_progress *progress)
{
    struct fixture *f = userdata;
    f->told++;
    f->current = progress->current;
    f->total = progress->total;
    return !f->enough;
}

static void done(void *userdata, int result, const struct error *err)
{
    struct fixture *f = userdata;
    f->done++;
    f->result = result;
    f->err = err ? *err : (struct error){.message = ""};
}

static struct ollama_pull *begin(struct fixture *f, const char *body)
{
    struct ollama_pull *pull;
    f->body = body;
    f->told = 0;
    f->current = f->total = FACT_UNKNOWN;
    assert_int_equal(ollama_pull(f->client, "m", told, done, f, &pull), 0);
    assert_true(ollama_client_works(f->client));
    return pull;
}

static void pull(struct fixture *f, const char *body)
{
    unsigned before = f->done;
    begin(f, body);
    assert_int_equal(f->done, before);
    assert_true(loop_until(&f->loop, &f->done, before + 1, WAIT_MS));
    assert_false(ollama_client_works(f->client));
}

#define LAYERS                                                                                     \
    "{\"status\":\"pulling manifest\"}\n"                                                          \
    "{\"status\":\"pulling a\",\"digest\":\"sha256:a\",\"total\":100,\"completed\":40}\n"          \
    "{\"status\":\"pulling a\",\"digest\":\"sha256:a\",\"total\":100,\"completed\":100}\n"         \
    "{\"status\":\"pulling b\",\"digest\":\"sha256:b\",\"total\":7,\"completed\":3}\n"

static void ends(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int status, result;
        const char *body, *says;
    } cases[] = {
        {200, 0, LAYERS "{\"status\":\"success\"}\n", ""},
        {200, -ECONNRESET, LAYERS, "ended the pull of m before it was complete"},
        {200, -EIO, LAYERS "{\"error\":\"max retries exceeded\"}\n",
         "could not pull m: max retries exceeded"},
        {500, -EIO, "{\"error\":\"pull model manifest: file does not exist\"}",
         "refused to pull m with HTTP 500: pull model manifest: file does not exist"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->status = cases[i].status;
        pull(f, cases[i].body);
        assert_int_equal(f->result, cases[i].result);
        assert_non_null(strstr(f->err.message, cases[i].says));
        assert_string_equal(f->asked, "{\"model\":\"m\",\"stream\":true}");
        if (cases[i].status == 200)
            assert_true(f->current == 103 && f->total == 107 && f->told >= 4);
    }
}

#define HUGE_LAYER(of)                                                                             \
    "{\"status\":\"pulling\",\"digest\":\"sha256:" of                                              \
    "\",\"total\":9223372036854775807,\"completed\":1}\n"

/* Layers whose sum no fact can hold: how far it is is unknown, not negative. */
static void huge(void **state)
{
    struct fixture *f = *state;
    pull(f, HUGE_LAYER("a") HUGE_LAYER("b") HUGE_LAYER("c") "{\"status\":\"success\"}\n");
    assert_int_equal(f->result, 0);
    assert_int_equal(f->current, FACT_UNKNOWN);
    assert_int_equal(f->total, FACT_UNKNOWN);
}

static void ended(void **state)
{
    struct fixture *f = *state;
    f->hangs = true;
    ollama_pull_stop(begin(f, LAYERS));
    assert_int_equal(f->done, 0);
    assert_true(loop_until(&f->loop, &f->done, 1, WAIT_MS));
    assert_int_equal(f->result, -ECANCELED);
    assert_string_equal(f->err.message, "the pull of m was ended");
    f->enough = true;
    pull(f, LAYERS);
    assert_int_equal(f->result, -ECANCELED);
    assert_int_equal(f->told, 1);
    f->enough = false;
    begin(f, LAYERS);
    loop_for(&f->loop, 200);
    assert_true(f->told > 0);
    ollama_client_free(f->client); /* its container is gone */
    f->client = NULL;
    assert_int_equal(f->done, 3);
    assert_int_equal(f->result, -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(huge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ended, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
