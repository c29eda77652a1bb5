#include "deploy/await.h"
#include "deploy/await_private.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/un.h>

static const int64_t second_ms = 1000;

static void on_signal(uv_signal_t *handle, int number)
{
    struct await *await = handle->data;
    if (!await->signal)
        await->signal = number;
}

/* A turn of the loop runs timers first and then sleeps until something happens. What came by a
 * timer, as an answer may that curl finds there already, must not be slept over. */
static void before_sleep(uv_prepare_t *prepare)
{
    const struct await *await = prepare->data;
    if (await->woken || *await->awaited)
        uv_stop(prepare->loop); /* the turn is ended, and the next one begins as always */
}

static void turn(struct await *await, const bool *awaited)
{
    await->awaited = awaited;
    await->woken = false;
    uv_run(&await->loop, UV_RUN_ONCE);
}

static void open_loop(struct await *await)
{
    static const int numbers[AWAIT_SIGNALS] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < AWAIT_SIGNALS; i++) {
        uv_signal_init(&await->loop, &await->signals[i]);
        await->signals[i].data = await;
        uv_signal_start(&await->signals[i], on_signal, numbers[i]);
    }
    uv_timer_init(&await->loop, &await->timer);
    uv_prepare_init(&await->loop, &await->prepare);
    await->timer.data = await->prepare.data = await;
    uv_prepare_start(&await->prepare, before_sleep);
}

int await_new(const struct config *config, struct await **ret_await, struct error *err)
{
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int r = http_unix_path(config_settings(config)->docker_host, path, sizeof path, err);
    if (r < 0)
        return r;
    struct await *await = calloc(1, sizeof *await);
    r = await ? uv_loop_init(&await->loop) : -ENOMEM;
    if (r < 0) {
        free(await);
        return error_set(err, FAILURE_JOB, r, "cannot start: %s", strerror(-r));
    }
    open_loop(await);
    r = http_new(&await->loop, &await->http, err);
    if (r == 0 && (r = docker_new(await->http, path, &await->docker)) < 0)
        error_set(err, FAILURE_JOB, r, "cannot start: %s", strerror(-r));
    if (r < 0) {
        await_free(await);
        return r;
    }
    *ret_await = await;
    return 0;
}

void await_free(struct await *await)
{
    if (!await)
        return;
    docker_free(await->docker);
    http_free(await->http);
    for (int i = 0; i < AWAIT_SIGNALS; i++)
        uv_close((uv_handle_t *)&await->signals[i], NULL);
    uv_close((uv_handle_t *)&await->timer, NULL);
    uv_close((uv_handle_t *)&await->prepare, NULL);
    uv_run(&await->loop, UV_RUN_DEFAULT);
    uv_loop_close(&await->loop);
    free(await);
}

int await_token(char ret_token[AWAIT_TOKEN_SIZE])
{
    uint64_t number;
    if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number)
        return -EIO;
    snprintf(ret_token, AWAIT_TOKEN_SIZE, "%016" PRIx64, number);
    return 0;
}

int await_signal(const struct await *await)
{
    return await->signal;
}

void await_forget_signal(struct await *await)
{
    await->signal = 0;
}

static void on_time(uv_timer_t *timer)
{
    ((struct await *)timer->data)->woken = true;
}

int await_sleep(struct await *await, int64_t ms)
{
    uint64_t end_ns = uv_hrtime() + (uint64_t)ms * 1000000;
    uv_timer_start(&await->timer, on_time, (uint64_t)ms, 0);
    bool never = false;
    while (!await->signal && uv_hrtime() < end_ns && uv_is_active((uv_handle_t *)&await->timer))
        turn(await, &never);
    uv_timer_stop(&await->timer);
    return await->signal ? -EINTR : 0;
}

void answer_take(void *userdata, int result, const struct error *err)
{
    struct answer *answer = userdata;
    answer->done = true;
    answer->result = result;
    if (answer->loop) /* an answer in the timers' turn: the loop must not wait for sockets then */
        uv_stop(answer->loop);
    if (result < 0 && err && answer->err)
        *answer->err = *err;
}

int await_answer(struct await *await, struct answer *answer)
{
    answer->loop = &await->loop;
    while (!answer->done)
        turn(await, &answer->done);
    return answer->result;
}

/* ---- what takes long */

/* Something that tells how far it is, and can be ended. */
struct watched {
    struct answer answer; /* first: answer_take gets it */
    struct docker_call *call;
    struct ollama_pull *pull; /* one of the two */
    bool stopped;
    uint64_t moved_ns;
    pull_told *told;
    void *userdata;
    fact current; /* of the last progress: time counts from the last one that differed */
    char status[32];
};

static bool on_progress(void *userdata, const struct pull_progress *progress)
{
    struct watched *watched = userdata;
    if (watched->current != progress->current ||
        strncmp(watched->status, progress->status, sizeof watched->status - 1) != 0) {
        watched->current = progress->current;
        strncpy(watched->status, progress->status, sizeof watched->status - 1);
        watched->moved_ns = uv_hrtime();
    }
    return watched->told(watched->userdata, progress);
}

/* Until it ends, is interrupted, refused by its caller, or stands still. */
static int watch(struct await *await, struct watched *watched, const char *what)
{
    uint64_t stall_ns = (uint64_t)AWAIT_STALL_S * 1000000000;
    bool stalled = false;
    watched->moved_ns = uv_hrtime();
    uv_timer_start(&await->timer, on_time, (uint64_t)second_ms, (uint64_t)second_ms);
    while (!watched->answer.done) {
        stalled = stalled || uv_hrtime() - watched->moved_ns > stall_ns;
        if ((await->signal || stalled) && !watched->stopped) {
            watched->stopped = true;
            if (watched->pull)
                ollama_pull_stop(watched->pull);
            else
                docker_stream_stop(watched->call);
        }
        if (!watched->answer.done)
            turn(await, &watched->answer.done);
    }
    uv_timer_stop(&await->timer);
    if (watched->answer.result == 0 || !watched->stopped)
        return watched->answer.result;
    if (await->signal)
        return error_set(watched->answer.err, FAILURE_JOB, -EINTR, "%s was interrupted", what);
    return error_set(watched->answer.err, FAILURE_JOB, -ETIMEDOUT, "%s did not move for %d minutes",
                     what, AWAIT_STALL_S / 60);
}

int await_pull(struct await *await, const char *image, pull_told *told, void *userdata,
               struct error *err)
{
    char what[300];
    struct watched watched = {.answer.err = err, .told = told, .userdata = userdata};
    snprintf(what, sizeof what, "the pull of %.200s", image);
    watched.call = docker_pull(await->docker, image, on_progress, answer_take, &watched);
    return watch(await, &watched, what);
}

int await_model_pull(struct await *await, const char *address, uint16_t port, const char *model,
                     pull_told *told, void *userdata, struct error *err)
{
    char what[300];
    struct watched watched = {.answer.err = err, .told = told, .userdata = userdata};
    snprintf(what, sizeof what, "the pull of %.200s", model);
    struct ollama_client *client = NULL;
    int r = ollama_client_new(await->http, address, port, &client);
    if (r == 0)
        r = ollama_pull(client, model, on_progress, answer_take, &watched, &watched.pull);
    r = r == 0 ? watch(await, &watched, what)
               : error_set(err, FAILURE_JOB, r, "cannot ask for a pull of %.200s: %s", model,
                           strerror(-r));
    ollama_client_free(client);
    return r;
}
