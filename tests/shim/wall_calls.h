/* The other calls that read the wall clock, by the clock_gettime of the library that includes this;
 * once in each. */
#ifndef TESTS_SHIM_WALL_CALLS_H
#define TESTS_SHIM_WALL_CALLS_H

#include <sys/time.h>
#include <time.h>

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    (void)zone;
    struct timespec fine;
    if (clock_gettime(CLOCK_REALTIME, &fine) < 0)
        return -1;
    *now = (struct timeval){fine.tv_sec, fine.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *ret_now)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret_now)
        *ret_now = now.tv_sec;
    return now.tv_sec;
}

#endif
