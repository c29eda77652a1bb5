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

/* Of what anybody in a container can make without number, so much is searched at one time, in some
 * 50 ms; where there is more, nothing is known. */
enum {
    SERVERS_MAX = 8,
    ROWS_MAX = 4096, /* that listen in one namespace */
    LINES_MAX = 65536,
    FILES_MAX = 16384,
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
    size_t n, lines, files; /* all lines and files of this search */
};

static int take_row(struct text line, void *userdata)
{
    struct rows *rows = userdata;
    struct row row = {.own = false};

    if (++rows->lines > LINES_MAX)
        return -E2BIG;
    if (!tcp_row_parse(line, &row.at) || row.at.state == TCP_SYN_RECEIVED_STATE)
        return 0;
    /* The kernel lists first who listens (before Linux 4.4 what each has not taken yet beside it):
     * what follows has no bound. */
    if (row.at.state != TCP_LISTEN_STATE)
        return TCP_ROWS_NEXT;
    if (!tcp_row_inode(line, &row.inode))
        return -EIO;
    if (rows->n == ROWS_MAX)
        return -E2BIG;
    rows->list[rows->n++] = row;
    return 0;
}

static int read_rows(int process, struct rows *rows)
{
    rows->n = 0;
    int r = tcp_rows(process, take_row, rows);
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
    while ((entry = readdir(list)) != NULL) {
        if (++rows->files > FILES_MAX)
            return -E2BIG;
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
    return row->size == 4 && memcmp(row->local, embedded_dns, 4) == 0;
}

static bool may_be_its(const struct container *container, const struct tcp_row *row)
{
    return !is_dns(row) && !is_runners(container, row->local_port);
}

/* Whether there is more than one port that may be the server's. */
static bool has_several(const struct container *container, const struct rows *rows)
{
    uint16_t only = 0;
    for (size_t i = 0; i < rows->n; i++) {
        const struct tcp_row *row = &rows->list[i].at;
        if (!may_be_its(container, row))
            continue;
        if (only != 0 && row->local_port != only)
            return true;
        only = row->local_port;
    }
    return false;
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
    return memcmp(row->local, zero, row->size) == 0;
}

static bool is_loopback(const struct tcp_row *row)
{
    static const unsigned char one[16] = {[15] = 1}, mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (row->size == 4)
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
            bool met = !may_be_its(c, row);
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

static bool is_like(const struct tcp_row *a, const struct tcp_row *b)
{
    return (is_any(a) && is_any(b)) || (a->size == b->size && !memcmp(a->local, b->local, a->size));
}

/* The address of the port that is reached from most places. False: others have it too, or may:
 * whose files are hidden is not the only one with several addresses. */
static bool take_address(const struct rows *rows, bool all, struct listener *listener)
{
    const struct tcp_row *best = NULL;
    int best_rank = -1;
    bool alone = true, v6 = false;

    for (size_t i = 0; i < rows->n; i++) {
        const struct tcp_row *row = &rows->list[i].at;
        if (row->local_port != listener->port)
            continue;
        alone &= all ? best == NULL || is_like(best, row) : rows->list[i].own;
        if (!all && !rows->list[i].own)
            continue;
        listener->full |= row->rx_queue > 0;
        int rank = is_any(row) ? 2 : is_loopback(row) ? 0 : 1;
        v6 |= row->size == 16;
        if (rank > best_rank) {
            best = row;
            best_rank = rank;
        }
    }
    listener->v4_only = !v6;
    listener->loopback = best_rank == 0;
    listener->address[0] = '\0';
    if (best != NULL && best_rank < 2)
        inet_ntop(best->size == 4 ? AF_INET : AF_INET6, best->local, listener->address,
                  sizeof listener->address);
    return alone;
}

static int of_server(const char *procfs, const struct container *c, const struct process *server,
                     enum network network, bool only, uint16_t wanted, struct rows *rows,
                     struct listener *ret)
{
    CLOSE_FD int process = proc_process_open(procfs, server->pid);
    int r = process < 0 ? process : read_rows(process, rows);
    if (r < 0)
        return r;
    int hidden = mark_own(process, rows);
    if (hidden == -ESRCH || hidden == -E2BIG)
        return hidden;
    bool all = hidden < 0;
    if (all && (network == NETWORK_SHARED || (network == NETWORK_JOINED && has_several(c, rows))))
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
    bool known = alone && (!all || (only && !has_several(c, rows)));
    ret->server = known ? server->pid : FACT_NONE;
    return 0;
}

/* No server is seen; who listens on the port may be asked all the same. */
static int of_nobody(const char *procfs, const struct container *c, enum network network,
                     uint16_t wanted, struct rows *rows, struct listener *ret)
{
    int hidden = 0;
    bool listens = false;
    CLOSE_FD int process = proc_process_open(procfs, c->pid);
    int r = process < 0 ? process : read_rows(process, rows);
    if (r < 0)
        return r;
    for (size_t i = 0; i < rows->n; i++)
        listens |= rows->list[i].at.local_port == wanted;
    if (!listens)
        return -ESRCH;
    for (size_t i = 0; network != NETWORK_OWN && i < c->n_processes; i++) {
        CLOSE_FD int other = proc_process_open(procfs, c->processes[i].pid);
        r = other < 0 ? other : mark_own(other, rows);
        if (r == -E2BIG)
            return r;
        if (r < 0 && r != -ESRCH)
            hidden = r == -EPERM ? -EACCES : r;
    }
    *ret = (struct listener){.server = FACT_NONE, .port = wanted};
    bool alone = take_address(rows, network == NETWORK_OWN, ret);
    return alone ? 0 : hidden ? hidden : -EPERM;
}

bool listener_only(const struct container *container)
{
    size_t alike = 0;
    for (size_t i = 0; i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        alike += p->kind == PROCESS_SERVE && p->state != 'Z' && p->state != 'X';
    }
    return alike == 1;
}

int listener_find(const char *procfs, const struct container *container, enum network network,
                  uint16_t wanted, struct listener *ret_listener)
{
    struct rows *rows = calloc(1, sizeof *rows);
    size_t servers = 0;
    int best_rank = -1, result = -ENOENT;
    bool only = listener_only(container);
    int64_t best_started_us = 0;

    if (rows == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < container->n_processes; i++)
        servers += container_server(container, &container->processes[i]);
    if (servers > SERVERS_MAX)
        result = -E2BIG;
    for (size_t i = 0; servers <= SERVERS_MAX && i < container->n_processes; i++) {
        const struct process *p = &container->processes[i];
        struct listener found;
        if (!container_server(container, p))
            continue;
        int r = of_server(procfs, container, p, network, only, wanted, rows, &found);
        if (r == -E2BIG) {
            result = r;
            break;
        }
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
