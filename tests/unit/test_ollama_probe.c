/* One token of a loaded model, and every way in which none comes. */
#include "http_server.h"
#include "sense/ollama_probe.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    char generate[256], embed[256];
    unsigned done;
    int result;
    struct error err;
};

static enum server_next answer(void *userdata, int fd, const char *request)
{
    struct fixture *f = userdata;
    const char *body = strstr(request, "\r\n\r\n") + 4;
    if (f->hangs) {
        server_wait_ms(2000);
        return SERVER_CLOSE;
    }
    if (strstr(request, "POST /api/embed ")) {
        snprintf(f->embed, sizeof f->embed, "%s", body);
        server_reply(fd, 200, "", "{\"embeddings\":[[0.1]]}");
        return SERVER_KEEP;
    }
    snprintf(f->generate, sizeof f->generate, "%s", body);
    server_reply(fd, f->status, "", f->body);
    return SERVER_KEEP;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
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

static void done(void *userdata, int result, const struct error *err)
{
    struct fixture *f = userdata;
    f->done++;
    f->result = result;
    f->err = err ? *err : (struct error){.message = ""};
}

static void probes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int status, result;
        const char *body, *says;
    } cases[] = {
        {200, 0, "{\"done\":true,\"done_reason\":\"length\",\"eval_count\":1}", ""},
        {200, -ENODATA, "{\"done\":true,\"done_reason\":\"load\"}", "without a token"},
        {200, -ENODATA, "x", "without a token"},
        {404, -ENOENT, "{\"error\":\"x\"}", "m is not installed there"},
        {500, -EIO, "{\"error\":\"llama-server process has terminated\"}",
         "answered the probe with HTTP 500: llama-server process has terminated"},
        {400, 0, "{\"error\":\"\\\"m\\\" does not support generate\"}", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->status = cases[i].status;
        f->body = cases[i].body;
        unsigned before = f->done;
        ollama_probe(f->client, "m", 2000, done, f);
        assert_true(loop_until(&f->loop, &f->done, before + 1, WAIT_MS));
        assert_int_equal(f->result, cases[i].result);
        assert_non_null(strstr(f->err.message, cases[i].says));
        assert_string_equal(f->generate, "{\"model\":\"m\",\"prompt\":\"Hello\",\"stream\":false,"
                                         "\"options\":{\"num_predict\":1}}");
    }
    assert_string_equal(f->embed, "{\"model\":\"m\",\"input\":\"Hello\"}"); /* the last one */
}

static void no_answer(void **state)
{
    struct fixture *f = *state;
    f->hangs = true;
    ollama_probe(f->client, "m", 200, done, f);
    assert_true(loop_until(&f->loop, &f->done, 1, WAIT_MS));
    assert_int_equal(f->result, -ETIMEDOUT);
    ollama_probe(f->client, "m", 2000, done, f);
    ollama_client_free(f->client);
    f->client = NULL;
    assert_int_equal(f->done, 2);
    assert_int_equal(f->result, -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(probes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_answer, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
