#include "sense/cgroup_find.h"
#include "sense/cgroup_parse.h"
#include "sense/proc_file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ID_LENGTH = 64 };

static bool valid_id(const char *id)
{
    return strspn(id, "0123456789abcdef") == ID_LENGTH && id[ID_LENGTH] == '\0';
}

/* The hierarchy that has the memory controller. 0; -ENOENT; -EACCES; -ENAMETOOLONG. */
static int find_hierarchy(const char *root, struct cgroup_place *place)
{
    const char *below = "";

    CLOSE_FD int fd = proc_directory_open(AT_FDCWD, root);
    if (fd < 0)
        return fd;
    if (proc_file_exists(root, "cgroup.controllers"))
        place->version = 2;
    else if (proc_file_exists(root, "memory"))
        place->version = 1, below = "/memory";
    else if (proc_file_exists(root, "unified/cgroup.controllers"))
        place->version = 2, below = "/unified";
    else
        return -ENOENT;
    int n = snprintf(place->hierarchy, sizeof place->hierarchy, "%s%s", root, below);
    return n < 0 || (size_t)n >= sizeof place->hierarchy ? -ENAMETOOLONG : 0;
}

struct search {
    const char *id; /* NULL: all of them are noted */
    struct cgroup_ids *ids;
    int64_t pid;
    int directories;
    bool found;      /* a directory carries the id */
    bool other_pids; /* its cgroup.procs has 0: processes that this namespace does not show */
    int refused;     /* -EACCES or such, 0 */
    char relative[PATH_MAX]; /* the directory that is looked at, or was refused */
};

/* The one that is looked for ends it; 0 as a pid is another namespace's. */
static int compare_pid(int64_t pid, void *userdata)
{
    struct search *s = userdata;
    s->other_pids |= pid == 0;
    return pid == s->pid ? -ECANCELED : 0;
}

/* The directory of s->relative carries the id: is it the one? true ends the search. */
static bool confirm(int hierarchy, struct search *s)
{
    CLOSE_FD int fd = proc_directory_open(hierarchy, s->relative);
    int r = fd < 0 ? fd : s->pid <= 0 ? -ECANCELED : cgroup_each_pid(fd, compare_pid, s);

    if (r == -ENOENT || r == -ENODEV || r == -ENOTDIR)
        return false;
    s->found = true;
    if (r < 0 && r != -ECANCELED)
        s->refused = r;
    return r == -ECANCELED;
}

/* The first 64 hexadecimal digits in the name, if it has them. */
static void note_id(struct cgroup_ids *ids, const char *name)
{
    for (size_t n; *name; name += n ? n : 1) {
        n = strspn(name, "0123456789abcdef");
        if (n != ID_LENGTH)
            continue;
        if (ids->n == ids->room && ids->room < CGROUP_IDS_MAX) {
            size_t room = ids->room ? 2 * ids->room : 64;
            void *grown = realloc(ids->list, room * sizeof *ids->list);
            if (grown)
                ids->list = grown, ids->room = room;
        }
        if (ids->n < ids->room)
            snprintf(ids->list[ids->n++], sizeof *ids->list, "%.64s", name);
        return;
    }
}

/* true if the id was found at s->relative + "/" + name or below. */
static bool walk(int hierarchy, int parent, const char *name, size_t length, int depth,
                 struct search *s)
{
    CLOSE_LIST DIR *children = proc_list(parent, name);
    const struct dirent *entry;
    bool done = false;

    if (children == NULL) {
        if (errno == EACCES || errno == EPERM)
            s->refused = -errno;
        return false;
    }
    while (!done && (entry = readdir(children)) != NULL) {
        if (entry->d_name[0] == '.' || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        int n = snprintf(s->relative + length, sizeof s->relative - length, "%s%s",
                         length > 0 ? "/" : "", entry->d_name);
        if (n < 0 || (size_t)n >= sizeof s->relative - length)
            continue;
        if (s->id == NULL) {
            note_id(s->ids, entry->d_name);
        } else if (strstr(entry->d_name, s->id) != NULL && confirm(hierarchy, s)) {
            done = true;
            break;
        }
        if (depth > 1 && ++s->directories < CGROUP_DIRECTORIES_MAX)
            done =
                walk(hierarchy, dirfd(children), entry->d_name, length + (size_t)n, depth - 1, s);
    }
    if (!done)
        s->relative[length] = '\0';
    return done;
}

/* Where Docker puts it by its two drivers, then everywhere. */
static bool search(int hierarchy, struct search *s)
{
    snprintf(s->relative, sizeof s->relative, "docker/%s", s->id);
    if (confirm(hierarchy, s))
        return true;
    snprintf(s->relative, sizeof s->relative, "system.slice/docker-%s.scope", s->id);
    if (confirm(hierarchy, s))
        return true;
    s->relative[0] = '\0';
    return walk(hierarchy, hierarchy, ".", 0, CGROUP_DEPTH_MAX, s);
}

/* crun with systemd puts processes and limits one level deeper, into "container". */
static void descend(int hierarchy, int version, struct search *s)
{
    static const char *const limits[] = {"memory.limit_in_bytes", "memory.max"};
    char buffer[64];
    struct text text;
    size_t length = strlen(s->relative);

    CLOSE_FD int above = proc_directory_open(hierarchy, s->relative);
    CLOSE_FD int below = proc_directory_open(above, "container");
    if (above < 0 || below < 0 ||
        proc_file_read_at(above, limits[version == 2], buffer, sizeof buffer, &text) < 0 ||
        cgroup_parse_limit(text) != FACT_NONE)
        return;
    if (s->pid > 0 && cgroup_each_pid(below, compare_pid, s) == -ECANCELED)
        snprintf(s->relative + length, sizeof s->relative - length, "/container");
}

static int refuse(struct error *err, int code, const char *root, const struct cgroup_place *place,
                  const struct search *s)
{
    const char *hierarchy = place->version != 0 ? place->hierarchy : root;
    char why[320];

    if (place->version == 0 && code == -ENOENT)
        return error_set(err, FAILURE_UNREACHABLE, code,
                         "%s is no mounted cgroup hierarchy: mount the host's /sys/fs/cgroup and "
                         "name it as cgroupfs in [paths]",
                         root);
    if (code == -ENOENT)
        return error_set(err, FAILURE_UNREACHABLE, code,
                         "no cgroup of container %.12s under %s: mount the host's /sys/fs/cgroup "
                         "and name it as cgroupfs in [paths]",
                         s->id, hierarchy);
    if (code == -EACCES || code == -EPERM)
        snprintf(why, sizeof why, "may not be read (%s): run as root", strerror(-code));
    else if (code == -ESRCH)
        snprintf(why, sizeof why,
                 s->other_pids ? "lists processes of another pid namespace, and not %lld: run with "
                                 "pid: host"
                               : "does not list its main process %lld: it has just ended, or "
                                 "another pid namespace is meant",
                 (long long)s->pid);
    else
        snprintf(why, sizeof why, "cannot be read: %s%s", strerror(-code),
                 code == -EMFILE ? "; raise the limit of open files (ulimit -n)" : "");
    return error_set(err, FAILURE_UNREACHABLE, code == -EPERM ? -EACCES : code,
                     "the cgroup of container %.12s under %s %s", s->id, hierarchy, why);
}

int cgroup_find(const char *root, const char *id, int64_t pid, struct cgroup_place *ret_place,
                struct error *err)
{
    struct cgroup_place place = {0};
    struct search s = {.id = id, .pid = pid};

    if (!valid_id(id))
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.80s\" is not a container's id of 64 hexadecimal digits", id);
    int r = find_hierarchy(root, &place);
    if (r < 0)
        return refuse(err, r, root, &place, &s);
    CLOSE_FD int hierarchy = proc_directory_open(AT_FDCWD, place.hierarchy);
    if (hierarchy < 0)
        return refuse(err, hierarchy, root, &place, &s);
    if (!search(hierarchy, &s))
        return refuse(err,
                      s.refused < 0 ? s.refused
                      : s.found     ? -ESRCH
                                    : -ENOENT,
                      root, &place, &s);
    descend(hierarchy, place.version, &s);
    memcpy(place.relative, s.relative, sizeof place.relative);
    *ret_place = place;
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(a, b);
}

void cgroup_ids_read(const char *root, struct cgroup_ids *ids)
{
    struct cgroup_place place = {0};
    struct search s = {.ids = ids};

    ids->n = 0;
    if (find_hierarchy(root, &place) < 0)
        return;
    CLOSE_FD int hierarchy = proc_directory_open(AT_FDCWD, place.hierarchy);
    if (hierarchy >= 0)
        walk(hierarchy, hierarchy, ".", 0, CGROUP_DEPTH_MAX, &s);
    if (ids->n > 0)
        qsort(ids->list, ids->n, sizeof *ids->list, by_id);
}

bool cgroup_ids_have(const struct cgroup_ids *ids, const char *id)
{
    return ids->n > 0 && bsearch(id, ids->list, ids->n, sizeof *ids->list, by_id) != NULL;
}

void cgroup_ids_clear(struct cgroup_ids *ids)
{
    free(ids->list);
    *ids = (struct cgroup_ids){0};
}
