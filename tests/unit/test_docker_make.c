/* The engine's client where it makes and takes away: containers, volumes, what it reads as it is.
 */
#include "engine_fixture.h"
#include "sense/docker_make.h"
#include "sense/json_member.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct {
    char id[CONTAINER_ID_SIZE], warnings[256], word[256];
} last;

static void on_created(void *userdata, int result, const char *id, const char *warnings,
                       const struct error *err)
{
    assert_non_null(warnings);
    assert_true((result == 0) == (id != NULL));
    snprintf(last.id, sizeof last.id, "%s", id ? id : "");
    snprintf(last.warnings, sizeof last.warnings, "%s", warnings);
    engine_done(userdata, result, err);
}

/* Remembers the member "Word". */
static void on_json(void *userdata, int result, const json_t *json, const struct error *err)
{
    assert_true((result == 0) == (json != NULL));
    const char *word = json_string_value(json_object_get(json, "Word"));
    snprintf(last.word, sizeof last.word, "%s", word ? word : "");
    engine_done(userdata, result, err);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static bool answer(struct engine *e, int fd, const char *path)
{
    static const struct {
        const char *path;
        int status;
        const char *body;
    } answers[] = {
        {"/containers/create?name=taken ", 409,
         "{\"message\":\"Conflict. The container name \\\"/taken\\\" is already in use\"}"},
        {"/containers/create?name=imageless ", 404, "{\"message\":\"No such image: x:latest\"}"},
        {"/containers/create?name=bad ", 400,
         "{\"message\":\"Minimum memory limit allowed is 6MB\"}"},
        {"/containers/create?name=odd ", 201, "{\"Id\":\"short\",\"Warnings\":null}"},
        {"/containers/create?name=warned ", 201,
         "{\"Id\":\"" ENGINE_ID "\",\"Warnings\":[\"one\",\"\",\"two\"]}"},
        {"/containers/create?name=", 201, "{\"Id\":\"" ENGINE_ID "\",\"Warnings\":null}"},
        {"/containers/going?force=1 ", 409,
         "{\"message\":\"removal of container going is already in progress\"}"},
        {"/containers/none?force=1 ", 404, "{\"message\":\"No such container: none\"}"},
        {"/containers/stopped/stop", 304, ""},
        {"/containers/o/rename?name=taken ", 409, "{\"message\":\"Conflict.\"}"},
        {"/containers/o/json", 200, "{\"Word\":\"container\"}"},
        {"/containers/json?all=1&size=0", 200, "[]"},
        {"/images/ollama%2Follama%3A1/json", 200, "{\"Word\":\"image\"}"},
        {"/images/big/json", 200, "{\"Word\":\"image\",\"Pids\":18446744073709551615}"},
        {"/images/none", 404, "{\"message\":\"No such image: none\"}"},
        {"/images/used ", 409, "{\"message\":\"conflict: image is being used\"}"},
        {"/images/ok ", 200, "[{\"Untagged\":\"ok:latest\"}]"},
        {"/volumes/create", 201, "{\"Name\":\"v\"}"},
        {"/volumes/v ", 200, "{\"Word\":\"volume\"}"},
        {"/networks/n%2Fm/connect ", 200, ""},
        {"/containers/o/changes ", 200,
         "[{\"Path\":\"/root\",\"Kind\":0},{\"Path\":\"/root/x\",\"Kind\":1},{\"Path\":\"/"
         "y\",\"Kind\":2}]\n"},
        {"/containers/clean/changes ", 200, "null\n"},
        {"/containers/empty/changes ", 200, "[]\n"},
        {"/containers/cut/changes ", 200, "[{\"Path\":\"/root\",\"Kind\":0}"},
        {"/containers/odd/changes ", 200, "\"what\""},
        {"/info", 200, "{\"Word\":\"info\"}"},
    };
    (void)e;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (!begins(path, answers[i].path))
            continue;
        if (answers[i].status == 304)
            server_say(fd, "HTTP/1.1 304 Not Modified\r\n\r\n");
        else
            server_reply(fd, answers[i].status, "", answers[i].body);
        return true;
    }
    return false;
}

static void creates(void **state)
{
    struct engine *e = *state;
    static const struct {
        const char *name;
        int result;
        const char *words;
    } cases[] = {
        {"taken", -EEXIST, "\"/taken\" is already in use"},
        {"imageless", -ENOENT, "No such image: x:latest"},
        {"bad", -EINVAL, "Minimum memory limit allowed is 6MB"},
        {"odd", -EBADMSG, "something else than expected"},
    };
    unsigned n = 0;
    e->also = answer;
    json_t *body =
        json_pack("{s:s,s:{s:I}}", "Image", "x", "HostConfig", "Memory", (json_int_t)8589934592);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        docker_create(e->docker, cases[i].name, body, on_created, e);
        engine_wait(e, ++n);
        assert_int_equal(e->result, cases[i].result);
        assert_non_null(strstr(e->err.message, cases[i].words));
        assert_string_equal(last.warnings, "");
    }
    docker_create(e->docker, "warned", body, on_created, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_string_equal(last.id, ENGINE_ID);
    assert_string_equal(last.warnings, "one; two");
    docker_create(e->docker, "a b&c", body, on_created, e);
    json_decref(body); /* borrowed for the call only */
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_string_equal(last.warnings, "");
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/create?name=a%20b%26c "
                                     "{\"Image\":\"x\",\"HostConfig\":{\"Memory\":8589934592}}"),
                     1);
}

static void takes_away(void **state)
{
    struct engine *e = *state;
    unsigned n = 0;
    e->also = answer;
    docker_remove(e->docker, "o", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "DELETE /v1.45/containers/o?force=1 "), 1);
    docker_remove(e->docker, "none", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, -ENOENT);
    docker_remove(e->docker, "going", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, -EALREADY);
    docker_stop(e->docker, "stopped", 3, 5000, engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/stopped/stop?t=3 "), 1);
    docker_rename(e->docker, "o", "p q", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "POST /v1.45/containers/o/rename?name=p%20q "), 1);
    docker_rename(e->docker, "o", "taken", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, -EEXIST);
    docker_image_remove(e->docker, "used", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, -EBUSY);
    docker_image_remove(e->docker, "ok", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, 0);
    docker_image_remove(e->docker, "none", engine_done, e);
    engine_wait(e, ++n);
    assert_int_equal(e->result, -ENOENT);
}

static void volumes(void **state)
{
    struct engine *e = *state;
    e->also = answer;
    json_t *labels = json_pack("{s:s}", "supervisor.made", "1");
    docker_volume_create(e->docker, "v", labels, engine_done, e);
    json_decref(labels);
    engine_wait(e, 1);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "POST /v1.45/volumes/create {\"Name\":\"v\",\"Labels\":"
                                     "{\"supervisor.made\":\"1\"}}"),
                     1);
    docker_json(e->docker, DOCKER_VOLUME, "v", on_json, e);
    engine_wait(e, 2);
    assert_string_equal(last.word, "volume");
}

static void connects(void **state)
{
    struct engine *e = *state;
    e->also = answer;
    CLEANUP_JSON json_t *endpoint = json_pack("{s:[s]}", "Aliases", "a");
    docker_network_connect(e->docker, "n/m", "o", endpoint, engine_done, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, 0);
    assert_int_equal(engine_asked(e, "POST /v1.45/networks/n%2Fm/connect {\"Container\":\"o\","
                                     "\"EndpointConfig\":{\"Aliases\":[\"a\"]}}"),
                     1);
}

static char changed[200];

static void on_change(void *userdata, const char *path, fact kind)
{
    (void)userdata;
    size_t length = strlen(changed);
    snprintf(changed + length, sizeof changed - length, "%s %d;", path, (int)kind);
}

/* An engine says "null" where nothing was changed. */
static void own_layer(void **state)
{
    struct engine *e = *state;
    static const struct {
        const char *id, *says;
        int result;
    } cases[] = {{"o", "/root 0;/root/x 1;/y 2;", 0},
                 {"clean", "", 0},
                 {"empty", "", 0},
                 {"cut", "/root 0;", -EBADMSG},
                 {"odd", "", -EBADMSG}};
    e->also = answer;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        changed[0] = '\0';
        docker_changes(e->docker, cases[i].id, on_change, engine_done, e);
        engine_wait(e, i + 1);
        assert_int_equal(e->result, cases[i].result);
        assert_string_equal(changed, cases[i].says);
    }
}

static void reads_as_they_are(void **state)
{
    struct engine *e = *state;
    e->also = answer;
    docker_json(e->docker, DOCKER_CONTAINER, "o", on_json, e);
    engine_wait(e, 1);
    assert_string_equal(last.word, "container");
    docker_json(e->docker, DOCKER_IMAGE, "ollama/ollama:1", on_json, e);
    engine_wait(e, 2);
    assert_string_equal(last.word, "image");
    docker_json(e->docker, DOCKER_IMAGE, "big", on_json, e);
    engine_wait(e, 3);
    assert_string_equal(last.word, "image");
    docker_json(e->docker, DOCKER_IMAGE, "none", on_json, e);
    engine_wait(e, 4);
    assert_int_equal(e->result, -ENOENT);
    docker_json(e->docker, DOCKER_INFO, "", on_json, e);
    engine_wait(e, 5);
    assert_string_equal(last.word, "info");
    docker_json(e->docker, DOCKER_LIST, "", on_json, e);
    engine_wait(e, 6);
    assert_int_equal(e->result, 0);
    docker_json(e->docker, DOCKER_CONTAINER, "garbage", on_json, e);
    engine_wait(e, 7);
    assert_int_equal(e->result, -EBADMSG);
    docker_json(e->docker, DOCKER_CONTAINER, "none", on_json, e);
    engine_wait(e, 8);
    assert_int_equal(e->result, -ENOENT);
}

/* A change that was sent and not answered failed; it may have been carried out. */
static void lost(void **state)
{
    struct engine *e = *state;
    docker_rename(e->docker, "lost", "x", engine_done, e);
    engine_wait(e, 1);
    assert_int_equal(e->result, -ECONNRESET);
    assert_int_equal(e->err.failure, FAILURE_JOB);
    docker_remove(e->docker, "o", engine_done, e);
    e->free_when_done = true;
    docker_json(e->docker, DOCKER_CONTAINER, "o", on_json, e);
    engine_wait(e, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ENGINE_TEST(creates),  ENGINE_TEST(takes_away), ENGINE_TEST(volumes),
        ENGINE_TEST(connects), ENGINE_TEST(own_layer),  ENGINE_TEST(reads_as_they_are),
        ENGINE_TEST(lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
