/* An engine that answers anything: its list, its inspects and its events, as the daemon follows
 * them, and what the judge makes of it. The input: the list, an inspect and the events, with a line
 * "--" between; the statistics are the events again. No other host is ever connected to. */
#include "base/text_clean.h"
#include "judge/judge.h"
#include "sense/private.h"
#include "tell/state_json.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of an inspect the address of its Ollama is taken. */
int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    if (address->sa_family == AF_UNIX)
        return (int)syscall(SYS_connect, fd, address, length);
    errno = ECONNREFUSED;
    return -1;
}

enum { LIST, INSPECT, EVENTS, PARTS, STREAMS_MAX = 64 };

static struct {
    const char *text;
    size_t length;
} parts[PARTS];
static char path[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int streams[STREAMS_MAX]; /* connections that stay open */
static size_t n_streams;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void say(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        text += n;
        length -= (size_t)n;
    }
}

/* true: it is kept open. */
static bool answer(int fd)
{
    static const char head[] = "HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nConnection: close\r\n\r\n";
    char request[4096];
    ssize_t n = recv(fd, request, sizeof request - 1, 0);
    if (n <= 0)
        return false;
    request[n] = '\0';
    say(fd, head, sizeof head - 1);
    int part = strstr(request, "/containers/json") ? LIST
               : strstr(request, "/json")          ? INSPECT
               : strstr(request, "/_ping")         ? PARTS
                                                   : EVENTS;
    pthread_mutex_lock(&lock);
    if (part == PARTS)
        say(fd, "OK", strncmp(request, "HEAD", 4) ? 2 : 0);
    else
        say(fd, parts[part].text, parts[part].length);
    bool stays = strstr(request, "/events") && n_streams < STREAMS_MAX;
    if (stays)
        streams[n_streams++] = fd;
    pthread_mutex_unlock(&lock);
    return stays;
}

static void *serve(void *userdata)
{
    int listener = *(int *)userdata;
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0;)
        if (!answer(fd))
            close(fd);
    return NULL;
}

static void close_streams(void)
{
    pthread_mutex_lock(&lock);
    while (n_streams > 0)
        close(streams[--n_streams]);
    pthread_mutex_unlock(&lock);
}

static void begin_serving(void)
{
    static int listener;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    pthread_t thread;
    snprintf(path, sizeof path, "/tmp/fuzz-engine-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    check(listen(listener, 128) == 0 && pthread_create(&thread, NULL, serve, &listener) == 0);
}

struct follower {
    struct sense *sense;
    struct judge *judge;
    struct judgement judgement;
    unsigned looks;
};

static size_t pairs_size(const struct pair *pairs, size_t n)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        check(text_harmless(pairs[i].key) && text_harmless(pairs[i].value));
        size += strlen(pairs[i].key) + strlen(pairs[i].value);
    }
    return size;
}

static void on_look(void *userdata, struct world *world)
{
    struct follower *f = userdata;
    check(world->n_containers <= SENSE_CONTAINERS_MAX);
    for (size_t i = 0; i < world->n_containers; i++) {
        const struct container *c = &world->containers[i];
        check(strlen(c->id) == 64 && text_harmless(c->name) && text_harmless(c->image));
        check(pairs_size(c->labels, c->n_labels) <= 4096 && pairs_size(c->env, c->n_env) <= 2048);
        for (size_t k = 0; k < i; k++)
            check(strcmp(c->id, world->containers[k].id) != 0);
    }
    check(judge_look(f->judge, world, &f->judgement) == 0);
    struct state state = {.world = world, .judgement = &f->judgement};
    json_t *more = json_object();
    char *text = state_to_text(&state, more);
    json_t *read = json_loads(text, 0, NULL);
    check(read && json_array_size(json_object_get(read, "containers")) == world->n_containers);
    json_decref(read);
    json_decref(more);
    free(text);
    f->looks++;
}

static void on_note(void *userdata, enum sense_note note, const struct container *container,
                    const char *text)
{
    (void)userdata;
    (void)note;
    check(text_harmless(text) && (!container || text_harmless(container->name)));
}

static void on_closing(uv_handle_t *handle, void *userdata)
{
    (void)userdata;
    check(uv_is_closing(handle));
}

static void follow(struct config *config)
{
    static const double patience_s = 0.05;
    uv_loop_t loop;
    struct http *http;
    struct docker *docker = NULL;
    struct follower f = {0};
    uv_loop_init(&loop);
    check(http_new(&loop, &http, NULL) == 0 && docker_new(http, path, &docker) == 0);
    check(judge_new(config, &f.judge) == 0);
    struct sense_options options = {&loop, http, docker, config, NULL, {on_look, on_note, &f}};
    check(sense_new(&options, &f.sense) == 0 && sense_start(f.sense, NULL) == 0);
    uint64_t until_ns = uv_hrtime() + (uint64_t)(patience_s * 1e9);
    while (uv_hrtime() < until_ns && f.looks < 3) {
        uv_run(&loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    sense_look(f.sense);
    sense_stop(f.sense);
    docker_free(docker);
    sense_free(f.sense);
    http_free(http);
    close_streams();
    while (uv_run(&loop, UV_RUN_ONCE))
        ;
    uv_walk(&loop, on_closing, NULL);
    check(uv_loop_close(&loop) == 0);
    judge_free(f.judge);
    judgement_clear(&f.judgement);
}

static void cut(const char *text, size_t length)
{
    static const char line[] = "\n--\n";
    for (size_t i = 0; i < PARTS; i++) {
        const char *end = i + 1 < PARTS ? memmem(text, length, line, sizeof line - 1) : NULL;
        parts[i].text = text;
        parts[i].length = end ? (size_t)(end - text) : length;
        size_t gone = end ? parts[i].length + sizeof line - 1 : length;
        text += gone;
        length -= gone;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config *config;
    if (!path[0]) {
        begin_serving();
        check(config_new(&config, NULL) == 0);
        check(config_set(config, "paths.nvml=/nonexistent", ORIGIN_COMMAND_LINE, NULL) == 0);
        check(config_set(config, "supervisor.interval=0.1s", ORIGIN_COMMAND_LINE, NULL) == 0);
    }
    pthread_mutex_lock(&lock);
    cut((const char *)data, size);
    pthread_mutex_unlock(&lock);
    follow(config);
    return 0;
}
