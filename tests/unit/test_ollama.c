/* Ollama's client, beside a server that is well, slow, broken or gone. */
#include "http_server.h"
#include "sense/ollama.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIGEST "2d1ac1ed95449cc91245c51b277622141ebd82a0204a5c1c0a133268426d8587"
#define BLOB   "sha256-d952cac8cb452d49ccc088d72bff25595b7499c968f83b5ecf0f2b03b6220ae3"

enum { WAIT_MS = 8000 };

/* What the server does with each question. */
enum way { WELL, FAILS, HANGS, TALKS_NONSENSE, RESETS };

struct fixture {
    uv_loop_t loop;
    struct http *http;
    struct server *server;
    struct ollama_client *client;
    atomic_int ps, show, version, tags;
    atomic_int models; /* in /api/ps */
    atomic_int pulled; /* a newer one of the first name: it has another digest */
    atomic_uint shows_asked, versions_asked;
    char unload_body[256];

    unsigned done;
    uint64_t sent_ns;
    struct ollama answer; /* a copy */
    int result;
    struct error err;
    bool free_when_done, poll_when_done;
};

static enum server_next behave(enum way way, int fd, const char *good)
{
    switch (way) {
    case WELL:
        server_reply(fd, 200, "", good);
        return SERVER_KEEP;
    case FAILS:
        server_reply(fd, 503, "", "{\"error\":\"server busy,\\nplease try again\"}");
        return SERVER_KEEP;
    case HANGS:
        server_wait_ms(300);
        return SERVER_CLOSE;
    case TALKS_NONSENSE:
        server_reply(fd, 200, "", "Ollama is running");
        return SERVER_KEEP;
    default:
        return SERVER_RESET;
    }
}

static enum server_next answer(void *userdata, int fd, const char *request)
{
    struct fixture *f = userdata;
    const char *body = strstr(request, "\r\n\r\n") + 4;
    if (strstr(request, "GET /api/version ")) {
        f->versions_asked++;
        return behave(f->version, fd, "{\"version\":\"0.33.0\"}");
    }
    if (strstr(request, "POST /api/show ")) {
        f->shows_asked++;
        return behave(f->show, fd,
                      strstr(body, "{\"model\":\"m") ? "{\"modelfile\":\"# FROM x/" BLOB
                                                       "\\n\\nFROM /root/.ollama/models/blobs/" BLOB
                                                       "\\nTEMPLATE {{ .Prompt }}\\n\"}"
                                                     : "{}");
    }
    char text[16384] = "{\"models\":[";
    if (strstr(request, "GET /api/tags ")) {
        for (int i = 0; i < 40; i++) {
            size_t used = strlen(text);
            snprintf(text + used, sizeof text - used,
                     "%s{\"name\":\"m%d:latest\",\"digest\":\"%.61s%03d\"}", i ? "," : "", i,
                     DIGEST, i == 0 && f->pulled ? 999 : i);
        }
        snprintf(text + strlen(text), sizeof text - strlen(text), "]}");
        return behave(f->tags, fd, text);
    }
    if (strstr(request, "POST /api/generate ")) {
        snprintf(f->unload_body, sizeof f->unload_body, "%s", body);
        if (strstr(body, "missing"))
            server_reply(fd, 404, "", "{\"error\":\"model 'missing' not found\"}");
        else
            return behave(f->ps, fd, "{\"done\":true,\"done_reason\":\"unload\"}");
        return SERVER_KEEP;
    }
    for (int i = 0; i < f->models; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used,
                 "%s{\"name\":\"m%d:latest\",\"size\":4540333,\"size_vram\":0,"
                 "\"context_length\":2048,\"digest\":\"%.61s%03d\",\"expires_at\":"
                 "\"2026-11-21T03:46:48.37652541Z\"}",
                 i ? "," : "", i, DIGEST, i);
    }
    snprintf(text + strlen(text), sizeof text - strlen(text), "]}");
    return behave(f->ps, fd, text);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->models = 1;
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
    if (f->server)
        server_stop(f->server);
    ollama_clear(&f->answer);
    free(f);
    return closed ? 0 : -1;
}

static void polled(void *userdata, const struct ollama *given, uint64_t sent_ns)
{
    struct fixture *f = userdata;
    ollama_clear(&f->answer);
    assert_int_equal(ollama_copy(&f->answer, given), 0);
    f->sent_ns = sent_ns;
    f->done++;
    assert_false(ollama_poll_pending(f->client));
    if (f->free_when_done) {
        ollama_client_free(f->client);
        f->client = NULL;
    }
    if (f->poll_when_done) {
        f->poll_when_done = false;
        assert_int_equal(ollama_poll(f->client, 1000, polled, f), 0);
    }
}

static void poll(struct fixture *f, long timeout_ms)
{
    unsigned before = f->done;
    uint64_t started_ns = uv_hrtime();
    assert_int_equal(ollama_poll(f->client, timeout_ms, polled, f), 0);
    assert_true(ollama_poll_pending(f->client));
    assert_int_equal(ollama_poll(f->client, timeout_ms, polled, f), -EBUSY);
    assert_int_equal(f->done, before);
    assert_true(loop_until(&f->loop, &f->done, before + 1, WAIT_MS));
    assert_int_equal(f->done, before + 1);
    assert_true(f->answer.asked);
    assert_true(f->sent_ns >= started_ns && f->sent_ns < started_ns + 1000000000);
    assert_true(f->answer.age_ms > 0 && f->answer.age_ms < WAIT_MS);
}

static void a_good_look(void **state)
{
    struct fixture *f = *state;
    poll(f, 2000);
    assert_true(f->answer.reachable);
    assert_string_equal(f->answer.error, "");
    assert_string_equal(f->answer.version, "0.33.0");
    assert_true(f->answer.latency_ms > 0);
    assert_true(f->answer.age_ms >= f->answer.latency_ms);
    assert_int_equal(f->answer.n_models, 1);
    assert_string_equal(f->answer.models[0].name, "m0:latest");
    assert_string_equal(f->answer.models[0].blob, BLOB);
    assert_int_equal(f->answer.models[0].size, 4540333);
    assert_int_equal(f->answer.models[0].size_vram, 0);
    assert_int_equal(f->answer.models[0].context_length, 2048);
    assert_string_equal(f->answer.models[0].expires_at, "2026-11-21T03:46:48.37652541Z");
    assert_int_equal(server_connections(f->server), 4); /* one for each question */
    uint16_t port;
    assert_int_equal(http_local_ports(f->http, &port, 1), 0); /* and none is kept */

    poll(f, 2000); /* what is known is not asked again */
    assert_string_equal(f->answer.models[0].blob, BLOB);
    assert_string_equal(f->answer.version, "0.33.0");
    assert_int_equal(server_requests(f->server), 5);

    f->models = 0;
    poll(f, 2000);
    assert_true(f->answer.reachable);
    assert_int_equal(f->answer.n_models, 0);
}

static void unreachable(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum way way;
        const char *words;
    } cases[] = {
        {FAILS, "answered GET /api/ps with HTTP 503: server busy, please try again"},
        {HANGS, "did not answer GET /api/ps within 0.1 s"},
        {TALKS_NONSENSE, "with something that is not Ollama's"},
        {RESETS, "closed the connection before it answered GET /api/ps"},
    };
    poll(f, 2000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        f->ps = cases[i].way;
        poll(f, 100);
        assert_false(f->answer.reachable);
        assert_int_equal(f->answer.n_models, 0);
        assert_true(f->answer.latency_ms < 0);
        assert_string_equal(f->answer.version, "");
        assert_non_null(strstr(f->answer.error, cases[i].words));
        assert_memory_equal(f->answer.error, "http://127.0.0.1:", 17);
    }
    unsigned versions = f->versions_asked;
    f->ps = WELL; /* another version may be back */
    poll(f, 2000);
    assert_true(f->answer.reachable);
    assert_string_equal(f->answer.error, "");
    assert_true(f->versions_asked > versions);
    server_stop(f->server);
    f->server = NULL;
    poll(f, 1000);
    assert_false(f->answer.reachable);
    assert_non_null(strstr(f->answer.error, "refuses connections"));
}

static void shows_that_fail(void **state)
{
    struct fixture *f = *state;
    f->show = FAILS;
    f->version = RESETS;
    poll(f, 2000);
    assert_true(f->answer.reachable);
    assert_string_equal(f->answer.models[0].blob, "");
    assert_string_equal(f->answer.version, "");
    f->show = TALKS_NONSENSE;
    f->version = FAILS;
    poll(f, 2000);
    assert_string_equal(f->answer.models[0].blob, "");
    f->show = WELL;
    f->version = WELL;
    poll(f, 2000);
    assert_string_equal(f->answer.models[0].blob, BLOB);
    assert_string_equal(f->answer.version, "0.33.0");
    assert_int_equal(f->shows_asked, 3);
}

static void a_name_that_means_another_model(void **state)
{
    struct fixture *f = *state;
    f->pulled = 1;
    f->models = 2;
    for (int i = 0; i < 3; i++) {
        poll(f, 2000);
        assert_string_equal(f->answer.models[0].blob, "");
        assert_string_equal(f->answer.models[1].blob, BLOB);
    }
    assert_int_equal(f->shows_asked, 2); /* the digest that is loaded is nobody's name any more */
}

static void blobs_wait_for_the_names(void **state)
{
    struct fixture *f = *state;
    static const enum way ways[] = {FAILS, TALKS_NONSENSE, RESETS};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        f->tags = ways[i];
        poll(f, 2000);
        assert_true(f->answer.reachable);
        assert_string_equal(f->answer.models[0].blob, "");
    }
    f->tags = WELL;
    poll(f, 2000);
    assert_string_equal(f->answer.models[0].blob, BLOB);
}

static void many_models(void **state)
{
    struct fixture *f = *state;
    f->models = 40;
    poll(f, 2000);
    assert_int_equal(f->answer.n_models, 40);
    assert_int_equal(f->shows_asked, 16); /* no burst: the others in the next polls */
    poll(f, 2000);
    poll(f, 2000);
    assert_int_equal(f->shows_asked, 40);
    for (size_t i = 0; i < 40; i++)
        assert_string_equal(f->answer.models[i].blob, BLOB);
    poll(f, 2000);
    assert_int_equal(f->shows_asked, 40);
}

static void freed_and_polled_in_between(void **state)
{
    struct fixture *f = *state;
    f->poll_when_done = true;
    assert_int_equal(ollama_poll(f->client, 1000, polled, f), 0);
    assert_true(loop_until(&f->loop, &f->done, 2, WAIT_MS));
    f->ps = HANGS;
    assert_int_equal(ollama_poll(f->client, 1000, polled, f), 0);
    loop_for(&f->loop, 20);
    ollama_client_free(f->client);
    loop_for(&f->loop, 20);
    assert_int_equal(f->done, 2); /* no report after that */
    f->ps = WELL;
    assert_int_equal(ollama_client_new(f->http, "127.0.0.1", server_port(f->server), &f->client),
                     0);
    f->free_when_done = true;
    assert_int_equal(ollama_poll(f->client, 1000, polled, f), 0);
    assert_true(loop_until(&f->loop, &f->done, 3, WAIT_MS));
    assert_true(f->answer.reachable);
}

static void unloaded(void *userdata, int result, const struct error *err)
{
    struct fixture *f = userdata;
    f->done++;
    f->result = result;
    if (err)
        f->err = *err;
    assert_int_equal(err != NULL, result < 0);
}

static void unload(void **state)
{
    struct fixture *f = *state;
    ollama_unload(f->client, "m0:latest", 1000, unloaded, f);
    assert_true(loop_until(&f->loop, &f->done, 1, WAIT_MS));
    assert_int_equal(f->result, 0);
    assert_string_equal(f->unload_body, "{\"model\":\"m0:latest\",\"keep_alive\":0}");
    ollama_unload(f->client, "missing", 1000, unloaded, f);
    assert_true(loop_until(&f->loop, &f->done, 2, WAIT_MS));
    assert_int_equal(f->result, -ENOENT);
    assert_non_null(strstr(f->err.message, "model 'missing' not found"));
    f->ps = FAILS;
    ollama_unload(f->client, "m\"0", 1000, unloaded, f);
    assert_true(loop_until(&f->loop, &f->done, 3, WAIT_MS));
    assert_int_equal(f->result, -EIO);
    assert_int_equal(f->err.failure, FAILURE_JOB);
    assert_string_equal(f->unload_body, "{\"model\":\"m\\\"0\",\"keep_alive\":0}");
    f->ps = HANGS;
    ollama_unload(f->client, "m0", 100, unloaded, f);
    assert_true(loop_until(&f->loop, &f->done, 4, WAIT_MS));
    assert_int_equal(f->result, -ETIMEDOUT);
    ollama_unload(f->client, "m0", 1000, unloaded, f);
    loop_for(&f->loop, 20);
    ollama_client_free(f->client);
    f->client = NULL;
    assert_int_equal(f->done, 5);
    assert_int_equal(f->result, -ECANCELED);
}

static void addresses(void **state)
{
    struct fixture *f = *state;
    struct ollama_client *client;
    assert_int_equal(ollama_client_new(f->http, "", 11434, &client), -EINVAL);
    assert_int_equal(ollama_client_new(f->http, "10.0.0.1/x?", 11434, &client), -EINVAL);
    assert_int_equal(ollama_client_new(f->http, "10.0.0.1", 0, &client), -EINVAL);
    char name[128];
    memset(name, 'n', sizeof name);
    name[127] = '\0';
    assert_int_equal(ollama_client_new(f->http, name, 1, &client), -ENAMETOOLONG);
    struct ollama_client *mine = f->client;
    assert_int_equal(ollama_client_new(f->http, "::1", server_port(f->server), &f->client), 0);
    poll(f, 1000);
    assert_memory_equal(f->answer.error, "http://[::1]:", 13);
    ollama_client_free(f->client);
    f->client = mine;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_good_look),
        TEST(unreachable),
        TEST(shows_that_fail),
        TEST(a_name_that_means_another_model),
        TEST(blobs_wait_for_the_names),
        TEST(many_models),
        TEST(freed_and_polled_in_between),
        TEST(unload),
        TEST(addresses),

    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
