#include "models.h"
#include "runner.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define OLLAMA_PATH       "/bin/ollama"
#define LLAMA_SERVER_PATH "/usr/lib/ollama/llama-server"
#define ARGS_MAX          40

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* A port that was free a moment ago, as Ollama finds it. */
static int free_port(uint16_t *ret_port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof at;
    int error = 0;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        error = -errno;
    close(fd);
    *ret_port = ntohs(at.sin_port);
    return error;
}

/* facts: llm/llama_server.go and, before 0.30, llm/server.go. */
static void fill_argv(const char *argv[ARGS_MAX], const char *blob, const char *port,
                      const char *context, int mapped)
{
    const char *const old[] = {OLLAMA_PATH, "runner", "--ollama-engine", "--model", blob, "--port",
                               port,        NULL};
    const char *const now[] = {LLAMA_SERVER_PATH,
                               "--model",
                               blob,
                               "--port",
                               port,
                               "--host",
                               "127.0.0.1",
                               "--no-webui",
                               "--offline",
                               "-c",
                               context,
                               "-np",
                               "1",
                               "--log-verbosity",
                               "4",
                               "--no-log-prefix",
                               "--no-log-timestamps",
                               "--flash-attn",
                               "auto",
                               "-b",
                               "512",
                               "-ub",
                               "512",
                               mapped ? NULL : "--load-mode",
                               "none",
                               NULL};
    const char *const *from = sim_generation() == RUNNER_OLLAMA ? old : now;
    size_t n = 0;
    for (; from[n] && n + 1 < ARGS_MAX; n++)
        argv[n] = from[n];
    argv[n] = NULL;
}

static int spawn(const char *const *argv, const char *setting, int stderr_fd, pid_t *ret_pid)
{
    /* The whole environment is inherited, as in Ollama, and the plan added. */
    size_t n = 0;
    while (environ[n])
        n++;
    const char **env = must_alloc((n + 2) * sizeof *env);
    memcpy(env, environ, n * sizeof *env);
    env[n] = setting;

    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, stderr_fd, STDERR_FILENO);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawn(ret_pid, argv[0], &files, &attributes, (char *const *)(uintptr_t)argv,
                            (char *const *)(uintptr_t)env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free(env);
    return -error;
}

int runner_spawn(const struct runner_plan *plan, const char *blob_path, uint64_t context,
                 uint16_t *ret_port, pid_t *ret_pid, int *ret_fd)
{
    char setting[256], port_text[8], context_text[24];
    const char *argv[ARGS_MAX];
    int ends[2];
    int error = free_port(ret_port);
    if (error < 0)
        return error;
    snprintf(setting, sizeof setting, RUNNER_VARIABLE "=%llu %llu %llu %llu %llu %llu %llu",
             (unsigned long long)plan->anon_bytes, (unsigned long long)plan->file_bytes,
             (unsigned long long)plan->load_ms, (unsigned long long)plan->stall,
             (unsigned long long)plan->mmap, (unsigned long long)plan->cache_bound_bytes,
             (unsigned long long)plan->idle_us);
    snprintf(port_text, sizeof port_text, "%u", *ret_port);
    snprintf(context_text, sizeof context_text, "%llu", (unsigned long long)context);
    fill_argv(argv, blob_path, port_text, context_text, plan->mmap != 0);
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return -errno;
    error = spawn(argv, setting, ends[1], ret_pid);
    close(ends[1]);
    if (error < 0) {
        close(ends[0]);
        return error;
    }
    *ret_fd = ends[0];
    return 0;
}

int runner_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    struct sockaddr_in at = loopback(port);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) < 0 && errno != EINPROGRESS) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

int runner_work_line(const struct runner_work *work, char line[RUNNER_REQUEST_SIZE])
{
    return snprintf(line, RUNNER_REQUEST_SIZE, "%llu %llu %llu %llu %llu %llu\n",
                    (unsigned long long)work->prompt_ms, (unsigned long long)work->tokens,
                    (unsigned long long)work->token_us, (unsigned long long)work->cpu_percent,
                    (unsigned long long)work->cache_bytes, (unsigned long long)work->prompt_hash);
}
