#include "engine_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define EVENT(action)                                                                              \
    "{\"Type\":\"container\",\"Action\":\"" action "\",\"Actor\":{\"ID\":\"" ENGINE_ID             \
    "\",\"Attributes\":{\"exitCode\":\"137\"}},\"timeNano\":1795243159447563297}\n"

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void remember(struct engine *e, const char *request)
{
    const char *end = strstr(request, " HTTP/1.1"), *body = strstr(request, "\r\n\r\n");
    pthread_mutex_lock(&e->lock);
    size_t used = strlen(e->log);
    snprintf(e->log + used, sizeof e->log - used, "%.*s %s\n", (int)(end - request), request,
             body + 4);
    pthread_mutex_unlock(&e->lock);
}

static enum server_next ping(struct engine *e, int fd, const char *request)
{
    char headers[64] = "";
    if (e->newest > 0)
        snprintf(headers, sizeof headers, "Api-Version: 1.%d\r\n", e->newest);
    if (begins(request, "HEAD ") && e->head_refused)
        server_say(fd, "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n");
    else if (begins(request, "HEAD "))
        server_reply(fd, 200, headers, "");
    else
        server_reply(fd, 200, headers, "OK");
    return SERVER_KEEP;
}

static enum server_next stream_events(int fd, const char *path)
{
    if (strstr(path, "until=")) {
        server_reply(fd, 200, "", EVENT("kill") EVENT("die") EVENT("exec_die"));
        return SERVER_KEEP;
    }
    static const char start[] = EVENT("start");
    char piece[2] = {0};
    server_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    for (size_t i = 0; start[i]; i++) { /* byte by byte */
        piece[0] = start[i];
        server_say(fd, piece);
    }
    char *block = malloc(65537);
    memset(block, 'x', 65536);
    block[65536] = '\0';
    for (int i = 0; i < 17; i++) /* a line longer than 1 MiB */
        server_say(fd, block);
    free(block);
    server_say(fd, "\n" EVENT("health_status: healthy") EVENT("die") EVENT("destroy"));
    server_wait_ms(100);
    return SERVER_CLOSE;
}

static enum server_next answer_path(int fd, const char *path)
{
    if (begins(path, "/containers/json?all=1"))
        server_reply(fd, 200, "", "[{\"Id\":\"" ENGINE_ID "\",\"Names\":[\"/o\"]}]");
    else if (begins(path, "/containers/o/json"))
        server_reply(fd, 200, "", "{\"Id\":\"" ENGINE_ID "\",\"Name\":\"/o\"}");
    else if (begins(path, "/containers/garbage/"))
        server_reply(fd, 200, "", "<html>hello</html>");
    else if (begins(path, "/containers/page/"))
        server_reply(fd, 404, "", "{\"message\":\"page not found\"}");
    else if (begins(path, "/containers/moved/"))
        server_reply(fd, 301, "Location: /elsewhere\r\n", "");
    else if (begins(path, "/containers/none/"))
        server_reply(fd, 404, "", "{\"message\":\"No such container: none\"}");
    else if (begins(path, "/containers/broken/"))
        server_reply(fd, 500, "", "{\"message\":\"Cannot restart container broken\"}");
    else if (begins(path, "/containers/lost/"))
        return SERVER_RESET;
    else if (begins(path, "/containers/slow/"))
        server_wait_ms(400);
    else if (begins(path, "/containers/started/"))
        server_say(fd, "HTTP/1.1 304 Not Modified\r\n\r\n");
    else if (begins(path, "/containers/discarded/update"))
        server_reply(fd, 200, "",
                     "{\"Warnings\":[\"No memory limit support. Limitation "
                     "discarded.\"]}");
    else if (begins(path, "/containers/o/update"))
        server_reply(fd, 200, "", "{\"Warnings\":[]}");
    else if (begins(path, "/containers/o/stats?stream=false&one-shot=true"))
        server_reply(fd, 200, "", "{\"memory_stats\":{}}");
    else if (begins(path, "/info"))
        server_reply(fd, 200, "", "{\"ServerVersion\":\"28.5\",\"CgroupVersion\":\"2\"}");
    else if (begins(path, "/events?"))
        return stream_events(fd, path);
    else
        server_say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
    return SERVER_KEEP;
}

static enum server_next answer(void *userdata, int fd, const char *request)
{
    struct engine *e = userdata;
    char text[160];
    remember(e, request);
    const char *path = strchr(request, '/');
    if (e->all_forbidden) {
        server_reply(fd, 403, "", "<html><body><h1>403 Forbidden</h1></body></html>");
        return SERVER_KEEP;
    }
    if (begins(path, "/_ping"))
        return ping(e, fd, request);
    int version = begins(path, "/v1.") ? (int)strtol(path + 4, NULL, 10) : 0;
    if (version >= e->oldest && version <= e->newest && e->also &&
        e->also(e, fd, strchr(path + 1, '/')))
        return SERVER_KEEP;
    if (version >= e->oldest && version <= e->newest)
        return answer_path(fd, strchr(path + 1, '/'));
    snprintf(text, sizeof text,
             "{\"message\":\"client version 1.%d is too %s. ... API version is "
             "1.%d\"}\n",
             version, version < e->oldest ? "old" : "new",
             version < e->oldest ? e->oldest : e->newest);
    server_reply(fd, 400, "", text);
    return SERVER_KEEP;
}

void engine_start_server(struct engine *e)
{
    e->server = server_unix(e->path, answer, e);
}

int engine_set_up(void **state)
{
    struct engine *e = calloc(1, sizeof *e);
    pthread_mutex_init(&e->lock, NULL);
    e->newest = 45;
    e->oldest = 24;
    snprintf(e->directory, sizeof e->directory, "/tmp/engine-XXXXXX");
    if (!mkdtemp(e->directory))
        return -1;
    snprintf(e->path, sizeof e->path, "%s/docker.sock", e->directory);
    engine_start_server(e);
    uv_loop_init(&e->loop);
    if (http_new(&e->loop, &e->http, NULL) < 0 || docker_new(e->http, e->path, &e->docker) < 0)
        return -1;
    *state = e;
    return 0;
}

void engine_free_client(struct engine *e)
{
    docker_free(e->docker);
    e->docker = NULL;
}

int engine_tear_down(void **state)
{
    struct engine *e = *state;
    engine_free_client(e);
    http_free(e->http);
    bool closed = loop_end(&e->loop);
    if (e->server)
        server_stop(e->server);
    unlink(e->path);
    rmdir(e->directory);
    free(e);
    return closed ? 0 : -1;
}

void engine_wait(struct engine *e, unsigned reports)
{
    assert_true(loop_until(&e->loop, &e->done, reports, ENGINE_WAIT_MS));
    assert_int_equal(e->done, reports);
}

unsigned engine_asked(struct engine *e, const char *beginning)
{
    unsigned n = 0;
    pthread_mutex_lock(&e->lock);
    for (const char *line = e->log; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        n += begins(line, beginning);
    }
    pthread_mutex_unlock(&e->lock);
    return n;
}

void engine_done(void *userdata, int result, const struct error *err)
{
    struct engine *e = userdata;
    e->done++;
    e->result = result;
    if (result < 0) {
        assert_non_null(err);
        e->err = *err;
        assert_int_equal(err->code, result);
    } else {
        assert_null(err);
    }
    if (e->free_when_done)
        engine_free_client(e);
}

void engine_entry(void *userdata, const struct docker_entry *entry)
{
    struct engine *e = userdata;
    e->n_entries++;
    assert_string_equal(entry->id, ENGINE_ID);
}

void engine_listed(void *userdata, int result, size_t skipped, const struct error *err)
{
    struct engine *e = userdata;
    e->skipped = skipped;
    engine_done(e, result, err);
}

void engine_inspected(void *userdata, int result, const struct container *container,
                      const struct docker_details *details, const struct error *err)
{
    struct engine *e = userdata;
    if (result == 0) {
        snprintf(e->name, sizeof e->name, "%s", container->name);
        e->details = *details;
    }
    engine_done(e, result, err);
}

void engine_stats_read(void *userdata, int result, const struct cgroup_memory *memory,
                       const struct error *err)
{
    struct engine *e = userdata;
    if (result == 0)
        assert_int_equal(memory->version, 0);
    engine_done(e, result, err);
}

void engine_seen(void *userdata, const struct docker_event *event)
{
    struct engine *e = userdata;
    e->seen++;
    memcpy(e->last_action, event->action, sizeof e->last_action);
    if (e->free_when_seen)
        engine_free_client(e);
    if (e->stop_when_seen)
        docker_events_stop(e->docker);
}
