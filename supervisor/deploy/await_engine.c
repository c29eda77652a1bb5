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
        docker_ping(await->docker, answer_take, &answer);
        int r = await_answer(await, &answer);
        if (r == 0 || clock_boottime_s() >= end_s)
            return r;
        if (await_sleep(await, away_ms) < 0)
            return r;
    }
}

int await_json(struct await *await, enum docker_thing thing, const char *name, json_t **ret_json,
               struct error *err)
{
    struct answer answer = {.err = err, .ret_json = ret_json};
    docker_json(await->docker, thing, name, on_json, &answer);
    return await_answer(await, &answer);
}

int await_call(struct await *await, await_deed *call, const char *name, struct error *err)
{
    struct answer answer = {.err = err};
    call(await->docker, name, answer_take, &answer);
    return await_answer(await, &answer);
}

static void on_inspected(void *userdata, int result, const struct container *container,
                         const struct docker_details *details, const struct error *err)
{
    struct answer *answer = userdata;
    (void)container;
    answer_take(answer, result, err);
    if (result < 0)
        return;
    snprintf(answer->text, answer->size, "%s", details->address);
    answer->number = details->port;
}

int await_address(struct await *await, const char *id, char *ret_address, size_t size,
                  uint16_t *ret_port, struct error *err)
{
    struct answer answer = {.err = err, .text = ret_address, .size = size};
    docker_inspect(await->docker, id, on_inspected, &answer);
    int r = await_answer(await, &answer);
    if (r == 0)
        *ret_port = (uint16_t)answer.number;
    return r;
}

static void on_created(void *userdata, int result, const char *id, const char *warnings,
                       const struct error *err)
{
    struct answer *answer = userdata;
    answer_take(answer, result, err);
    if (result < 0)
        return;
    snprintf(answer->id, CONTAINER_ID_SIZE, "%s", id);
    snprintf(answer->text, answer->size, "%s", warnings);
}

int await_create(struct await *await, const char *name, const json_t *request,
                 char ret_id[CONTAINER_ID_SIZE], char *ret_warnings, size_t size, struct error *err)
{
    struct answer answer = {.err = err, .id = ret_id, .text = ret_warnings, .size = size};
    docker_create(await->docker, name, request, on_created, &answer);
    return await_answer(await, &answer);
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

int await_stop(struct await *await, const char *id, int64_t grace_s, struct error *err)
{
    struct answer answer = {.err = err};
    docker_stop(await->docker, id, grace_s, (long)grace_s * 1000 + stop_spare_ms, answer_take,
                &answer);
    return await_answer(await, &answer);
}

int await_rename(struct await *await, const char *id, const char *name, struct error *err)
{
    struct answer answer = {.err = err};
    docker_rename(await->docker, id, name, answer_take, &answer);
    return await_answer(await, &answer);
}

int await_policy(struct await *await, const char *id, const char *policy, fact retries,
                 struct error *err)
{
    struct answer answer = {.err = err};
    docker_update(await->docker, id, FACT_UNKNOWN, FACT_UNKNOWN, policy, retries, answer_take,
                  &answer);
    return await_answer(await, &answer);
}

int await_network_connect(struct await *await, const char *network, const char *id,
                          const json_t *endpoint, struct error *err)
{
    struct answer answer = {.err = err};
    docker_network_connect(await->docker, network, id, endpoint, answer_take, &answer);
    return await_answer(await, &answer);
}

struct changing {
    struct answer answer; /* first */
    docker_change_seen *told;
    void *userdata;
};

static void on_change(void *userdata, const char *path, fact kind)
{
    struct changing *changing = userdata;
    changing->told(changing->userdata, path, kind);
}

int await_changes(struct await *await, const char *id, docker_change_seen *told, void *userdata,
                  struct error *err)
{
    struct changing changing = {.answer.err = err, .told = told, .userdata = userdata};
    docker_changes(await->docker, id, on_change, answer_take, &changing);
    return await_answer(await, &changing.answer);
}

int await_volume_create(struct await *await, const char *name, const json_t *labels,
                        struct error *err)
{
    struct answer answer = {.err = err};
    docker_volume_create(await->docker, name, labels, answer_take, &answer);
    return await_answer(await, &answer);
}

static void on_said(void *userdata, int result, const char *text, const struct error *err)
{
    struct answer *answer = userdata;
    answer_take(answer, result, err);
    if (result == 0)
        snprintf(answer->text, answer->size, "%s", text);
}

void await_logs(struct await *await, const char *id, int lines, char *text, size_t size)
{
    struct answer answer = {.text = text, .size = size};
    text[0] = '\0';
    docker_logs(await->docker, id, lines, on_said, &answer);
    await_answer(await, &answer);
}

static void on_got(void *userdata, const struct http_response *response)
{
    struct answer *answer = userdata;
    answer_take(answer, response->result, NULL);
    answer->number = response->status;
}

int await_get(struct await *await, const char *address, uint16_t port, const char *path,
              long timeout_ms)
{
    char url[192];
    struct answer answer = {.number = 0};
    const char *format = strchr(address, ':') ? "http://[%s]:%u%s" : "http://%s:%u%s";
    snprintf(url, sizeof url, format, address, (unsigned)port, path);
    struct http_options options = {
        .method = "GET", .url = url, .timeout_ms = timeout_ms, .fresh_connection = true};
    int r = http_start(await->http, &options, on_got, &answer, NULL);
    if (r == 0)
        r = await_answer(await, &answer);
    return r < 0 ? r : (int)answer.number;
}
