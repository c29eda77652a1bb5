#include "tell/local.h"
#include "base/buffer.h"
#include "base/http.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    LOCAL_ANSWER_MAX = 16 * 1024 * 1024,
    LOCAL_CALLERS_MAX = 16,
    LOCAL_TEXTS_MAX = 4 * 1024 * 1024
};

/* Who reads takes milliseconds: one that took nothing for 2 s, or is not done after 10, is closed;
 * one that has had a tenth of a second gives way where there are too many. */
static const uint64_t still_ms = 2000, whole_ms = 10000, turn_ms = 100, look_ms = 500;

struct caller {
    uv_pipe_t pipe;
    uv_write_t write;
    struct local *local;
    char *text;
    size_t left; /* bytes to be sent, as they were at moved_ms */
    uint64_t since_ms, moved_ms;
    TAILQ_ENTRY(caller) link;
};

struct local {
    uv_pipe_t pipe;
    uv_timer_t timer; /* runs while there are callers */
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    char *(*state)(void *userdata);
    size_t length; /* of the last answer: the next one will be as long */
    void *userdata;
    int n_callers, n_handles;            /* the last handle that is closed takes it along */
    TAILQ_HEAD(callers, caller) callers; /* the oldest first */
};

static int socket_path(const char *directory, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/supervisor.sock", directory);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static void on_closed(uv_handle_t *handle)
{
    struct local *local = handle->data;
    if (--local->n_handles == 0)
        free(local);
}

static void on_caller_closed(uv_handle_t *handle)
{
    struct caller *caller = handle->data;
    handle->data = caller->local;
    on_closed(handle);
    free(caller->text);
    free(caller);
}

static void caller_close(struct caller *caller)
{
    struct local *local = caller->local;
    if (uv_is_closing((uv_handle_t *)&caller->pipe))
        return;
    TAILQ_REMOVE(&local->callers, caller, link);
    if (--local->n_callers == 0)
        uv_timer_stop(&local->timer);
    uv_close((uv_handle_t *)&caller->pipe, on_caller_closed);
}

static void on_written(uv_write_t *write, int status)
{
    (void)status;
    caller_close(write->data);
}

static void close_the_slow(uv_timer_t *timer)
{
    struct local *local = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    for (struct caller *caller = TAILQ_FIRST(&local->callers), *next; caller; caller = next) {
        next = TAILQ_NEXT(caller, link);
        size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&caller->pipe);
        if (left != caller->left)
            caller->moved_ms = now_ms;
        caller->left = left;
        if (now_ms - caller->moved_ms >= still_ms || now_ms - caller->since_ms >= whole_ms)
            caller_close(caller);
    }
}

static bool answer(struct caller *caller)
{
    static char newline[] = "\n";
    caller->text = caller->local->state(caller->local->userdata);
    unsigned length = caller->text ? (unsigned)strlen(caller->text) : 0;
    caller->local->length = length;
    uv_buf_t buffers[2] = {uv_buf_init(caller->text, length), uv_buf_init(newline, 1)};
    return caller->text &&
           uv_write(&caller->write, (uv_stream_t *)&caller->pipe, buffers, 2, on_written) == 0;
}

/* Whether there is room for one more; the oldest gives way if it has had its turn. */
static bool room(struct local *local, uint64_t now_ms)
{
    struct caller *oldest = TAILQ_FIRST(&local->callers);
    size_t texts = (size_t)local->n_callers * local->length;
    if (local->n_callers == 0 ||
        (local->n_callers < LOCAL_CALLERS_MAX && texts + local->length <= LOCAL_TEXTS_MAX))
        return true;
    if (now_ms - oldest->since_ms < turn_ms)
        return false;
    caller_close(oldest);
    return true;
}

static void on_caller(uv_stream_t *server, int status)
{
    struct local *local = server->data;
    struct caller *caller = status < 0 ? NULL : calloc(1, sizeof *caller);
    if (!caller)
        return;
    uint64_t now_ms = uv_now(server->loop);
    bool welcome = room(local, now_ms);
    uv_pipe_init(server->loop, &caller->pipe, 0);
    caller->pipe.data = caller->write.data = caller;
    caller->local = local;
    caller->since_ms = caller->moved_ms = now_ms;
    TAILQ_INSERT_TAIL(&local->callers, caller, link);
    local->n_handles++;
    if (local->n_callers++ == 0)
        uv_timer_start(&local->timer, close_the_slow, look_ms, look_ms);
    if (uv_accept(server, (uv_stream_t *)&caller->pipe) < 0 || !welcome || !answer(caller))
        caller_close(caller);
}

int local_serve(uv_loop_t *loop, const char *directory, char *(*state)(void *userdata),
                void *userdata, struct local **ret_local, struct error *err)
{
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return error_set(err, FAILURE_JOB, -ENOMEM, "not enough memory");
    int r = socket_path(directory, local->path, sizeof local->path);
    if (r < 0) {
        free(local);
        return error_set(err, FAILURE_JOB, r,
                         "%s is too long for a socket: `status` cannot ask this daemon", directory);
    }
    local->state = state;
    local->userdata = userdata;
    TAILQ_INIT(&local->callers);
    uv_pipe_init(loop, &local->pipe, 0);
    uv_timer_init(loop, &local->timer);
    local->pipe.data = local->timer.data = local;
    local->n_handles = 2;
    unlink(local->path); /* the daemon's lock says that nobody serves it */
    mode_t mask = umask(0177);
    r = uv_pipe_bind(&local->pipe, local->path);
    umask(mask);
    if (r == 0)
        r = uv_listen((uv_stream_t *)&local->pipe, LOCAL_CALLERS_MAX, on_caller);
    if (r < 0) {
        error_set(err, FAILURE_JOB, r, "%s: %s", local->path, uv_strerror(r));
        local_free(local);
        return r;
    }
    *ret_local = local;
    return 0;
}

void local_free(struct local *local)
{
    if (!local)
        return;
    unlink(local->path);
    for (struct caller *caller; (caller = TAILQ_FIRST(&local->callers)) != NULL;)
        caller_close(caller);
    uv_close((uv_handle_t *)&local->timer, on_closed);
    uv_close((uv_handle_t *)&local->pipe, on_closed);
}

void local_engine(const char *docker_host, char text[static LOCAL_ENGINE_SIZE])
{
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
    struct stat info;
    if (http_unix_path(docker_host, path, sizeof path, NULL) == 0 && stat(path, &info) == 0 &&
        S_ISSOCK(info.st_mode))
        snprintf(text, LOCAL_ENGINE_SIZE, "socket %jx:%jx", (uintmax_t)info.st_dev,
                 (uintmax_t)info.st_ino);
    else
        snprintf(text, LOCAL_ENGINE_SIZE, "%s", docker_host);
}

static bool follows(const json_t *state, const char *docker_host)
{
    char engine[LOCAL_ENGINE_SIZE];
    const char *its = json_string_value(json_object_get(state, "engine"));
    local_engine(docker_host, engine);
    return its && strcmp(its, engine) == 0;
}

static int ask(const char *directory, int timeout_ms, json_t **ret_state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int r = socket_path(directory, address.sun_path, sizeof address.sun_path);
    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    struct buffer text;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    ssize_t n = 1;
    buffer_init(&text, LOCAL_ANSWER_MAX);
    r = -ETIMEDOUT;
    while (n > 0 && poll(&p, 1, timeout_ms) > 0) {
        char piece[65536];
        n = read(fd, piece, sizeof piece);
        if (n <= 0)
            *ret_state = n == 0 ? json_loadb(buffer_text(&text), text.length, 0, NULL) : NULL;
        if (n <= 0)
            r = *ret_state ? 0 : -EPROTO;
        else if (buffer_append(&text, piece, (size_t)n) < 0) {
            r = -EMSGSIZE;
            break;
        }
    }
    buffer_clear(&text);
    close(fd);
    return r;
}

int local_ask(const char *directory, const char *docker_host, int timeout_ms, json_t **ret_state)
{
    json_t *state = NULL;
    int r = ask(directory, timeout_ms, &state);
    if (r < 0)
        return r;
    if (docker_host && !follows(state, docker_host)) {
        json_decref(state);
        return -EXDEV;
    }
    *ret_state = state;
    return 0;
}
