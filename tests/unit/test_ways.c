/* The ways to a container's Ollama: which is asked, and what its silence on all of them says. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "http_server.h"
#include "sense/ollama_private.h"
#include "ways.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A way that answered and breaks says nothing of the server: all are tried, and then it is doubted
 * while it is seen to listen. */
static void a_broken_way_is_no_silence(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer;
    ways_begin(&f, LISTENS(P11434, "0"));
    assert_true(ways_goes_to(&f, "127.0.0.1"));
    assert_true(ways_settle(&f, &answer, true, true));
    for (int round = 0; round < 3; round++) {
        assert_true(ways_goes_to(&f, "127.0.0.1"));
        assert_false(ways_settle(&f, &answer, false, false));
        assert_true(ways_goes_to(&f, "10.0.0.2"));
        assert_true(ways_settle(&f, &answer, false, false));
        assert_true(answer.doubted && !answer.foreign);
        assert_string_equal(answer.error, "way 0");
        /* The next round begins at its first way, by a client for that. */
        assert_non_null(watch_client(&f.w, &f.sense.sampler));
    }
    assert_false(ways_settle(&f, &answer, false, false));
    assert_true(ways_settle(&f, &answer, true, true)); /* the other way answers: it stays */
    assert_true(ways_goes_to(&f, "10.0.0.2"));
    assert_true(answer.reachable && !answer.doubted);
    ways_end(&f);
}

static void unloaded(void *userdata, int result, const struct error *err)
{
    (void)err;
    *(int *)userdata = result;
}

/* Ollama aborts a load whose client leaves: a poll that fails takes its connection away from none,
 * nor does an address more. */
static void a_load_is_gone_on_with(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer;
    int result = 1;
    ways_begin(&f, LISTENS(P11434, "0"));
    assert_true(ways_settle(&f, &answer, true, true));
    struct ollama_client *client = f.w.client;
    ollama_unload(client, "m", 60000, unloaded, &result);
    assert_true(ways_settle(&f, &answer, false, false) && answer.doubted);
    assert_ptr_equal(f.w.client, client);
    tree_put(f.tree, "100/net/fib_trie", "|-- 10.0.0.9\n/32 host LOCAL\n" TRIE);
    f.w.place_due = true;
    assert_ptr_equal(watch_client(&f.w, &f.sense.sampler), client);
    assert_true(f.w.place.n == 3 && ways_goes_to(&f, "127.0.0.1"));
    assert_int_equal(result, 1);
    ways_end(&f);
    assert_int_equal(result, -ECANCELED);
}

/* What proves that the server itself is silent. */
static void silence_of_the_server(void **state)
{
    static const struct {
        const char *name, *rows;
        bool met_first, met_last, doubted;
    } cases[] = {
        {"met by its own connection", LISTENS(P11434, "0"), true, false, false},
        {"met on the last way", LISTENS(P11434, "0"), false, true, false},
        {"connections wait", LISTENS(P11434, "3"), false, false, false},
        {"nobody listens", "", false, false, false},
        {"it listens, and was not met", LISTENS(P11434, "0"), false, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        struct tree tree;
        struct ways f = {.tree = &tree};
        struct ollama answer;
        snprintf(name, sizeof name, "%zu", i);
        tree_make_directory(*state, name);
        snprintf(tree.root, sizeof tree.root, "%s", tree_path(*state, name));
        ways_begin(&f, LISTENS(P11434, "0"));
        assert_true(ways_settle(&f, &answer, true, true));
        ways_put_rows(&f, cases[i].rows);
        assert_false(ways_settle(&f, &answer, false, cases[i].met_first));
        assert_true(ways_settle(&f, &answer, false, cases[i].met_last));
        if (answer.doubted != cases[i].doubted || answer.reachable)
            fail_msg("%s", cases[i].name);
        /* A proof is of its round only. */
        ways_put_rows(&f, LISTENS(P11434, "0"));
        ways_settle(&f, &answer, false, false);
        assert_true(ways_settle(&f, &answer, false, false) && answer.doubted);
        ways_end(&f);
    }
}

/* Its server is gone, and its entrypoint lives: that is its own silence unless something in there
 * waits for a disk, or nobody can tell. */
static void no_server_runs(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer;
    ways_begin(&f, LISTENS(P11434, "0"));
    struct container *c = &f.w.container;
    c->cgroup.disk_read = 4096;
    c->processes[0].kind = PROCESS_OTHER;
    ways_put_rows(&f, "");
    assert_false(ways_settle(&f, &answer, false, false));
    assert_true(ways_settle(&f, &answer, false, false) && !answer.doubted);
    c->processes[0].state = 'D';
    assert_false(ways_settle(&f, &answer, false, false));
    assert_true(ways_settle(&f, &answer, false, false) && answer.doubted);
    c->processes[0].state = 'S';
    c->cgroup.disk_read = FACT_UNKNOWN;
    assert_false(ways_settle(&f, &answer, false, false));
    assert_true(ways_settle(&f, &answer, false, false) && answer.doubted);
    /* A server that listens nowhere is silent itself, whatever it waits for. */
    c->processes[0].kind = PROCESS_SERVE;
    assert_false(ways_settle(&f, &answer, false, false));
    assert_true(ways_settle(&f, &answer, false, false) && !answer.doubted);
    ways_end(&f);
}

/* It listens elsewhere now: what is not asked there yet is not known. */
static void another_port_is_found_when_it_is_silent(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer;
    ways_begin(&f, LISTENS(P11434, "0"));
    assert_true(ways_settle(&f, &answer, true, true));
    ways_put_rows(&f, LISTENS(P8080, "0"));
    assert_false(ways_settle(&f, &answer, false, false));
    assert_false(ways_settle(&f, &answer, false, false));
    assert_false(f.w.container.ollama.asked);
    assert_non_null(watch_client(&f.w, &f.sense.sampler));
    assert_int_equal(f.w.place.ways[f.w.way].port, 8080);
    ways_end(&f);
}

/* By the engine's word alone nobody's list is taken for its. */
static void who_answers_where_it_listens_nowhere(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer;
    ways_begin(&f, "");
    assert_true(f.w.absent && f.w.place_retry_s < 1e9);
    assert_true(ways_settle(&f, &answer, true, true));
    assert_true(!answer.reachable && answer.n_models == 0 && !answer.doubted);
    assert_non_null(strstr(answer.error, "is not its server"));
    /* It has begun to: that one is asked, and believed. */
    ways_put_rows(&f, LISTENS(P11434, "0"));
    assert_false(ways_settle(&f, &answer, true, true));
    assert_false(f.w.container.ollama.asked);
    assert_non_null(watch_client(&f.w, &f.sense.sampler));
    assert_true(ways_settle(&f, &answer, true, true) && answer.reachable);
    assert_int_equal(f.w.place.server, MAIN);
    /* It listens no more, and somebody answers in its place. */
    ways_put_rows(&f, "");
    f.w.place_due = true;
    assert_non_null(watch_client(&f.w, &f.sense.sampler));
    f.w.tried = f.w.place.n; /* its other ways have failed */
    assert_true(ways_settle(&f, &answer, true, true) && !answer.reachable);
    ways_end(&f);
}

/* An HTTP answer of any kind is not silence, whatever the other ways say. */
static void a_foreign_answer_is_not_silence(void **state)
{
    struct ways f = {.tree = *state};
    struct ollama answer = {.asked = true, .foreign = true};
    ways_begin(&f, LISTENS(P11434, "0"));
    assert_false(watch_settle(&f.w, &answer));
    assert_true(ways_settle(&f, &answer, false, false));
    assert_true(answer.foreign);
    ways_end(&f);
}

/* ---- whether a connection is its server's, asked of a real one ---- */

struct meeting {
    uv_loop_t loop;
    unsigned done, asked;
    bool its, reachable;
    atomic_bool hangs;
    uint16_t port;
    char error[160];
};

static enum server_next answer_well(void *userdata, int fd, const char *request)
{
    const struct meeting *m = userdata;
    if (m->hangs)
        server_wait_ms(300);
    if (strstr(request, "/api/version "))
        server_reply(fd, 200, "", "{\"version\":\"0.33.0\"}");
    else
        server_reply(fd, 200, "", "{\"models\":[]}");
    return SERVER_KEEP;
}

static bool is_its(void *userdata, const struct http_ends *ends)
{
    struct meeting *m = userdata;
    assert_string_equal(ends->local, "127.0.0.1");
    assert_string_equal(ends->remote, "127.0.0.1");
    assert_true(ends->remote_port == m->port && ends->local_port != m->port && ends->local_port);
    m->asked++;
    return m->its;
}

static void polled(void *userdata, const struct ollama *answer, uint64_t sent_ns)
{
    struct meeting *m = userdata;
    (void)sent_ns;
    m->reachable = answer->reachable;
    snprintf(m->error, sizeof m->error, "%s", answer->error);
    m->done++;
}

static void unload_answered(void *userdata, int result, const struct error *err)
{
    struct meeting *m = userdata;
    (void)err;
    assert_true(result < 0);
    m->done++;
}

/* How often it was asked for; whether the poll itself met its server. */
static unsigned asks(struct meeting *m, struct ollama_client *client, bool *ret_met)
{
    unsigned asked = m->asked;
    assert_int_equal(ollama_poll(client, m->hangs ? 100 : 2000, polled, m), 0);
    assert_true(loop_until(&m->loop, &m->done, m->done + 1, 5000));
    *ret_met = ollama_client_met(client);
    return m->asked - asked;
}

static void a_connection_is_proven_once_and_after_a_failure(void **state)
{
    struct meeting m = {.its = true};
    struct http *http;
    struct error err;
    struct ollama_client *client;
    bool met;
    (void)state;
    struct server *server = server_tcp(answer_well, &m);
    m.port = server_port(server);
    assert_int_equal(uv_loop_init(&m.loop), 0);
    assert_int_equal(http_new(&m.loop, &http, &err), 0);
    assert_int_equal(ollama_client_new(http, "127.0.0.1", m.port, &client), 0);
    ollama_client_meet(client, 0, is_its, &m);
    assert_true(asks(&m, client, &met) >= 1 && met && m.reachable);
    assert_int_equal(asks(&m, client, &met), 0);
    assert_true(!met && m.reachable); /* an old proof says nothing of this poll */
    ollama_client_doubt(client);
    assert_int_equal(asks(&m, client, &met), 1);
    assert_true(met && m.reachable);
    m.hangs = true;
    assert_int_equal(asks(&m, client, &met), 0); /* by the old one, which is none any more */
    assert_true(!met && !m.reachable);
    assert_true(asks(&m, client, &met) >= 1 && met && !m.reachable);
    m.hangs = false;
    assert_true(asks(&m, client, &met) >= 1 && met && m.reachable);
    /* What changes something is asked of its own server alone, whatever the last poll proved. */
    unsigned requests = server_requests(server);
    m.its = false;
    ollama_unload(client, "m", 2000, unload_answered, &m);
    assert_true(loop_until(&m.loop, &m.done, m.done + 1, 5000));
    assert_int_equal(server_requests(server), requests);
    ollama_client_doubt(client);
    requests = server_requests(server);
    assert_true(asks(&m, client, &met) >= 1 && !met && !m.reachable);
    assert_non_null(strstr(m.error, "is not this container's"));
    assert_int_equal(server_requests(server), requests); /* nothing was sent */
    m.its = true;
    assert_true(asks(&m, client, &met) >= 1 && met && m.reachable);
    ollama_client_free(client);
    http_free(http);
    assert_true(loop_end(&m.loop));
    server_stop(server);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tree_make, tree_drop)
    const struct CMUnitTest tests[] = {
        TEST(a_broken_way_is_no_silence),
        TEST(a_load_is_gone_on_with),
        TEST(silence_of_the_server),
        TEST(no_server_runs),
        TEST(another_port_is_found_when_it_is_silent),
        TEST(who_answers_where_it_listens_nowhere),
        TEST(a_foreign_answer_is_not_silence),
        cmocka_unit_test(a_connection_is_proven_once_and_after_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
