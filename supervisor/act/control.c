#include "act/control.h"

#include <errno.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usual_mount[] = "/sys/fs/cgroup",
                  version_2_mark[] = "/sys/fs/cgroup/cgroup.controllers";

/* libcgroup keeps one table of mounts for the process and does not promise to bear two threads. */
static pthread_mutex_t library = PTHREAD_MUTEX_INITIALIZER;

static bool by_library(const char *relative, const char *name, const char *value)
{
    static bool tried, usable;
    bool written = false;

    pthread_mutex_lock(&library);
    if (!tried)
        usable = cgroup_init() == 0;
    tried = true;
    struct cgroup *group = usable ? cgroup_new_cgroup(relative) : NULL;
    char controller_name[16]; /* "memory" of "memory.high" */
    snprintf(controller_name, sizeof controller_name, "%.*s", (int)strcspn(name, "."), name);
    struct cgroup_controller *controller =
        group ? cgroup_add_controller(group, controller_name) : NULL;
    if (controller && cgroup_add_value_string(controller, name, value) == 0)
        written = cgroup_modify_cgroup(group) == 0;
    if (group)
        cgroup_free(&group);
    pthread_mutex_unlock(&library);
    return written;
}

static int plainly(const char *directory, const char *name, const char *value, struct error *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return error_set(err, FAILURE_JOB, -ENAMETOOLONG, "%.300s: the path is too long",
                         directory);
    /* Newer kernels then leave the reclaim that the value calls for to the container itself. */
    int file = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | O_NONBLOCK);
    int code = 0;
    if (file < 0 || dprintf(file, "%s\n", value) < 0) /* one write, as a shell does it */
        code = -errno;
    if (file >= 0)
        close(file);
    if (code < 0)
        return error_set(err, FAILURE_JOB, code, "%s cannot be written (%s)%s", path,
                         strerror(-code), code == -EROFS ? ": mount it writable" : "");
    return 0;
}

int control_write(const char *cgroupfs, const char *directory, const char *name, const char *value,
                  struct error *err)
{
    size_t length = sizeof usual_mount - 1;
    /* On version 1 the library puts the hierarchy before the path by itself, and not always the
     * one that was found. */
    bool usual = !strcmp(cgroupfs, usual_mount) && !strncmp(directory, usual_mount, length) &&
                 directory[length] == '/' && access(version_2_mark, F_OK) == 0;
    if (usual && by_library(directory + length + 1, name, value))
        return 0;
    return plainly(directory, name, value, err);
}
