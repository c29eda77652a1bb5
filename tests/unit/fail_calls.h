/* Calls that fail on demand, put in place of the real ones by --wrap (flags.mk). For one test
 * program: it includes this file once. */
#ifndef TESTS_UNIT_FAIL_CALLS_H
#define TESTS_UNIT_FAIL_CALLS_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

struct fail_call {
    long at;  /* this many calls succeed, the next one fails; < 0: it has failed, or none shall */
    int code; /* errno */
};
#define NOT_FAILING ((struct fail_call){-1, 0})

static struct fail_call fail_openat = {-1, 0}, fail_pread = {-1, 0}, fail_malloc = {-1, 0};

static bool call_fails(struct fail_call *call)
{
    if (call->at < 0 || call->at-- > 0)
        return false;
    errno = call->code;
    return true;
}

int __real_openat(int directory, const char *path, int flags, mode_t mode);
int __wrap_openat(int directory, const char *path, int flags, mode_t mode);
ssize_t __real_pread(int fd, void *buffer, size_t size, off_t from);
ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t from);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);

int __wrap_openat(int directory, const char *path, int flags, mode_t mode)
{
    return call_fails(&fail_openat) ? -1 : __real_openat(directory, path, flags, mode);
}

ssize_t __wrap_pread(int fd, void *buffer, size_t size, off_t from)
{
    return call_fails(&fail_pread) ? -1 : __real_pread(fd, buffer, size, from);
}

void *__wrap_malloc(size_t size)
{
    return call_fails(&fail_malloc) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return call_fails(&fail_malloc) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return call_fails(&fail_malloc) ? NULL : __real_realloc(block, size);
}

/* How many descriptors are open. */
static inline size_t open_files(void)
{
    DIR *all = opendir("/proc/self/fd");
    size_t n = 0;
    while (all != NULL && readdir(all) != NULL)
        n++;
    if (all != NULL)
        closedir(all);
    return n;
}

#endif
