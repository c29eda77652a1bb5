/* The engine's calls, awaited. */
#include "base/clock.h"
#include "deploy/await_private.h"
#include "sense/signals.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const int64_t away_ms = 300;      /* between two questions whether the engine is back */
static const long stop_spare_ms = 60000; /* beyond the grace: the engine clears away meanwhile */

bool await_lost(int result, const struct error *err)
{
    static const int answers[] = {-ENOENT, -EEXIST,   -EINVAL,     -EIO,     -EBUSY,
                                  -ENOMEM, -EALREADY, -EOPNOTSUPP, -EBADMSG, -ECANCELED};
    if (result >= 0)
        return false;
    if (err && err->failure == FAILURE_UNREACHABLE)
        return true;
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++)
        if (result == answers[i])
            return false;
    return true;
}

static void on_done(void *userdata, int result, const struct error *err)
{
    answer_take(userdata, result, err);
}

static void on_json(void *userdata, int result, const json_t *json, const struct error *err)
{
    struct answer *answer = userdata;
    answer_take(answer, result, err);
    if (result == 0)
        *answer->ret_json = json_deep_copy(json);
    if (result == 0 && !*answer->ret_json)
        answer->result = error_set(answer->err, FAILURE_JOB, -ENOMEM, "out of memory");
}

int await_engine(struct await *await, int64_t timeout_ms, struct error *err)
{
    double end_s = clock_boottime_s() + (double)timeout_ms / 1000;
    for (;;) {
        struct answer answer = {.err = err};
        docker_forget(await->docker);
        docker_ping(await->docker, on_done, &answer);
        int r = await_answer(await, &answer);
        if (r == 0 || clock_boottime_s() >= end_s)
            return r;
        if (await_sleep(await, away_ms) < 0)
            return r;
    }
}

/* The calls that name one thing, begun, and waited for. */
typedef void json_call(struct docker *docker, const char *name, docker_json_read *done,
                       void *userdata);
typedef void named_call(struct docker *docker, const char *name, docker_done *done, void *userdata);

static int ask_json(struct await *await, json_call *call, const char *name, json_t **ret_json,
                    struct error *err)
{
    struct answer answer = {.err = err, .ret_json = ret_json};
    call(await->docker, name, on_json, &answer);
    return await_answer(await, &answer);
}

static int ask(struct await *await, named_call *call, const char *name, struct error *err)
{
    struct answer answer = {.err = err};
    call(await->docker, name, on_done, &answer);
    return await_answer(await, &answer);
}

static void info(struct docker *docker, const char *name, docker_json_read *done, void *userdata)
{
    (void)name;
    docker_info_json(docker, done, userdata);
}

static void list(struct docker *docker, const char *name, docker_json_read *done, void *userdata)
{
    (void)name;
    docker_list_json(docker, done, userdata);
}

int await_info(struct await *await, json_t **ret_json, struct error *err)
{
    return ask_json(await, info, NULL, ret_json, err);
}

int await_list(struct await *await, json_t **ret_json, struct error *err)
{
    return ask_json(await, list, NULL, ret_json, err);
}

int await_inspect(struct await *await, const char *id, json_t **ret_json, struct error *err)
{
    return ask_json(await, docker_inspect_json, id, ret_json, err);
}

int await_image(struct await *await, const char *image, json_t **ret_json, struct error *err)
{
    return ask_json(await, docker_image_json, image, ret_json, err);
}

int await_volume(struct await *await, const char *name, json_t **ret_json, struct error *err)
{
    return ask_json(await, docker_volume_json, name, ret_json, err);
}

struct address {
    struct answer answer; /* first */
    char *text;
    size_t size;
    uint16_t port;
};

static void on_inspected(void *userdata, int result, const struct container *container,
                         const struct docker_details *details, const struct error *err)
{
    struct address *address = userdata;
    (void)container;
    answer_take(&address->answer, result, err);
    if (result < 0)
        return;
    snprintf(address->text, address->size, "%s", details->address);
    address->port = details->port;
}

int await_address(struct await *await, const char *id, char *ret_address, size_t size,
                  uint16_t *ret_port, struct error *err)
{
    struct address address = {.answer.err = err, .text = ret_address, .size = size};
    docker_inspect(await->docker, id, on_inspected, &address);
    int r = await_answer(await, &address.answer);
    if (r == 0)
        *ret_port = address.port;
    return r;
}

struct created {
    struct answer answer; /* first */
    char *id, *warnings;
    size_t size;
};

static void on_created(void *userdata, int result, const char *id, const char *warnings,
                       const struct error *err)
{
    struct created *created = userdata;
    answer_take(&created->answer, result, err);
    if (result < 0)
        return;
    snprintf(created->id, CONTAINER_ID_SIZE, "%s", id);
    snprintf(created->warnings, created->size, "%s", warnings);
}

int await_create(struct await *await, const char *name, const json_t *request,
                 char ret_id[CONTAINER_ID_SIZE], char *ret_warnings, size_t size, struct error *err)
{
    struct created created = {
        .answer.err = err, .id = ret_id, .warnings = ret_warnings, .size = size};
    docker_create(await->docker, name, request, on_created, &created);
    return await_answer(await, &created.answer);
}

struct told {
    struct answer answer; /* first */
    size_t stops;
};

static void on_told(void *userdata, const struct signals_sent *sent)
{
    struct told *told = userdata;
    told->stops = sent->stops;
    answer_take(&told->answer, 0, NULL);
}

bool await_told_to_stop(struct await *await, const char *id, double window_s)
{
    struct told told = {.stops = 0};
    int64_t since_ms = clock_wall_ms() - (int64_t)(window_s * 1000);
    signals_ask(await->docker, id, since_ms, on_told, &told);
    await_answer(await, &told.answer);
    return told.stops > 0;
}

int await_start(struct await *await, const char *id, struct error *err)
{
    return ask(await, docker_start, id, err);
}

int await_remove(struct await *await, const char *id, struct error *err)
{
    return ask(await, docker_remove, id, err);
}

int await_volume_remove(struct await *await, const char *name, struct error *err)
{
    return ask(await, docker_volume_remove, name, err);
}

int await_image_remove(struct await *await, const char *image, struct error *err)
{
    return ask(await, docker_image_remove, image, err);
}

int await_empty_image(struct await *await, const char *image, struct error *err)
{
    return ask(await, docker_import_empty, image, err);
}

int await_stop(struct await *await, const char *id, int64_t grace_s, struct error *err)
{
    struct answer answer = {.err = err};
    docker_stop(await->docker, id, grace_s, (long)grace_s * 1000 + stop_spare_ms, on_done, &answer);
    return await_answer(await, &answer);
}

int await_rename(struct await *await, const char *id, const char *name, struct error *err)
{
    struct answer answer = {.err = err};
    docker_rename(await->docker, id, name, on_done, &answer);
    return await_answer(await, &answer);
}

int await_volume_create(struct await *await, const char *name, const json_t *labels,
                        struct error *err)
{
    struct answer answer = {.err = err};
    docker_volume_create(await->docker, name, labels, on_done, &answer);
    return await_answer(await, &answer);
}

struct said {
    struct answer answer; /* first */
    char *text;
    size_t size;
};

static void on_said(void *userdata, int result, const char *text, const struct error *err)
{
    struct said *said = userdata;
    answer_take(&said->answer, result, err);
    if (result == 0)
        snprintf(said->text, said->size, "%s", text);
}

void await_logs(struct await *await, const char *id, int lines, char *text, size_t size)
{
    struct said said = {.text = text, .size = size};
    text[0] = '\0';
    docker_logs(await->docker, id, lines, on_said, &said);
    await_answer(await, &said.answer);
}

struct got {
    struct answer answer; /* first */
    long status;
};

static void on_got(void *userdata, const struct http_response *response)
{
    struct got *got = userdata;
    answer_take(&got->answer, response->result, NULL);
    got->status = response->status;
}

int await_get(struct await *await, const char *address, uint16_t port, const char *path,
              long timeout_ms)
{
    char url[192];
    struct got got = {.status = 0};
    const char *format = strchr(address, ':') ? "http://[%s]:%u%s" : "http://%s:%u%s";
    snprintf(url, sizeof url, format, address, (unsigned)port, path);
    struct http_options options = {
        .method = "GET", .url = url, .timeout_ms = timeout_ms, .fresh_connection = true};
    int r = http_start(await->http, &options, on_got, &got, NULL);
    if (r < 0)
        return r;
    r = await_answer(await, &got.answer);
    return r < 0 ? r : (int)got.status;
}
