#include "load.h"
#include "runner.h"
#include "settings.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CACHE_BOUND_MIB   8192 /* llama-server's --cache-ram */
#define LOAD_BASE_MS      250  /* tiny took 260 ms, small 510, medium 1,500 to 4,500 */
#define LOAD_BYTES_PER_MS (1u << 20)
#define IDLE_US           36 /* seen: 34 to 38 of llama-server, 1 of `ollama runner` */
#define IDLE_OLD_US       1

static uint64_t cache_bound_bytes(void)
{
    if (settings.cache_bound != UNSET)
        return settings.cache_bound;
    const char *mib = getenv("LLAMA_ARG_CACHE_RAM");
    return (mib && *mib ? strtoull(mib, NULL, 10) : CACHE_BOUND_MIB) << 20;
}

/* The blob as a sparse file of its full size: reading it fills real page cache. 0 or -errno. */
static int make_blob(const struct model *model)
{
    static const char *const directories[] = {"/root", "/root/.ollama", "/root/.ollama/models",
                                              BLOB_DIR};
    char path[BLOB_PATH_SIZE];
    struct stat st;
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++)
        mkdir(directories[i], 0755);
    model_blob_path(model, path);
    if (stat(path, &st) == 0 && (uint64_t)st.st_size == model->file_bytes)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return -errno;
    int error = ftruncate(fd, (off_t)model->file_bytes) < 0 ? -errno : 0;
    close(fd);
    return error;
}

int load_start(struct runner *runner)
{
    char path[BLOB_PATH_SIZE];
    struct runner_plan plan = {.anon_bytes = runner->anon_bytes,
                               .file_bytes = runner->model.file_bytes,
                               .load_ms = settings.load_ms,
                               .stall = settings.stall_load,
                               .mmap = settings.mmap,
                               .cache_bound_bytes = cache_bound_bytes(),
                               .idle_us = settings.idle_us};
    if (plan.idle_us == UNSET)
        plan.idle_us = sim_generation() == RUNNER_OLLAMA ? IDLE_OLD_US : IDLE_US;
    if (plan.load_ms == UNSET)
        plan.load_ms = LOAD_BASE_MS + runner->anon_bytes / LOAD_BYTES_PER_MS;
    model_blob_path(&runner->model, path);
    int error = make_blob(&runner->model);
    if (error)
        return error;
    return runner_spawn(&plan, path, runner->context, &runner->port, &runner->pid, &runner->log.fd);
}

int load_orphan(const struct model *model, uint64_t bytes, pid_t *ret_pid)
{
    char path[BLOB_PATH_SIZE];
    struct runner_plan plan = {.anon_bytes = bytes};
    uint16_t port;
    int log_fd;
    model_blob_path(model, path);
    int error = runner_spawn(&plan, path, model_context(model, 0), &port, ret_pid, &log_fd);
    if (!error)
        close(log_fd); /* it is not listened to */
    return error;
}

void load_failure_text(int wait_status, char *message, size_t size)
{
    bool exited = WIFEXITED(wait_status);
    int code = exited ? WEXITSTATUS(wait_status) : WTERMSIG(wait_status);
    if (sim_generation() == RUNNER_OLLAMA)
        snprintf(message, size, "llama runner process has terminated with exit code %d",
                 exited ? code : -1);
    else if (exited)
        snprintf(message, size, "llama-server process has terminated: exit status %d", code);
    else
        snprintf(message, size, "llama-server process has terminated: signal: %s",
                 code == SIGKILL ? "killed" : strsignal(code));
}
