#include "loop.h"
#include "text.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000u

static struct {
    int epoll_fd;
    struct timer *timers; /* the earliest first */
    struct watch signals;
    struct loop_hooks hooks;
} loop = {.epoll_fd = -1, .signals = {.fd = -1}};

uint64_t loop_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int64_t loop_wall_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + (int64_t)t.tv_nsec;
}

void loop_watch(struct watch *watch, uint32_t events)
{
    if (watch->events == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = watch};
    int how = watch->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(loop.epoll_fd, how, watch->fd, &event) < 0)
        die("epoll_ctl(%d): %m", watch->fd);
    watch->events = events;
}

void loop_close(struct watch *watch)
{
    if (watch->fd < 0)
        return;
    if (watch->events)
        epoll_ctl(loop.epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    close(watch->fd);
    watch->fd = -1;
    watch->events = 0;
}

void loop_disarm(struct timer *timer)
{
    if (!timer->armed)
        return;
    struct timer **at = &loop.timers;
    while (*at != timer)
        at = &(*at)->next;
    *at = timer->next;
    timer->armed = false;
}

void loop_arm(struct timer *timer, uint64_t delay_ms)
{
    loop_disarm(timer);
    timer->at_ns = loop_now_ns() + delay_ms * NS_PER_MS;
    timer->armed = true;
    struct timer **at = &loop.timers;
    while (*at && (*at)->at_ns <= timer->at_ns)
        at = &(*at)->next;
    timer->next = *at;
    *at = timer;
}

static void reap(void)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        loop.hooks.child_exited(pid, status);
}

static void signals_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct signalfd_siginfo info;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            reap();
        else
            loop.hooks.signalled((int)info.ssi_signo);
    }
}

void loop_start(const struct loop_hooks *hooks)
{
    loop.hooks = *hooks;
    loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop.epoll_fd < 0)
        die("epoll_create1: %m");

    static const int taken[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        sigaddset(&set, taken[i]);
    /* Blocked signals reach even a PID 1 without handlers. */
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    loop.signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop.signals.fd < 0)
        die("signalfd: %m");
    loop.signals.ready = signals_ready;
    loop_watch(&loop.signals, EPOLLIN);
}

/* Fires what is due; gives the milliseconds until the next timer, -1 without one. */
static int run_timers(void)
{
    while (loop.timers) {
        uint64_t now_ns = loop_now_ns();
        struct timer *first = loop.timers;
        if (first->at_ns > now_ns) {
            uint64_t wait_ms = (first->at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
            return wait_ms > 60000 ? 60000 : (int)wait_ms;
        }
        loop.timers = first->next;
        first->armed = false;
        first->fire(first);
    }
    return -1;
}

void loop_run(void)
{
    for (;;) {
        int wait_ms = run_timers();
        struct epoll_event event;
        int n = epoll_wait(loop.epoll_fd, &event, 1, wait_ms);
        if (n < 0 && errno != EINTR)
            die("epoll_wait: %m");
        if (n == 1) {
            struct watch *watch = event.data.ptr;
            watch->ready(watch, event.events);
        }
    }
}
