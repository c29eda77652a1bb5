#include "sense/listener.h"
#include "sense/proc_file.h"
#include "sense/process_parse.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
    SOCKETS_MAX = 16, /* on one port: an address each, or one a worker; more are not looked for */
    FILES_MAX = 65536 /* of all its processes; who has more is not searched to the end */
};

struct search {
    uint16_t port;
    int64_t inodes[SOCKETS_MAX]; /* that are not found yet */
    size_t n;
    size_t files;
};

static int take_row(struct text line, void *userdata)
{
    struct search *search = userdata;
    struct tcp_row row;
    int64_t inode;

    if (!tcp_row_parse(line, &row) || row.local_port != search->port ||
        row.state != TCP_LISTEN_STATE)
        return 0;
    if (!tcp_row_inode(line, &inode))
        return -EIO;
    if (search->n == SOCKETS_MAX)
        return -E2BIG;
    search->inodes[search->n++] = inode;
    return 0;
}

static void strike_out(struct search *search, const char *link)
{
    struct text text = text_of(link, strlen(link));
    int64_t inode;

    if (!text_take(&text, "socket:[") || !text_number(&text, &inode))
        return;
    for (size_t i = 0; i < search->n; i++)
        if (search->inodes[i] == inode)
            search->inodes[i--] = search->inodes[--search->n];
}

static int search_files(int process, struct search *search)
{
    CLOSE_LIST DIR *list = proc_list(process, "fd");
    const struct dirent *entry;
    char link[64];

    if (list == NULL)
        return errno == ENOENT ? 0 : -errno;
    while (search->n > 0 && search->files < FILES_MAX && (entry = readdir(list)) != NULL) {
        ssize_t n = readlinkat(dirfd(list), entry->d_name, link, sizeof link - 1);
        search->files++;
        link[n > 0 ? n : 0] = '\0';
        strike_out(search, link);
    }
    return 0;
}

int listener_own(const char *procfs, const int64_t *pids, size_t n_pids, uint16_t port)
{
    struct search search = {.port = port};
    int hidden = 0;

    CLOSE_FD int main = n_pids > 0 ? proc_process_open(procfs, pids[0]) : -ESRCH;
    if (main < 0)
        return main == -ENOENT ? -ESRCH : main;
    int r = tcp_rows(main, take_row, &search);
    if (r < 0)
        return r;
    if (search.n == 0)
        return -ENOENT;
    for (size_t i = 0; i < n_pids && search.n > 0; i++) {
        CLOSE_FD int process = proc_process_open(procfs, pids[i]);
        r = process < 0 ? process : search_files(process, &search);
        if (r < 0 && r != -ESRCH)
            hidden = r;
    }
    return search.n == 0 ? 0 : hidden ? hidden : -EPERM;
}
