/* The network namespace of a process: connections and bytes received. */
#include "sense/proc_file.h"
#include "sense/process_parse.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* PROCFS/PID as a descriptor; -ESRCH if there is no such process. */
static int open_process(const char *procfs, int64_t pid)
{
    char name[24];

    CLOSE_FD int root = proc_directory_open(AT_FDCWD, procfs);
    if (root < 0)
        return root;
    snprintf(name, sizeof name, "%lld", (long long)pid);
    int fd = pid > 0 ? proc_directory_open(root, name) : -ENOENT;
    return fd == -ENOENT ? -ESRCH : fd;
}

int tcp_rows(int process, int (*row)(struct text line, void *userdata), void *userdata)
{
    int r = proc_file_lines(process, "net/tcp", row, userdata);
    if (r == 0)
        r = proc_file_lines(process, "net/tcp6", row, userdata);
    if (r == -ENOENT && faccessat(process, "net/tcp", F_OK, 0) == 0)
        r = 0; /* a kernel without IPv6 */
    return r;
}

struct count {
    uint16_t port;
    const struct own_port *own;
    size_t n_own;
    bool listening;
    fact established;
};

static int count_row(struct text line, void *userdata)
{
    struct count *count = userdata;
    struct tcp_row row;

    if (!tcp_row_parse(line, &row) || row.local_port != count->port)
        return 0;
    if (row.state == TCP_LISTEN_STATE)
        count->listening = true;
    if (row.state != TCP_ESTABLISHED_STATE)
        return 0;
    for (size_t i = 0; i < count->n_own; i++)
        if (count->own[i].port == row.remote_port)
            return 0;
    count->established++;
    return 0;
}

int connections_count(const char *procfs, int64_t pid, uint16_t port, const struct own_port *own,
                      size_t n_own, fact *ret_count)
{
    struct count count = {port, own, n_own, false, 0};

    CLOSE_FD int process = open_process(procfs, pid);
    if (process < 0)
        return process;
    int r = tcp_rows(process, count_row, &count);
    if (r == -ENOENT || r == -EINVAL) /* the process ended: its net is no more */
        r = -ESRCH;
    if (r < 0)
        return r;
    if (!count.listening)
        return -ENOENT;
    *ret_count = count.established;
    return 0;
}

static int add_received(struct text line, void *userdata)
{
    fact *sum = userdata, bytes = received_parse(line);

    if (fact_known(bytes) && __builtin_add_overflow(*sum, bytes, sum))
        return -EOVERFLOW;
    return 0;
}

int received_read(const char *procfs, int64_t pid, fact *ret_bytes)
{
    char path[300];
    fact sum = 0;

    snprintf(path, sizeof path, "%s/%lld/net/dev", procfs, (long long)pid);
    int r = proc_file_lines(AT_FDCWD, path, add_received, &sum);
    if (r < 0)
        return r == -ENOENT || r == -EINVAL ? -ESRCH : r;
    *ret_bytes = sum;
    return 0;
}
