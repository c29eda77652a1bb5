/* The engine's client: versions, answers, refusals, lost answers, events. */
#include "engine_fixture.h"
#include <errno.h>
#include <grp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void version_is_negotiated(void **state)
{
    struct engine *e = *state;
    assert_string_equal(docker_api_version(e->docker), "");
    docker_list(e->docker, engine_entry, engine_listed, e); /* these three wait for one question */
    docker_inspect(e->docker, "o", engine_inspected, e);
    docker_ping(e->docker, engine_done, e);
    assert_int_equal(e->done, 0);
    engine_wait(e, 3);
    assert_int_equal(e->result, 0);
    assert_string_equal(docker_api_version(e->docker), "1.45");
    assert_int_equal(engine_asked(e, "HEAD /_ping"), 1);
    assert_int_equal(engine_asked(e, "GET /v1.45/containers/json?all=1"), 1);
    assert_int_equal(e->n_entries, 1);

    e->newest = 60; /* newer than anything this client knows */
    docker_forget(e->docker);
    docker_list(e->docker, engine_entry, engine_listed, e);
    engine_wait(e, 4);
    assert_string_equal(docker_api_version(e->docker), "1.52");
    assert_int_equal(e->result, 0);
}

static void engine_is_another_one(void **state)
{
    struct engine *e = *state;
    docker_ping(e->docker, engine_done, e);
    engine_wait(e, 1);
    e->newest = 41; /* downgraded: a POST that is refused for its version was not carried out */
    docker_restart(e->docker, "o", 5, 2000, engine_done, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, 0);
    assert_string_equal(docker_api_version(e->docker), "1.41");
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/o/restart?t=5"), 1);
    assert_int_equal(engine_asked(e, "POST /v1.41/containers/o/restart?t=5"), 1);
    e->newest = 52; /* upgraded to one that wants at least 1.44 */
    e->oldest = 44;
    docker_events(e->docker, engine_seen, engine_done, e);
    engine_wait(e, 3);
    assert_int_equal(e->seen, 4);
    assert_string_equal(docker_api_version(e->docker), "1.52");
    e->newest = 43; /* the list asked again knows nothing of the refusal */
    e->oldest = 40;
    docker_list(e->docker, engine_entry, engine_listed, e);
    engine_wait(e, 4);
    assert_int_equal(e->result, 0);
    assert_int_equal(e->n_entries, 1);
}

static void versions_that_do_not_meet(void **state)
{
    struct engine *e = *state;
    e->newest = 39;
    docker_list(e->docker, engine_entry, engine_listed, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, -EPROTONOSUPPORT);
    assert_int_equal(e->err.failure, FAILURE_UNREACHABLE);
    assert_non_null(strstr(e->err.message, "speaks API 1.39 at most, 1.40 is needed"));

    e->newest = 70;
    e->oldest = 60;
    docker_list(e->docker, engine_entry, engine_listed, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, -EIO);
    assert_non_null(strstr(e->err.message, "client version 1.52 is too old"));
    assert_int_equal(engine_asked(e, "GET /v1.52/containers/json"), 2); /* once more, no loop */
}

static void ping_by_get(void **state)
{
    struct engine *e = *state;
    e->head_refused = true;
    docker_list(e->docker, engine_entry, engine_listed, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "GET /_ping"), 1);
}

static void proxy_forbids(void **state)
{
    struct engine *e = *state;
    e->all_forbidden = true;
    docker_list(e->docker, engine_entry, engine_listed, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, -EIO);
    assert_int_equal(e->err.failure, FAILURE_UNREACHABLE);
    assert_non_null(strstr(e->err.message, "refused GET /_ping with HTTP 403: 403 Forbidden"));
}

static void answers(void **state)
{
    struct engine *e = *state;
    unsigned n = 0;
    docker_inspect(e->docker, "o", engine_inspected, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_string_equal(e->name, "o");
    assert_int_equal(e->details.port, 11434);
    docker_stats(e->docker, "o", engine_stats_read, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    static const struct {
        const char *id;
        int code;
        const char *words;
    } cases[] = {
        {"none", -ENOENT, "No such container: none"},
        {"moved", -ENOENT, "no container's name"},
        {"page", -EIO, "refused GET /containers/page/json with HTTP 404: page not found"},
        {"broken", -EIO, "with HTTP 500: Cannot restart container broken"},
        {"garbage", -EBADMSG, "answered GET /containers/garbage/json with something else"},
        {"lost", -ECONNRESET, "closed the connection before GET /containers/lost/json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        docker_inspect(e->docker, cases[i].id, engine_inspected, e);
        engine_wait(e, ++n);
        assert_int_equal(e->result, cases[i].code);
        assert_non_null(strstr(e->err.message, cases[i].words));
    }
    assert_int_equal(e->err.failure, FAILURE_UNREACHABLE);
    docker_inspect(e->docker, "a b/?c", engine_inspected, e);
    engine_wait(e, ++n);
    assert_int_equal(engine_asked(e, "GET /v1.45/containers/a%20b%2F%3Fc/json"), 1);
}

static void changes(void **state)
{
    struct engine *e = *state;
    docker_start(e->docker, "started", engine_done, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, 0);
    docker_update(e->docker, "o", 1048576, FACT_NONE, "on-failure", 3, engine_done, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/o/update {\"Memory\":1048576,"
                                     "\"MemorySwap\":-1,\"RestartPolicy\":{\"Name\":\"on-failure\","
                                     "\"MaximumRetryCount\":3}}"),
                     1);
    docker_update(e->docker, "o", 1048576, 2097152, "always", 0, engine_done, e);
    engine_wait(e, 3);
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/o/update {\"Memory\":1048576,"
                                     "\"MemorySwap\":2097152,\"RestartPolicy\":{\"Name\":"
                                     "\"always\"}}"),
                     1);
    docker_update(e->docker, "discarded", 1048576, 1048576, "no", 0, engine_done, e);
    engine_wait(e, 4);
    assert_int_equal(e->result, -EOPNOTSUPP);
    assert_non_null(strstr(e->err.message, "Limitation discarded"));
    docker_restart(e->docker, "broken", 1, 2000, engine_done, e);
    engine_wait(e, 5);
    assert_int_equal(e->result, -EIO);
    assert_int_equal(e->err.failure, FAILURE_JOB);
}

/* Sent, and no answer: it may have been carried out. Not sent: it was not. */
static void lost_answers(void **state)
{
    struct engine *e = *state;
    docker_restart(e->docker, "lost", 1, 2000, engine_done, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, -ECONNRESET);
    assert_int_equal(e->err.failure, FAILURE_JOB);
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/lost/restart"), 1);
    docker_restart(e->docker, "slow", 1, 150, engine_done, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, -ETIMEDOUT);
    assert_int_equal(e->err.failure, FAILURE_JOB);
    assert_non_null(strstr(e->err.message, "did not answer POST /containers/slow/restart within"));

    server_stop(e->server);
    e->server = NULL;
    docker_restart(e->docker, "o", 1, 2000, engine_done, e);
    engine_wait(e, 3);
    assert_int_equal(e->result, -ENOENT);
    assert_int_equal(e->err.failure, FAILURE_UNREACHABLE);
    assert_string_equal(docker_api_version(e->docker), "");
    engine_start_server(e);
    docker_restart(e->docker, "o", 1, 2000, engine_done, e);
    engine_wait(e, 4);
    assert_int_equal(e->result, 0);
}

static void events_as_they_come(void **state)
{
    struct engine *e = *state;
    docker_events(e->docker, engine_seen, engine_done, e);
    engine_wait(e, 1);
    assert_int_equal(e->seen, 4); /* start, health, die, destroy; that the endless line was there */
    assert_string_equal(e->last_action, "destroy");
    assert_int_equal(e->result, -ECONNRESET);
    assert_non_null(strstr(e->err.message, "closed the stream of events"));
    /* What health became by its whole name: else the engine would match all names by prefix. */
    assert_int_equal(
        engine_asked(e, "GET /v1.45/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C"
                        "%22event%22%3A%5B%22start%22%2C%22die%22%2C%22stop%22%2C%22kill%22%2C"
                        "%22oom%22%2C%22update%22%2C%22rename%22%2C%22destroy%22%2C%22restart%22%2C"
                        "%22pause%22%2C%22unpause%22%2C%22create%22%2C"
                        "%22health_status%3A%20healthy%22%2C%22health_status%3A%20unhealthy%22%5D"),
        1);

    docker_events(e->docker, engine_seen, engine_done, e); /* stopped before it is sent */
    docker_events_stop(e->docker);
    assert_int_equal(e->done, 1);
    engine_wait(e, 2);
    assert_int_equal(e->result, -ECANCELED);

    e->stop_when_seen = true; /* stopped by the first event: no second one */
    e->seen = 0;
    docker_events(e->docker, engine_seen, engine_done, e);
    engine_wait(e, 3);
    assert_int_equal(e->seen, 1);
    assert_int_equal(e->result, -ECANCELED);
}

static void ring_read(void *userdata, int result, int64_t oldest_ns, const struct error *err)
{
    struct engine *e = userdata;
    e->oldest_ns = oldest_ns;
    engine_done(e, result, err);
}

static void ring_of_events(void **state)
{
    struct engine *e = *state;
    docker_events_ring(e->docker, engine_seen, ring_read, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, 0);
    assert_int_equal(e->seen, 2);
    assert_true(e->oldest_ns > 0);
    assert_int_equal(engine_asked(e, "GET /v1.45/events?since=1&until="), 1);
}

static void events_refused(void **state)
{
    struct engine *e = *state;
    docker_ping(e->docker, engine_done, e);
    engine_wait(e, 1);
    e->all_forbidden = true;
    docker_events(e->docker, engine_seen, engine_done, e);
    engine_wait(e, 2);
    assert_int_equal(e->result, -EIO);
    assert_non_null(strstr(e->err.message, "refused GET /events with HTTP 403: 403 Forbidden"));
}

static void freed_under_way(void **state)
{
    struct engine *e = *state;
    docker_ping(e->docker, engine_done, e);
    engine_wait(e, 1);
    docker_inspect(e->docker, "slow", engine_inspected, e);
    docker_events(e->docker, engine_seen, engine_done, e);
    loop_for(&e->loop, 20);
    docker_forget(e->docker);
    docker_list(e->docker, engine_entry, engine_listed, e); /* waits for the version */
    engine_free_client(e);
    assert_int_equal(e->done, 4);
    assert_int_equal(e->result, -ECANCELED);
    loop_for(&e->loop, 20);
    assert_int_equal(e->done, 4);
}

static void freed_by_a_callback(void **state)
{
    struct engine *e = *state;
    e->free_when_done = true;
    for (int i = 0; i < 5; i++)
        docker_list(e->docker, engine_entry, engine_listed, e);
    docker_ping(e->docker, engine_done, e);
    engine_wait(e, 6);
    assert_int_equal(e->result, -ECANCELED);
}

static void freed_by_an_event(void **state)
{
    struct engine *e = *state;
    e->free_when_seen = true;
    docker_events(e->docker, engine_seen, engine_done, e);
    engine_wait(e, 1);
    loop_for(&e->loop, 20);
    assert_int_equal(e->seen, 1);
    assert_int_equal(e->result, -ECANCELED);
}

static void expect_trouble(struct engine *e, int code, const char *words)
{
    unsigned before = e->done;
    docker_ping(e->docker, engine_done, e);
    engine_wait(e, before + 1);
    assert_int_equal(e->result, code);
    assert_int_equal(e->err.failure, FAILURE_UNREACHABLE);
    assert_non_null(strstr(e->err.message, e->path));
    if (!strstr(e->err.message, words))
        fail_msg("\"%s\" does not say \"%s\"", e->err.message, words);
}

static void become(id_t id)
{
    if (id != 0)
        assert_int_equal(setgroups(0, NULL), 0);
    assert_int_equal(id == 0 ? seteuid(0) : setegid(id), 0); /* root first, it may do the rest */
    assert_int_equal(id == 0 ? setegid(0) : seteuid(id), 0);
}

static void socket_trouble(void **state)
{
    struct engine *e = *state;
    if (geteuid() == 0) { /* only root can become somebody who may not */
        chmod(e->directory, 0755);
        chmod(e->path, 0660);
        become(65534);
        expect_trouble(e, -EACCES,
                       "permission denied (owner root:root, mode 0660); run as root or join the "
                       "group root");
        become(0);
        chmod(e->path, 0600);
        become(65534);
        expect_trouble(e, -EACCES, "permission denied (owner root:root, mode 0600); run as root");
        assert_null(strstr(e->err.message, "join"));
        become(0);
        chmod(e->directory, 0700);
        become(65534);
        expect_trouble(e, -EACCES, "permission denied for a directory on the way");
        become(0);
    }
    server_stop(e->server);
    e->server = NULL;
    expect_trouble(e, -ENOENT, "no such file; is the engine running?");
    assert_int_equal(mkdir(e->path, 0755), 0);
    expect_trouble(e, -ECONNREFUSED, "that is a directory");
    rmdir(e->path);
    FILE *file = fopen(e->path, "w");
    assert_non_null(file);
    fclose(file);
    expect_trouble(e, -ECONNREFUSED, "that is not a socket");
    char other[80];
    snprintf(other, sizeof other, "%s.other", e->path);
    struct server *gone = server_unix(e->path, NULL, NULL);
    rename(e->path, other); /* outlives its server */
    server_stop(gone);
    rename(other, e->path);
    expect_trouble(e, -ECONNREFUSED, "connection refused; the engine that made the socket");
    struct docker *longer;
    char path[200];
    memset(path, 'p', sizeof path);
    path[108] = '\0';
    assert_int_equal(docker_new(e->http, path, &longer), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(version_is_negotiated),
        ENGINE_TEST(engine_is_another_one),
        ENGINE_TEST(versions_that_do_not_meet),
        ENGINE_TEST(ping_by_get),
        ENGINE_TEST(proxy_forbids),
        ENGINE_TEST(answers),
        ENGINE_TEST(changes),
        ENGINE_TEST(lost_answers),
        ENGINE_TEST(events_as_they_come),
        ENGINE_TEST(ring_of_events),
        ENGINE_TEST(events_refused),
        ENGINE_TEST(freed_under_way),
        ENGINE_TEST(freed_by_a_callback),
        ENGINE_TEST(freed_by_an_event),
        ENGINE_TEST(socket_trouble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
