#include "sense/proc_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

void proc_file_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static int open_retrying(int directory, const char *path, int flags)
{
    for (;;) {
        int fd = openat(directory, path, flags | O_CLOEXEC);
        if (fd >= 0)
            return fd;
        if (errno != EINTR)
            return -errno;
    }
}

int proc_file_open(int directory, const char *path)
{
    return open_retrying(directory, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
}

int proc_directory_open(int directory, const char *path)
{
    return open_retrying(directory, path, O_RDONLY | O_DIRECTORY);
}

int proc_process_open(const char *procfs, int64_t pid)
{
    char path[300];

    if (pid <= 0)
        return -ESRCH;
    snprintf(path, sizeof path, "%s/%lld", procfs, (long long)pid);
    int fd = proc_directory_open(AT_FDCWD, path);
    return fd == -ENOENT && access(procfs, F_OK) == 0 ? -ESRCH : fd;
}

bool proc_file_exists(const char *directory, const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

DIR *proc_list(int directory, const char *path)
{
    int fd = proc_directory_open(directory, path);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    if (list == NULL && fd >= 0)
        close(fd);
    errno = list != NULL ? 0 : fd < 0 ? -fd : ENOMEM;
    return list;
}

void proc_list_close(DIR **list)
{
    if (*list != NULL)
        closedir(*list);
}

static ssize_t read_retrying(int fd, char *buffer, size_t size, off_t from)
{
    for (;;) {
        ssize_t n = pread(fd, buffer, size, from);
        if (n >= 0)
            return n;
        if (errno != EINTR)
            return -errno;
    }
}

int proc_file_read(int fd, char *buffer, size_t size, struct text *ret_text)
{
    ssize_t n = read_retrying(fd, buffer, size, 0);
    if (n < 0)
        return (int)n;
    *ret_text = text_of(buffer, (size_t)n);
    return 0;
}

int proc_file_read_at(int directory, const char *path, char *buffer, size_t size,
                      struct text *ret_text)
{
    CLOSE_FD int fd = proc_file_open(directory, path);
    return fd < 0 ? fd : proc_file_read(fd, buffer, size, ret_text);
}

int proc_file_lines(int directory, const char *path, int (*line)(struct text line, void *userdata),
                    void *userdata)
{
    CLOSE_FD int fd = proc_file_open(directory, path);
    char buffer[4 * PROC_LINE_MAX];
    size_t kept = 0;
    off_t from = 0;
    bool skipping = false; /* within a line that is too long */

    if (fd < 0)
        return fd;
    while (from < PROC_FILE_MAX) {
        ssize_t n = read_retrying(fd, buffer + kept, sizeof buffer - kept, from);
        if (n <= 0)
            return (int)n;
        from += n;
        struct text text = text_of(buffer, kept + (size_t)n), one;
        while (text_line(&text, &one)) {
            int r = skipping || text_left(&one) > PROC_LINE_MAX ? 0 : line(one, userdata);
            skipping = false;
            if (r < 0)
                return r;
        }
        kept = text_left(&text);
        if (kept > PROC_LINE_MAX) {
            skipping = true;
            kept = 0;
        }
        memmove(buffer, text.at, kept);
    }
    return -E2BIG;
}
