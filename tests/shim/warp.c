/* Time that passes only while a process waits: preloaded, its clocks are the machine's and a number
 * of nanoseconds, and where its libuv loop has nothing to do until a timer is due, that number
 * grows instead of anybody waiting. A daemon that looks once a second looks some hundred times a
 * second then, and all that it knows (holds, budgets, back-off, time-outs, the ages in its
 * databases) sees seconds pass.
 *
 * Time stands (but for the machine's own) while somebody owes the process an answer: a request was
 * sent and not a byte came back, or a worker is busy. Nor does it pass the moment that the test has
 * next to do something. The file WARP is the page that both see; whoever has WARP_FOLLOWS beside it
 * sees the time and does not move it.
 *
 * What the kernel counts (a process's start, CPU time, files' times) stays the machine's. */
#include "wall_calls.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

struct page {                    /* tests/prove/ticks knows it too */
    _Atomic int64_t offset_ns;   /* ahead of the machine's clocks */
    _Atomic int64_t until_ns;    /* offset_ns is not moved beyond this */
    _Atomic int64_t patience_ns; /* of the machine's time, for what is owed */
    _Atomic int64_t jumps, impatient;
    _Atomic int64_t heap_bytes; /* in use; -1: asked for, counted in the next wait */
};

enum { DESCRIPTORS = 1024 };
static const int64_t second_ns = 1000000000;
static const int64_t doze_ns = 50000; /* between two looks at until_ns */
static struct page *page;             /* NULL: not asked for */
static bool follows;
static const uv_loop_t *loop;
static bool owed[DESCRIPTORS]; /* by descriptor; touched by the loop's thread alone */
static int n_owed;

static void __attribute__((constructor)) begin(void)
{
    const char *path = getenv("WARP");
    follows = getenv("WARP_FOLLOWS") != NULL;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *at = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (at != MAP_FAILED)
        page = at;
}

/* ---- the clocks */

static bool is_moved(clockid_t which)
{
    return which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE || which == CLOCK_MONOTONIC ||
           which == CLOCK_MONOTONIC_COARSE || which == CLOCK_MONOTONIC_RAW ||
           which == CLOCK_BOOTTIME;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    int r = (int)syscall(SYS_clock_gettime, which, now);
    if (r < 0 || !page || !is_moved(which))
        return r;
    int64_t ns = now->tv_nsec + atomic_load(&page->offset_ns);
    now->tv_sec += ns / second_ns;
    now->tv_nsec = ns % second_ns;
    return r;
}

/* ---- who owes an answer: libcurl's sockets, from a send to the first byte back */

static void owe(int fd, bool owes)
{
    if (fd < 0 || fd >= DESCRIPTORS || owed[fd] == owes)
        return;
    owed[fd] = owes;
    n_owed += owes ? 1 : -1;
}

ssize_t send(int fd, const void *data, size_t length, int flags)
{
    ssize_t n = sendto(fd, data, length, flags, NULL, 0);
    if (n > 0)
        owe(fd, true);
    return n;
}

ssize_t recv(int fd, void *data, size_t length, int flags)
{
    ssize_t n = recvfrom(fd, data, length, flags, NULL, NULL);
    if (n > 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        owe(fd, false);
    return n;
}

int close(int fd)
{
    if (page && loop &&
        (pid_t)syscall(SYS_gettid) == getpid()) /* workers have files of their own */
        owe(fd, false);
    return (int)syscall(SYS_close, fd);
}

/* ---- the loop */

int uv_run(uv_loop_t *of, uv_run_mode mode)
{
    int (*next)(uv_loop_t *, uv_run_mode) =
        (int (*)(uv_loop_t *, uv_run_mode))dlsym(RTLD_NEXT, "uv_run");
    loop = of;
    return next(of, mode);
}

static int64_t machine_ns(void)
{
    struct timespec now = {0};
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
}

static bool anything(int epoll, int64_t for_ns, const sigset_t *mask)
{
    struct pollfd one = {.fd = epoll, .events = POLLIN};
    struct timespec wait = {for_ns / second_ns, for_ns % second_ns};
    return ppoll(&one, 1, &wait, mask) != 0; /* or a signal: epoll says which */
}

/* Until something is ready (true) or timeout_ms have passed, by the machine's clock as far as
 * somebody is waited for, else by a jump. */
static bool pass_time(int epoll, int timeout_ms, const sigset_t *mask)
{
    if (atomic_load(&page->heap_bytes) < 0) {
        struct mallinfo2 heap = mallinfo2();
        atomic_store(&page->heap_bytes, (int64_t)(heap.uordblks + heap.hblkhd));
    }
    int64_t left_ns = timeout_ms < 0 ? INT64_MAX : timeout_ms * (second_ns / 1000),
            began = machine_ns();
    while (left_ns > 0) {
        int64_t offset = atomic_load(&page->offset_ns), until = atomic_load(&page->until_ns);
        bool waits = n_owed > 0 || (loop && loop->active_reqs.count > 0);
        if (waits && machine_ns() - began < atomic_load(&page->patience_ns)) {
            if (anything(epoll, atomic_load(&page->patience_ns), mask))
                return true;
            continue;
        }
        if (anything(epoll, offset < until && timeout_ms >= 0 ? 0 : doze_ns, mask))
            return true;
        int64_t step = until - offset < left_ns ? until - offset : left_ns;
        if (step <= 0 || timeout_ms < 0)
            continue;
        if (waits)
            atomic_fetch_add(&page->impatient, 1);
        atomic_fetch_add(&page->jumps, 1);
        atomic_store(&page->offset_ns, offset + step);
        left_ns -= step;
    }
    return false;
}

int epoll_pwait(int epoll, struct epoll_event *events, int max, int timeout_ms,
                const sigset_t *mask)
{
    if (page && !follows && timeout_ms != 0 && !pass_time(epoll, timeout_ms, mask))
        timeout_ms = 0;
    return (int)syscall(SYS_epoll_pwait, epoll, events, max, timeout_ms, mask, (size_t)8);
}

int epoll_wait(int epoll, struct epoll_event *events, int max, int timeout_ms)
{
    return epoll_pwait(epoll, events, max, timeout_ms, NULL);
}
