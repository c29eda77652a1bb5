/* The network namespace of a process: connections and bytes received. */
#include "sense/proc_file.h"
#include "sense/process_parse.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int tcp_rows(int process, int (*row)(struct text line, void *userdata), void *userdata)
{
    int r = proc_file_lines(process, "net/tcp", row, userdata);
    if (r == 0 || r == TCP_ROWS_NEXT)
        r = proc_file_lines(process, "net/tcp6", row, userdata);
    if (r == TCP_ROWS_NEXT)
        r = 0;
    if (r == -ENOENT && faccessat(process, "net/tcp", F_OK, 0) == 0)
        r = 0; /* a kernel without IPv6 */
    return r;
}

struct count {
    uint16_t port;
    const struct own_port *own;
    size_t n_own;
    bool listening;
    fact established, unread;
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
    count->unread += row.unsent;
    return 0;
}

int connections_count(const char *procfs, int64_t pid, uint16_t port, const struct own_port *own,
                      size_t n_own, fact *ret_count, fact *ret_unread)
{
    struct count count = {port, own, n_own, false, 0, 0};

    CLOSE_FD int process = proc_process_open(procfs, pid);
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
    *ret_unread = count.unread;
    return 0;
}

enum { RUNNERS_MAX = 64 }; /* of more it stays unknown: each costs time at every row */

struct runners {
    struct process *all[RUNNERS_MAX];
    size_t n;
};

static int count_client(struct text line, void *userdata)
{
    const struct runners *runners = userdata;
    struct tcp_row row;

    if (!tcp_row_parse(line, &row) || row.state != TCP_ESTABLISHED_STATE)
        return 0;
    for (size_t i = 0; i < runners->n; i++)
        runners->all[i]->clients += runners->all[i]->port == row.local_port;
    return 0;
}

int connections_of_runners(const char *procfs, int64_t pid, struct process *processes, size_t n)
{
    struct runners runners = {.n = 0};

    for (size_t i = 0; i < n && runners.n < RUNNERS_MAX; i++)
        if (processes[i].kind == PROCESS_RUNNER && fact_known(processes[i].port))
            runners.all[runners.n++] = &processes[i];
    if (runners.n == 0)
        return 0;
    CLOSE_FD int process = proc_process_open(procfs, pid);
    if (process < 0)
        return process;
    for (size_t i = 0; i < runners.n; i++)
        runners.all[i]->clients = 0;
    int r = tcp_rows(process, count_client, &runners);
    for (size_t i = 0; r < 0 && i < runners.n; i++)
        runners.all[i]->clients = FACT_UNKNOWN;
    return r;
}

enum { LINES_MAX = 262144 }; /* anybody in there can make connections without number */

struct connection {
    struct http_ends ends;
    size_t lines;
    unsigned char local[16], remote[16]; /* as the other end has them */
    bool found;
};

/* As an IPv6 socket has it: an IPv4 one as ::ffff:a.b.c.d. */
static void as_v6(const unsigned char *address, unsigned size, unsigned char mapped[16])
{
    memcpy(mapped, (unsigned char[12]){[10] = 0xFF, [11] = 0xFF}, 12);
    memcpy(mapped + 16 - size, address, size);
}

static bool parse_address(const char *text, unsigned char mapped[16])
{
    unsigned char address[16];
    bool v4 = inet_pton(AF_INET, text, address) == 1;
    if (!v4 && inet_pton(AF_INET6, text, address) != 1)
        return false;
    as_v6(address, v4 ? 4 : 16, mapped);
    return true;
}

static int take_connection(struct text line, void *userdata)
{
    struct connection *c = userdata;
    unsigned char local[16], remote[16];
    struct tcp_row row;

    if (++c->lines > LINES_MAX)
        return -E2BIG;
    if (!tcp_row_parse(line, &row) || row.local_port != c->ends.remote_port ||
        row.remote_port != c->ends.local_port ||
        (row.state != TCP_ESTABLISHED_STATE && row.state != TCP_SYN_RECEIVED_STATE))
        return 0;
    as_v6(row.local, row.size, local);
    as_v6(row.remote, row.size, remote);
    c->found = !memcmp(local, c->local, 16) && !memcmp(remote, c->remote, 16);
    return c->found ? -EALREADY : 0;
}

bool connections_have(const char *procfs, int64_t pid, const struct http_ends *ends)
{
    struct connection c = {.ends = *ends};
    CLOSE_FD int process = proc_process_open(procfs, pid);

    if (process < 0 || !parse_address(ends->remote, c.local) ||
        !parse_address(ends->local, c.remote))
        return false;
    tcp_rows(process, take_connection, &c);
    return c.found;
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
