#include "sense/cgroup_find.h"
#include "sense/proc_file.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

struct walk {
    cgroup_take_pid *take;
    void *userdata;
    int directories;
};

static int take_line(struct text line, void *userdata)
{
    struct walk *walk = userdata;
    int64_t pid;

    if (!text_number(&line, &pid) || line.at != line.end)
        return -EIO;
    return walk->take(pid, walk->userdata);
}

static bool ended(int r)
{
    return r == -ENOENT || r == -ENODEV;
}

static int look_into(int directory, int depth, struct walk *walk);

/* The children of the directory. One that ends meanwhile took its processes along. */
static int look_into_children(int directory, int depth, struct walk *walk)
{
    CLOSE_LIST DIR *children = proc_list(directory, ".");
    int r = -errno;

    while (r == 0) {
        errno = 0;
        const struct dirent *entry = readdir(children);
        if (entry == NULL) {
            r = -errno;
            break;
        }
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        CLOSE_FD int child = proc_directory_open(dirfd(children), entry->d_name);
        if (child == -ENOTDIR)
            continue;
        r = child < 0 ? child : look_into(child, depth - 1, walk);
        if (ended(r))
            r = 0;
    }
    return r;
}

static int look_into(int directory, int depth, struct walk *walk)
{
    struct stat st;

    if (++walk->directories > CGROUP_DIRECTORIES_MAX)
        return -E2BIG;
    int r = proc_file_lines(directory, "cgroup.procs", take_line, walk);
    if (r == -EOPNOTSUPP) /* a threaded child: its processes stand in the one above */
        r = 0;
    if (r < 0)
        return r;
    /* Without children there are two links (kernfs keeps count): that saves the listing. */
    if (fstat(directory, &st) == 0 && st.st_nlink == 2)
        return 0;
    return depth > 0 ? look_into_children(directory, depth, walk) : 0;
}

int cgroup_each_pid(int directory, cgroup_take_pid *take, void *userdata)
{
    struct walk walk = {take, userdata, 0};
    return look_into(directory, CGROUP_DEPTH_MAX, &walk);
}

struct pids {
    int64_t *list;
    size_t n, max;
};

static int add(int64_t pid, void *userdata)
{
    struct pids *pids = userdata;

    if (pids->n == pids->max)
        return -E2BIG;
    pids->list[pids->n++] = pid;
    return 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int cgroup_procs(int directory, int64_t *pids, size_t max)
{
    struct pids all = {pids, 0, max};
    size_t n = 0;
    int r = cgroup_each_pid(directory, add, &all);

    if (r < 0)
        return r;
    /* Version 1 may name one twice, and one that moved between two reads is in both. */
    if (all.n > 1)
        qsort(pids, all.n, sizeof *pids, compare);
    for (size_t i = 0; i < all.n; i++)
        if (n == 0 || pids[i] != pids[n - 1])
            pids[n++] = pids[i];
    return (int)n;
}
