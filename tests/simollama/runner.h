/* A runner: the child process that serves one model, with the real argv. What the real one is told
 * by its flags and its file, this one is told by one environment variable; over its loopback port
 * it takes one request a connection, one after another. */
#ifndef SIMOLLAMA_RUNNER_H
#define SIMOLLAMA_RUNNER_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

#define RUNNER_VARIABLE     "SIMOLLAMA_RUNNER"
#define RUNNER_REQUEST_SIZE 256

#define RUNNER_HANGS SIGUSR1 /* from then on it stands still */

/* Over its stderr, one byte each, beside text for people. */
#define RUNNER_PROGRESS '\1'
#define RUNNER_READY    '\2'
/* Over a connection, one byte each. */
#define RUNNER_PROMPT_DONE 'p'
#define RUNNER_TOKEN       't'
#define RUNNER_END         'e'

struct runner_plan {
    uint64_t anon_bytes, file_bytes, load_ms;
    uint64_t stall, mmap; /* switches */
    uint64_t cache_bound_bytes;
    uint64_t idle_us; /* a second */
};

struct runner_work {
    uint64_t prompt_ms, tokens, token_us, cpu_percent;
    uint64_t cache_bytes, prompt_hash;
};

/* In serve: starts the child for a blob. 0 with its pid and the read end of its stderr, or
 * -errno. */
int runner_spawn(const struct runner_plan *plan, const char *blob_path, uint64_t context,
                 uint16_t *ret_port, pid_t *ret_pid, int *ret_fd);
/* In serve: a non-blocking connection to a runner, being made; -errno on failure. */
int runner_connect(uint16_t port);
/* The line that asks for work. */
int runner_work_line(const struct runner_work *work, char line[RUNNER_REQUEST_SIZE]);

/* In the child. Never returns. */
void runner_main(int argc, char **argv) __attribute__((noreturn));

#endif
