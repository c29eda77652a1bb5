#include "client.h"
#include "memory.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX   (4u << 20)
#define FILL_SIZE    (1u << 20)
#define OLLAMA_PORT  11434
#define CONTROL_PORT 11435

/* Connects to where variable says a server listens; the wildcard means this machine. */
static int dial(const char *variable, unsigned long port)
{
    const char *where = getenv(variable);
    char host[64] = "127.0.0.1";
    const char *colon = where ? strrchr(where, ':') : NULL;
    if (where && *where && colon != where)
        snprintf(host, sizeof host, "%.*s", (int)(colon ? colon - where : (int)strlen(where)),
                 where);
    if (colon && colon[1])
        port = strtoul(colon + 1, NULL, 10);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, host, &at.sin_addr) != 1)
        return -EINVAL;
    if (at.sin_addr.s_addr == INADDR_ANY)
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* The JSON in a server's answer of status 200; NULL where there is none. HTTP/1.0 is asked for, so
 * that the answer ends with the connection. */
static json_t *ask(const char *variable, unsigned long port, const struct text *request)
{
    struct text answer = {0};
    char part[4096];
    json_t *json = NULL;
    int fd = dial(variable, port);
    if (fd < 0)
        return NULL;
    if (send(fd, request->data, request->len, MSG_NOSIGNAL) == (ssize_t)request->len)
        for (ssize_t n; (n = recv(fd, part, sizeof part, 0)) > 0;)
            if (text_append(&answer, part, (size_t)n, ANSWER_MAX) < 0)
                break;
    close(fd);
    const char *body = answer.len ? strstr(answer.data, "\r\n\r\n") : NULL;
    if (body && !strncmp(answer.data, "HTTP/1.1 200", 12))
        json = json_loads(body, 0, NULL);
    text_free(&answer);
    return json;
}

static int table(const char *path, const char *third)
{
    struct text request = {0};
    text_print(&request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    json_t *answer = ask("OLLAMA_HOST", OLLAMA_PORT, &request);
    json_t *models = json_object_get(answer, "models"), *model;
    size_t i;
    text_free(&request);
    if (!models) {
        fputs("Error: could not connect to ollama server, run 'ollama serve' to start it\n",
              stderr);
        return 1;
    }
    printf("%-28s %-14s %-10s %s\n", "NAME", "ID", "SIZE", third);
    json_array_foreach(models, i, model)
    {
        const char *when = json_string_value(json_object_get(model, "modified_at"));
        if (!when)
            when = json_string_value(json_object_get(model, "expires_at"));
        printf("%-28s %-14.12s %6.0f MB  %s\n", json_string_value(json_object_get(model, "name")),
               json_string_value(json_object_get(model, "digest")),
               json_number_value(json_object_get(model, "size")) / 1e6, when ? when : "");
    }
    json_decref(answer);
    return 0;
}

int client_list(void)
{
    return table("/api/tags", "MODIFIED");
}

int client_ps(void)
{
    return table("/api/ps", "UNTIL");
}

static int fill(const char *path, uint64_t bytes)
{
    static char block[FILL_SIZE];
    memory_touch(block, 0, sizeof block);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        die("%s: %m", path);
    for (uint64_t done = 0; done < bytes;) {
        size_t len = bytes - done < sizeof block ? (size_t)(bytes - done) : sizeof block;
        ssize_t n = write(fd, block, len);
        if (n <= 0)
            die("%s after %llu bytes: %m", path, (unsigned long long)done);
        done += (uint64_t)n;
    }
    return close(fd) < 0;
}

static int hold(uint64_t bytes, double seconds)
{
    prctl(PR_SET_NAME, "sim-hold"); /* under whatever name it was called, it is no Ollama */
    char *memory = memory_map(bytes);
    if (!memory)
        die("mapping %llu bytes: %m", (unsigned long long)bytes);
    memory_touch(memory, 0, bytes);
    printf("holding %llu\n", (unsigned long long)bytes);
    fflush(stdout);
    for (unsigned left = (unsigned)seconds; left;)
        left = sleep(left);
    return 0;
}

/* The leak lever, for whoever can only `docker exec`. */
static int leak(uint64_t bytes)
{
    struct text request = {0}, body = {0};
    text_print(&body, "{\"bytes\":%llu}", (unsigned long long)bytes);
    text_print(&request,
               "POST /sim/leak HTTP/1.0\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
               body.len, body.data);
    json_t *answer = ask("SIMOLLAMA_CONTROL", CONTROL_PORT, &request);
    text_free(&request);
    text_free(&body);
    if (!answer) {
        fputs("Error: the server did not leak\n", stderr);
        return 1;
    }
    printf("leaked %lld\n", (long long)json_integer_value(json_object_get(answer, "leaked")));
    json_decref(answer);
    return 0;
}

/* A wrapper, as `sh -c 'while :; do ollama serve; done'`: whatever ends its server, there is a new
 * one, and what the old one left goes to it. */
static int keep(void)
{
    for (pid_t serve = 0, ended = 0;;) {
        if (ended == serve)
            serve = fork();
        if (serve == 0) {
            execl("/bin/ollama", "ollama", "serve", (char *)NULL);
            die("/bin/ollama: %m");
        }
        ended = wait(NULL);
    }
}

int client_sim(int argc, char **argv)
{
    uint64_t bytes;
    char *end;
    if (argc == 3 && !strcmp(argv[0], "fill") && bytes_parse(argv[2], &bytes) == 0)
        return fill(argv[1], bytes);
    if (argc == 3 && !strcmp(argv[0], "hold") && bytes_parse(argv[1], &bytes) == 0) {
        double seconds = strtod(argv[2], &end);
        if (!*end && seconds >= 0)
            return hold(bytes, seconds);
    }
    if (argc == 2 && !strcmp(argv[0], "leak") && bytes_parse(argv[1], &bytes) == 0)
        return leak(bytes);
    if (argc == 1 && !strcmp(argv[0], "keep"))
        return keep();
    fputs("usage: sim fill PATH BYTES | sim hold BYTES SECONDS | sim leak BYTES | sim keep\n",
          stderr);
    return 2;
}
