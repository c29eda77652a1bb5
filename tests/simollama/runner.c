#include "runner.h"
#include "memory.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOAD_STEP_MS  20
#define BURN_STEP_US  20000
#define CACHE_ENTRIES 4096
#define READ_SIZE     (256u << 10)
#define IDLE_MS       1000

static struct runner_plan plan;
static char *weights; /* anonymous: weights, KV cache and compute buffers alike */

struct cache_entry {
    uint64_t hash, bytes;
    char *memory;
};
static struct cache_entry cache[CACHE_ENTRIES]; /* the oldest first */
static size_t cache_len;
static uint64_t cache_bytes;

static uint64_t now_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void sleep_us(uint64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000u),
                         .tv_nsec = (long)(us % 1000000u) * 1000};
    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* Without a client nobody sees the difference; the parent's pipe may be gone too. */
static void tell(int fd, char what)
{
    ssize_t n = write(fd, &what, 1);
    (void)n;
}

/* Brings the bytes [from, to) of the blob into the page cache, or into this process's mapping. */
static void read_weights(int fd, const char *mapped, uint64_t from, uint64_t to)
{
    static char buffer[READ_SIZE];
    if (mapped) {
        for (uint64_t at = from; at < to; at += 4096)
            (void)*(const volatile char *)(mapped + at);
        return;
    }
    while (from < to) {
        uint64_t len = to - from < READ_SIZE ? to - from : READ_SIZE;
        ssize_t n = pread(fd, buffer, len, (off_t)from);
        if (n <= 0)
            break;
        from += (uint64_t)n;
    }
}

/* As the real one: anonymous memory grows while the file is read, for load_ms. */
static void load(const char *blob)
{
    int fd = plan.file_bytes ? open(blob, O_RDONLY | O_CLOEXEC) : -1;
    const char *mapped = NULL;
    if (plan.file_bytes && fd < 0)
        die("%s: %m", blob);
    if (plan.mmap && fd >= 0) {
        void *at = mmap(NULL, plan.file_bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
            die("mapping %s: %m", blob);
        mapped = at;
    }
    if (mapped) /* then they are not in anonymous memory */
        plan.anon_bytes -= plan.anon_bytes < plan.file_bytes ? plan.anon_bytes : plan.file_bytes;
    weights = plan.anon_bytes ? memory_map(plan.anon_bytes) : NULL;
    if (plan.anon_bytes && !weights)
        die("mapping %llu bytes: %m", (unsigned long long)plan.anon_bytes);

    uint64_t steps = plan.load_ms / LOAD_STEP_MS + 1;
    uint64_t start_us = now_us(CLOCK_MONOTONIC), anon = 0, file = 0;
    for (uint64_t step = 1; step <= steps; step++) {
        uint64_t anon_to = plan.anon_bytes / steps * step, file_to = plan.file_bytes / steps * step;
        if (step == steps) {
            anon_to = plan.anon_bytes;
            file_to = plan.file_bytes;
        }
        if (plan.stall && step > steps / 2)
            for (;;)
                pause();
        memory_touch(weights, anon, anon_to);
        read_weights(fd, mapped, file, file_to);
        anon = anon_to;
        file = file_to;
        tell(STDERR_FILENO, RUNNER_PROGRESS);
        uint64_t due_us = start_us + plan.load_ms * 1000 / steps * step;
        uint64_t at_us = now_us(CLOCK_MONOTONIC);
        if (due_us > at_us)
            sleep_us(due_us - at_us);
    }
    if (fd >= 0)
        close(fd);
}

/* A prompt not seen before leaves its state in the cache; the oldest go when the bound is met. */
static void remember(uint64_t hash, uint64_t bytes)
{
    if (!bytes || bytes > plan.cache_bound_bytes)
        return;
    for (size_t i = 0; i < cache_len; i++)
        if (cache[i].hash == hash)
            return;
    while (cache_len == CACHE_ENTRIES || cache_bytes + bytes > plan.cache_bound_bytes) {
        memory_unmap(cache[0].memory, cache[0].bytes);
        cache_bytes -= cache[0].bytes;
        memmove(cache, cache + 1, --cache_len * sizeof *cache);
    }
    char *memory = memory_map(bytes);
    if (!memory)
        return;
    memory_touch(memory, 0, bytes);
    cache[cache_len++] = (struct cache_entry){hash, bytes, memory};
    cache_bytes += bytes;
}

static int client_left(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

/* Works until due_us: cpu_percent of the time on the processor, the rest asleep. */
static void work_until(uint64_t due_us, uint64_t cpu_percent)
{
    for (;;) {
        uint64_t at_us = now_us(CLOCK_MONOTONIC);
        if (at_us >= due_us)
            return;
        uint64_t left_us = due_us - at_us;
        uint64_t step_us = left_us < BURN_STEP_US ? left_us : BURN_STEP_US;
        uint64_t burn_us = step_us * (cpu_percent < 100 ? cpu_percent : 100) / 100;
        uint64_t until_us = now_us(CLOCK_PROCESS_CPUTIME_ID) + burn_us;
        while (now_us(CLOCK_PROCESS_CPUTIME_ID) < until_us)
            ;
        uint64_t end_us = at_us + step_us;
        at_us = now_us(CLOCK_MONOTONIC);
        if (end_us > at_us)
            sleep_us(end_us - at_us);
    }
}

static void serve_one(int fd)
{
    char line[RUNNER_REQUEST_SIZE];
    ssize_t n = recv(fd, line, sizeof line - 1, 0);
    if (n <= 0)
        return;
    line[n] = '\0';
    unsigned long long v[6];
    if (sscanf(line, "%llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) !=
        6)
        return;
    struct runner_work work = {v[0], v[1], v[2], v[3], v[4], v[5]};
    if (client_left(fd))
        return;
    uint64_t at_us = now_us(CLOCK_MONOTONIC), prompt_end_us = at_us + work.prompt_ms * 1000;
    while (at_us < prompt_end_us) {
        uint64_t step_us = at_us + BURN_STEP_US;
        work_until(step_us < prompt_end_us ? step_us : prompt_end_us, work.cpu_percent);
        if (client_left(fd))
            return;
        at_us = now_us(CLOCK_MONOTONIC);
    }
    remember(work.prompt_hash, work.cache_bytes);
    tell(fd, RUNNER_PROMPT_DONE);
    for (uint64_t i = 1; i <= work.tokens; i++) {
        work_until(at_us + work.token_us * i, work.cpu_percent);
        if (client_left(fd))
            return;
        tell(fd, RUNNER_TOKEN);
    }
    tell(fd, RUNNER_END);
}

static int listen_on(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        die("socket: %m");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, SOMAXCONN) < 0)
        die("port %u: %m", port);
    return fd;
}

/* Until somebody comes: it wakes once a second and does next to nothing. */
static void idle(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    while (poll(&p, 1, IDLE_MS) == 0) {
        uint64_t until_us = now_us(CLOCK_PROCESS_CPUTIME_ID) + plan.idle_us;
        while (now_us(CLOCK_PROCESS_CPUTIME_ID) < until_us)
            ;
    }
}

/* It hangs: neither CPU nor an end, and no state that shows it, until it is killed. */
static void hang(int signal_number)
{
    (void)signal_number;
    for (;;)
        pause();
}

void runner_main(int argc, char **argv)
{
    const char *blob = NULL, *port = NULL, *text = getenv(RUNNER_VARIABLE);
    for (int i = 1; i + 1 < argc; i++) {
        if (!strcmp(argv[i], "--model"))
            blob = argv[i + 1];
        else if (!strcmp(argv[i], "--port"))
            port = argv[i + 1];
    }
    unsigned long long v[7];
    if (!blob || !port || !text ||
        sscanf(text, "%llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
               &v[6]) != 7)
        die("a runner is started by `ollama serve` only");
    signal(SIGPIPE, SIG_IGN);
    signal(RUNNER_HANGS, hang);
    plan = (struct runner_plan){v[0], v[1], v[2], v[3], v[4], v[5], v[6]};
    int listener = listen_on((uint16_t)strtoul(port, NULL, 10));
    load(blob);
    tell(STDERR_FILENO, RUNNER_READY);
    for (;;) {
        idle(listener);
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve_one(fd);
        close(fd);
    }
}
