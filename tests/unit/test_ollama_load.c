/* What Ollama says of a model before it is loaded, and the load itself. */
#include "http_server.h"
#include "sense/ollama_load.h"
#include "sense/ollama_model.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

enum { WAIT_MS = 8000 };

static void tags(void **state)
{
    (void)state;
    static const char body[] =
        "{\"models\":[{\"size\":1},{\"name\":\"a:latest\",\"size\":200,\"details\":"
        "{\"parameter_size\":\"1.5B\"}},{\"name\":\"b:1\",\"size\":3,\"remote_host\":\"https://x\"}"
        "]}";
    struct ollama_model m;
    assert_int_equal(ollama_parse_tags(body, strlen(body), "A", &m), 0);
    assert_string_equal(m.name, "a:latest");
    assert_true(m.file == 200 && m.parameters == 1500000000 && !m.cloud);
    assert_int_equal(m.context, FACT_UNKNOWN);
    assert_int_equal(ollama_parse_tags(body, strlen(body), "b:1", &m), 0);
    assert_true(m.cloud);
    assert_int_equal(ollama_parse_tags(body, strlen(body), "b", &m), -ENOENT);
    assert_int_equal(ollama_parse_tags("{}", 2, "b", &m), -EBADMSG);
    assert_int_equal(ollama_parse_tags("x", 1, "b", &m), -EBADMSG);
}

static void metadata(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        fact kv, context, trained, parameters;
    } cases[] = {
        /* 2 layers, 4 heads of 16: 2 x 4 x (16 + 16) x 2 */
        {"{\"parameters\":\"stop x\\nnum_ctx          2048\",\"model_info\":{"
         "\"general.architecture\":\"llama\",\"general.parameter_count\":98816,"
         "\"llama.attention.head_count\":4,\"llama.block_count\":2,\"llama.context_length\":8192,"
         "\"llama.embedding_length\":64}}",
         512, 2048, 8192, 98816},
        /* fewer KV heads, sizes of their own */
        {"{\"model_info\":{\"general.architecture\":\"q\",\"q.attention.head_count\":32,"
         "\"q.attention.head_count_kv\":8,\"q.block_count\":10,\"q.attention.key_length\":128,"
         "\"q.attention.value_length\":64}}",
         10 * 8 * (128 + 64) * 2, FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN},
        /* one number for each layer */
        {"{\"model_info\":{\"general.architecture\":\"g\",\"g.attention.head_count\":8,"
         "\"g.attention.head_count_kv\":[4,0,4],\"g.block_count\":3,\"g.embedding_length\":64}}",
         8 * 16 * 2, FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN},
        {"{\"model_info\":{\"general.architecture\":\"g\",\"g.block_count\":3}}", FACT_UNKNOWN,
         FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN},
        {"{\"model_info\":{\"general.architecture\":\"g\",\"g.block_count\":-3,"
         "\"g.attention.head_count\":99999999999,\"g.embedding_length\":64}}",
         FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN},
        {"{\"parameters\":\"num_ctx x\"}", FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN, FACT_UNKNOWN},
        {"{\"parameters\":\"num_ctxs 12\\nnum_ctx 99999999999999\"}", FACT_UNKNOWN, FACT_UNKNOWN,
         FACT_UNKNOWN, FACT_UNKNOWN},
    };
    struct ollama_model m;
    for (size_t i = 0; i < N(cases); i++) {
        ollama_model_init(&m);
        assert_int_equal(ollama_parse_metadata(cases[i].body, strlen(cases[i].body), &m), 0);
        if (m.shape.kv_per_token != cases[i].kv || m.context != cases[i].context ||
            m.trained != cases[i].trained || m.parameters != cases[i].parameters)
            fail_msg("case %zu: kv %lld, context %lld", i, (long long)m.shape.kv_per_token,
                     (long long)m.context);
    }
    assert_int_equal(ollama_parse_metadata("[]", 2, &m), -EBADMSG);
    assert_int_equal(ollama_parse_metadata("", 0, &m), -EBADMSG);
}

#define LLAMA3                                                                                     \
    "\"model_info\":{\"general.architecture\":\"llama\",\"llama.attention.head_count\":32,"        \
    "\"llama.attention.head_count_kv\":8,\"llama.block_count\":32,\"llama.embedding_length\":"     \
    "4096,"                                                                                        \
    "\"llama.feed_forward_length\":14336"

/* Weights are the tensors; the buffers of an 8B model are llama.cpp's 258.5 MiB. */
static void shapes(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        struct model_shape shape;
    } cases[] = {
        {"{" LLAMA3 "},\"tensors\":[{\"name\":\"token_embd.weight\",\"type\":\"Q4_K\",\"shape\":"
         "[4096,128256]},{\"name\":\"x\",\"type\":\"q6_k\",\"shape\":[256]}]}",
         {4096LL * 128256 * 9 / 16 + 210, 32 * 8 * 256 * 2, 271056896}},
        {"{" LLAMA3 ",\"llama.vocab_size\":128256},\"tensors\":[{\"type\":\"Q9\",\"shape\":[2]}]}",
         {FACT_UNKNOWN, 32 * 8 * 256 * 2, 271056896}},
        {"{" LLAMA3 "}}", {FACT_UNKNOWN, 32 * 8 * 256 * 2, (3 * 14336 + 4 * 4096) * 2048LL}},
        {"{\"model_info\":{},\"tensors\":[{\"type\":\"F32\",\"shape\":[]}]}", SHAPE_UNKNOWN},
        {"{\"tensors\":[{\"type\":\"F32\",\"shape\":[4611686018427387904,4]}]}", SHAPE_UNKNOWN},
        {"{\"tensors\":[{\"type\":\"F32\",\"shape\":[-4]}]}", SHAPE_UNKNOWN},
    };
    struct ollama_model m;
    for (size_t i = 0; i < N(cases); i++) {
        const struct model_shape *wanted = &cases[i].shape;
        ollama_model_init(&m);
        assert_int_equal(ollama_parse_metadata(cases[i].body, strlen(cases[i].body), &m), 0);
        if (m.shape.weights != wanted->weights || m.shape.kv_per_token != wanted->kv_per_token ||
            m.shape.graph != wanted->graph)
            fail_msg("case %zu: %lld, %lld, %lld", i, (long long)m.shape.weights,
                     (long long)m.shape.kv_per_token, (long long)m.shape.graph);
    }
}

/* ---- beside a server */

struct fixture {
    uv_loop_t loop;
    struct http *http;
    struct server *server;
    struct ollama_client *client;
    char generate[256], embed[256];
    atomic_int generate_status, show_status, tags_status;
    atomic_bool generate_hangs;
    const char *generate_body;
    unsigned done;
    int result;
    struct error err;
    struct ollama_model model;
};

static enum server_next answer(void *userdata, int fd, const char *request)
{
    struct fixture *f = userdata;
    const char *body = strstr(request, "\r\n\r\n") + 4;
    if (strstr(request, "POST /api/generate ")) {
        snprintf(f->generate, sizeof f->generate, "%s", body);
        if (f->generate_hangs) {
            server_wait_ms(3000);
            return SERVER_CLOSE;
        }
        server_reply(fd, f->generate_status, "", f->generate_body);
    } else if (strstr(request, "POST /api/embed ")) {
        snprintf(f->embed, sizeof f->embed, "%s", body);
        server_reply(fd, 200, "", "{\"embeddings\":[]}");
    } else if (strstr(request, "POST /api/show ")) {
        server_reply(fd, f->show_status, "",
                     strstr(body, "\"m:latest\"") ? "{\"parameters\":\"num_ctx 77\"}" : "{}");
    } else {
        server_reply(fd, f->tags_status, "", "{\"models\":[{\"name\":\"m:latest\",\"size\":200}]}");
    }
    return SERVER_KEEP;
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->generate_status = f->show_status = f->tags_status = 200;
    f->generate_body = "{\"done\":true,\"done_reason\":\"load\"}";
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

static void asked(void *userdata, int result, const struct ollama_model *model,
                  const struct error *err)
{
    struct fixture *f = userdata;
    f->done++;
    f->result = result;
    f->model = *model;
    f->err = err ? *err : (struct error){.message = ""};
}

static void ask(struct fixture *f, const char *model)
{
    unsigned before = f->done;
    ollama_ask_model(f->client, model, 2000, asked, f);
    assert_true(loop_until(&f->loop, &f->done, before + 1, WAIT_MS));
}

static void asking(void **state)
{
    struct fixture *f = *state;
    ask(f, "M");
    assert_int_equal(f->result, 0);
    assert_string_equal(f->model.name, "m:latest");
    assert_true(f->model.file == 200 && f->model.context == 77);
    f->show_status = 500; /* its size is known all the same */
    ask(f, "m");
    assert_true(f->result == 0 && f->model.file == 200 && f->model.context == FACT_UNKNOWN);
    ask(f, "other");
    assert_int_equal(f->result, -ENOENT);
    assert_string_equal(f->err.message, "other is not installed there: ollama pull other");
    f->tags_status = 503;
    ask(f, "m");
    assert_int_equal(f->result, -EIO);
    assert_non_null(strstr(f->err.message, "answered GET /api/tags with HTTP 503"));
    ollama_ask_model(f->client, "m", 2000, asked, f); /* the client goes meanwhile */
    unsigned before = f->done;
    ollama_client_free(f->client);
    f->client = NULL;
    assert_int_equal(f->done, before + 1);
    assert_int_equal(f->result, -ECANCELED);
}

static void loaded(void *userdata, int result, const struct error *err)
{
    struct fixture *f = userdata;
    f->done++;
    f->result = result;
    f->err = err ? *err : (struct error){.message = ""};
}

static void load(struct fixture *f, int64_t keep_alive_s)
{
    struct ollama_load *l;
    unsigned before = f->done;
    assert_int_equal(ollama_load(f->client, "m", keep_alive_s, loaded, f, &l), 0);
    assert_int_equal(f->done, before);
    assert_true(loop_until(&f->loop, &f->done, before + 1, WAIT_MS));
}

static void loading(void **state)
{
    struct fixture *f = *state;
    load(f, OLLAMA_KEEP_DEFAULT);
    assert_int_equal(f->result, 0);
    assert_string_equal(f->generate, "{\"model\":\"m\"}");
    load(f, OLLAMA_KEEP_FOREVER);
    assert_string_equal(f->generate, "{\"model\":\"m\",\"keep_alive\":-1}");
    f->generate_status = 400; /* a model that can only embed */
    f->generate_body = "{\"error\":\"\\\"m\\\" does not support generate\"}";
    load(f, 60);
    assert_int_equal(f->result, 0);
    assert_string_equal(f->embed, "{\"model\":\"m\",\"input\":\"\",\"keep_alive\":60}");
    f->generate_body = "{\"error\":\"bad\"}";
    load(f, 0);
    assert_int_equal(f->result, -EIO);
    assert_non_null(strstr(f->err.message, "answered the load with HTTP 400: bad"));
    f->generate_status = 404;
    load(f, 0);
    assert_int_equal(f->result, -ENOENT);
    assert_string_equal(f->err.message, "m is not installed there: ollama pull m");
    f->generate_status = 500;
    f->generate_body = "{\"error\":\"llama-server process has terminated: signal: killed\"}";
    load(f, 0);
    assert_non_null(strstr(f->err.message, "signal: killed"));
}

static void cancelled(void **state)
{
    struct fixture *f = *state;
    struct ollama_load *l;
    f->generate_hangs = true;
    assert_int_equal(ollama_load(f->client, "m", 0, loaded, f, &l), 0);
    loop_for(&f->loop, 200);
    assert_int_equal(f->done, 0);
    ollama_load_cancel(l);
    assert_int_equal(f->done, 0);
    assert_true(loop_until(&f->loop, &f->done, 1, WAIT_MS));
    assert_int_equal(f->result, -ECANCELED);
    assert_int_equal(ollama_load(f->client, "m", 0, loaded, f, &l), 0);
    loop_for(&f->loop, 100);
    ollama_client_free(f->client);
    f->client = NULL;
    assert_int_equal(f->done, 2);
    assert_int_equal(f->result, -ECANCELED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tags),
        cmocka_unit_test(metadata),
        cmocka_unit_test(shapes),
        cmocka_unit_test_setup_teardown(asking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(loading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
