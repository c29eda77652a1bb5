/* The one event loop of the stand-in: descriptors, timers, children and signals, on epoll. One
 * event is handled a turn, so that no handler can free another's watch before its event. */
#ifndef SIMOLLAMA_LOOP_H
#define SIMOLLAMA_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define owner_of(member_ptr, type, member) ((type *)((char *)(member_ptr) - offsetof(type, member)))

/* A descriptor on the loop. Zeroed but for fd = -1 before its first use; fd belongs to the watch.
 */
struct watch {
    int fd;
    uint32_t events; /* what epoll was asked for; 0: not on the loop */
    void (*ready)(struct watch *watch, uint32_t events);
};

struct timer {
    uint64_t at_ns;
    void (*fire)(struct timer *timer);
    struct timer *next;
    bool armed;
};

struct loop_hooks {
    void (*child_exited)(pid_t pid, int wait_status);
    void (*signalled)(int signal_number);
};

/* Takes over SIGCHLD, SIGTERM and the other signals that are only counted. */
void loop_start(const struct loop_hooks *hooks);
/* Never returns. */
void loop_run(void) __attribute__((noreturn));

/* Puts a watch on the loop, or changes what it waits for. */
void loop_watch(struct watch *watch, uint32_t events);
/* Takes it off and closes its descriptor; does nothing for one that is closed already. */
void loop_close(struct watch *watch);

/* Fires once after delay_ms; arming an armed timer moves it. */
void loop_arm(struct timer *timer, uint64_t delay_ms);
void loop_disarm(struct timer *timer);

/* CLOCK_MONOTONIC, and the wall clock as nanoseconds since the epoch. */
uint64_t loop_now_ns(void);
int64_t loop_wall_ns(void);

#endif
