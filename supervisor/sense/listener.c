#include "sense/listener.h"
#include "sense/docker_parse.h"
#include "sense/proc_file.h"
#include "sense/process.h"
#include "sense/process_parse.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    ROWS_MAX = 1024,   /* that listen in one namespace; where there are more, nothing is known */
    FILES_MAX = 65536, /* of a process; who has more is not searched to the end */
    ENVIRON_SIZE = 65536
};

/* 127.0.0.11 answers names for the engine, in each container's namespace. */
static const unsigned char embedded_dns[4] = {127, 0, 0, 11};

struct row {
    struct tcp_row at;
    int64_t inode;
    bool own;
};

struct rows {
    struct row list[ROWS_MAX];
    size_t n;
    uint16_t port, remote_port; /* of a connection that is looked for; */
    bool found;
};

static int take_row(struct text line, void *userdata)
{
    struct rows *rows = userdata;
    struct row row = {.own = false};

    if (!tcp_row_parse(line, &row.at) || row.at.state != TCP_LISTEN_STATE)
        return 0;
    if (!tcp_row_inode(line, &row.inode))
        return -EIO;
    if (rows->n == ROWS_MAX)
        return -E2BIG;
    rows->list[rows->n++] = row;
    return 0;
}

static int take_connection(struct text line, void *userdata)
{
    struct rows *rows = userdata;
    struct tcp_row row;

    if (tcp_row_parse(line, &row) && row.local_port == rows->port &&
        row.remote_port == rows->remote_port && row.state != TCP_LISTEN_STATE)
        rows->found = true;
    return 0;
}

static int open_process(const char *procfs, int64_t pid)
{
    int fd = proc_process_open(procfs, pid);
    return fd == -ENOENT ? -ESRCH : fd;
}

static int read_rows(int process, int (*take)(struct text line, void *userdata), struct rows *rows)
{
    rows->n = 0;
    int r = tcp_rows(process, take, rows);
    return r == -ENOENT || r == -EINVAL ? -ESRCH : r;
}

static void mark(struct rows *rows, const char *link)
{
    struct text text = text_of(link, strlen(link));
    int64_t inode;

    if (!text_take(&text, "socket:[") || !text_number(&text, &inode))
        return;
    for (size_t i = 0; i < rows->n; i++)
        rows->list[i].own |= rows->list[i].inode == inode;
}

/* Marks the rows that are the process's sockets. The directory may be open to us, and what its
 * links name not. */
static int mark_own(int process, struct rows *rows)
{
    CLOSE_LIST DIR *list = proc_list(process, "fd");
    const struct dirent *entry;
    char link[64];

    int hidden = 0;
    if (list == NULL)
        return errno == ENOENT ? -ESRCH : -errno;
    for (size_t i = 0; i < FILES_MAX && (entry = readdir(list)) != NULL; i++) {
        ssize_t n = readlinkat(dirfd(list), entry->d_name, link, sizeof link - 1);
        if (n < 0 && (errno == EACCES || errno == EPERM))
            hidden = -errno;
        link[n > 0 ? n : 0] = '\0';
        mark(rows, link);
    }
    return hidden;
}

static bool is_runners(const struct container *container, uint16_t port)
{
    for (size_t i = 0; i < container->n_processes; i++)
        if (container->processes[i].port == port)
            return true;
    return false;
}

static bool is_dns(const struct tcp_row *row)
{
    return row->local_size == 4 && memcmp(row->local, embedded_dns, 4) == 0;
}

/* OLLAMA_HOST as the process has it; false where that cannot be read. */
static bool port_of_environ(int process, uint16_t *ret_port)
{
    static const char name[] = "OLLAMA_HOST=";
    char *buffer = malloc(ENVIRON_SIZE), host[64];
    struct text text;
    bool found = false;

    if (buffer != NULL &&
        proc_file_read_at(process, "environ", buffer, ENVIRON_SIZE - 1, &text) == 0) {
        buffer[text_left(&text)] = '\0';
        const char *end = buffer + text_left(&text);
        for (const char *at = buffer; at < end && !found; at += strlen(at) + 1)
            if (strncmp(at, name, sizeof name - 1) == 0) {
                docker_parse_ollama_host(at + sizeof name - 1, host, sizeof host, ret_port);
                found = true;
            }
    }
    free(buffer);
    return found;
}

static bool is_any(const struct tcp_row *row)
{
    static const unsigned char zero[16];
    return memcmp(row->local, zero, row->local_size) == 0;
}

static bool is_loopback(const struct tcp_row *row)
{
    static const unsigned char one[16] = {[15] = 1}, mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (row->local_size == 4)
        return row->local[0] == 127;
    return memcmp(row->local, one, 16) == 0 ||
           (memcmp(row->local, mapped, 12) == 0 && row->local[12] == 127);
}

/* All ports that may be the server's, when its files are hidden: those that are reached from
 * outside before others, at most so many. The first is listener->port. */
static void choose_any(const struct container *c, const struct rows *rows, uint16_t wanted,
                       struct listener *listener)
{
    uint16_t ports[1 + LISTENER_OTHERS_MAX] = {0};
    size_t n = 0;

    for (int pass = 0; pass < 3; pass++)
        for (size_t i = 0; i < rows->n && n < 1 + LISTENER_OTHERS_MAX; i++) {
            const struct tcp_row *row = &rows->list[i].at;
            bool met = is_runners(c, row->local_port) || is_dns(row);
            int turn = row->local_port == wanted ? 0 : is_loopback(row) ? 2 : 1;
            for (size_t k = 0; k < n; k++)
                met |= ports[k] == row->local_port;
            if (!met && turn == pass && (pass == 0 || ports[0] != wanted))
                ports[n++] = row->local_port;
        }
    listener->port = ports[0];
    memcpy(listener->others, ports + 1, sizeof listener->others);
}

/* The port among those that are the server's; 0: none. */
static uint16_t choose_port(const struct rows *rows, int process, uint16_t wanted)
{
    uint16_t lowest = 0, told;
    bool several = false;

    for (size_t i = 0; i < rows->n; i++) {
        uint16_t port = rows->list[i].at.local_port;
        if (!rows->list[i].own)
            continue;
        if (port == wanted)
            return wanted;
        several |= lowest != 0 && lowest != port;
        if (lowest == 0 || port < lowest)
            lowest = port;
    }
    if (several && port_of_environ(process, &told))
        for (size_t i = 0; i < rows->n; i++)
            if (rows->list[i].own && rows->list[i].at.local_port == told)
                return told;
    return lowest;
}

/* The address of the port that is reached from most places. False: others have it too. */
static bool take_address(const struct rows *rows, bool all, struct listener *listener)
{
    const struct tcp_row *best = NULL;
    int best_rank = -1;
    bool alone = true, v6 = false;

    for (size_t i = 0; i < rows->n; i++) {
        const struct tcp_row *row = &rows->list[i].at;
        if (row->local_port != listener->port)
            continue;
        alone &= all || rows->list[i].own;
        if (!all && !rows->list[i].own)
            continue;
        int rank = is_any(row) ? 2 : is_loopback(row) ? 0 : 1;
        v6 |= row->local_size == 16;
        if (rank > best_rank) {
            best = row;
            best_rank = rank;
        }
    }
    listener->v4_only = !v6;
    listener->loopback = best_rank == 0;
    listener->address[0] = '\0';
    if (best != NULL && best_rank < 2)
        inet_ntop(best->local_size == 4 ? AF_INET : AF_INET6, best->local, listener->address,
                  sizeof listener->address);
    return alone;
}

static int of_server(const char *procfs, const struct container *c, const struct process *server,
                     enum network network, bool only, uint16_t wanted, struct rows *rows,
                     struct listener *ret)
{
    CLOSE_FD int process = open_process(procfs, server->pid);
    int r = process < 0 ? process : read_rows(process, take_row, rows);
    if (r < 0)
        return r;
    int hidden = mark_own(process, rows);
    if (hidden == -ESRCH)
        return hidden;
    bool all = hidden < 0;
    if (all && network == NETWORK_SHARED)
        return hidden == -EPERM ? -EACCES : hidden;
    *ret = (struct listener){.port = 0};
    if (all)
        choose_any(c, rows, wanted, ret);
    else
        ret->port = choose_port(rows, process, wanted);
    if (ret->port == 0)
        return -ENOENT;
    bool alone = take_address(rows, all, ret);
    if (!alone && network == NETWORK_SHARED)
        return -EPERM;
    bool known = alone && (only || !all);
    ret->server = known ? server->pid : FACT_UNKNOWN;
    ret->started_us = known ? server->started_us : FACT_UNKNOWN;
    return 0;
}

/* No server is seen; who listens on the port may be asked all the same. */
static int of_nobody(const char *procfs, const struct container *c, enum network network,
                     uint16_t wanted, struct rows *rows, struct listener *ret)
{
    int hidden = 0;
    bool listens = false;
    CLOSE_FD int process = open_process(procfs, c->pid);
    int r = process < 0 ? process : read_rows(process, take_row, rows);
    if (r < 0)
        return r;
    for (size_t i = 0; i < rows->n; i++)
        listens |= rows->list[i].at.local_port == wanted;
    if (!listens)
        return -ESRCH;
    for (size_t i = 0; network != NETWORK_OWN && i < c->n_processes; i++) {
        CLOSE_FD int other = open_process(procfs, c->processes[i].pid);
        r = other < 0 ? other : mark_own(other, rows);
        if (r < 0 && r != -ESRCH)
            hidden = r == -EPERM ? -EACCES : r;
    }
    *ret = (struct listener){.server = FACT_UNKNOWN, .started_us = FACT_UNKNOWN, .port = wanted};
    bool alone = take_address(rows, network == NETWORK_OWN, ret);
    return alone ? 0 : hidden ? hidden : -EPERM;
}

int listener_find(const char *procfs, const struct container *container, enum network network,
                  uint16_t wanted, struct listener *ret_listener)
{
    struct rows *rows = malloc(sizeof *rows);
    size_t servers = 0, alike = 0;
    int best_rank = -1, result = -ENOENT;
    int64_t best_started_us = 0;

    if (rows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < container->n_processes; i++) {
        servers += container_server(container, &container->processes[i]);
        alike += container->processes[i].kind == PROCESS_SERVE;
    }
    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        struct listener found;
        if (!container_server(container, p))
            continue;
        int r = of_server(procfs, container, p, network, alike == 1, wanted, rows, &found);
        if (r < 0) {
            result = best_rank < 0 && r != -ESRCH ? r : result;
            continue;
        }
        int rank = 2 * (found.port == wanted) + (p->pid == container->pid);
        if (rank < best_rank || (rank == best_rank && p->started_us > best_started_us))
            continue;
        *ret_listener = found;
        best_rank = rank;
        best_started_us = p->started_us;
        result = 0;
    }
    if (servers == 0)
        result = of_nobody(procfs, container, network, wanted, rows, ret_listener);
    free(rows);
    return result;
}

bool listener_has(const char *procfs, int64_t pid, uint16_t port, uint16_t remote_port)
{
    struct rows *rows = malloc(sizeof *rows);
    CLOSE_FD int process = open_process(procfs, pid);
    bool found = false;

    if (rows != NULL && process >= 0) {
        rows->port = port;
        rows->remote_port = remote_port;
        rows->found = false;
        found = read_rows(process, take_connection, rows) == 0 && rows->found;
    }
    free(rows);
    return found;
}
