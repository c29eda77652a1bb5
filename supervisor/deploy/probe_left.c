/* Who tests, and what earlier tests left behind. */
#include "base/clock.h"
#include "deploy/probe_private.h"
#include "sense/json_member.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const double removing_s = 60; /* deleting a layer, on a slow disk */
static const int64_t removing_look_ms = 200;

/* One test at a time on an engine. The lock is an abstract socket, named by the inode of the
 * engine's: it goes with the process, however that ends. (Such names belong to a network namespace;
 * the supervisor's own container shares the host's.) */
static int take_lock(struct probe *probe, const char *docker_host, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[sizeof address.sun_path];
    struct stat info = {0};
    int result = http_unix_path(docker_host, path, sizeof path, err);
    if (result < 0)
        return result;
    if (stat(path, &info) < 0)
        return error_set(err, FAILURE_UNREACHABLE, -errno, "%s: %s", path, strerror(errno));
    int length = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, PROBE_IMAGE "-%jx-%jx",
                          (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    probe->lock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    if (probe->lock >= 0 && bind(probe->lock, (const struct sockaddr *)&address, size) == 0)
        return 0;
    result = -errno;
    if (result == -EADDRINUSE)
        return error_set(err, FAILURE_JOB, -EBUSY,
                         "another `supervisor test` is under way on the engine at %s: two at once "
                         "would take the memory from each other; wait for its end",
                         path);
    return error_set(err, FAILURE_JOB, result, "cannot begin a test: %s", strerror(-result));
}

int probe_container_remove(struct probe *probe, const char *name, struct error *err)
{
    double end_s = clock_boottime_s() + removing_s;
    int result; /* as long as another removal is under way it has its memory */
    while ((result = await_call(probe->await, docker_remove, name, err)) == -EALREADY &&
           clock_boottime_s() < end_s && await_sleep(probe->await, removing_look_ms) == 0)
        ;
    return result == -ENOENT ? 0 : result;
}

/* One of the list: taken away where it is a test's, whose process is gone. */
static int look_at(struct probe *probe, const json_t *container, probe_left *left, void *userdata,
                   struct error *err)
{
    const char *name = json_string_value(json_array_get(json_object_get(container, "Names"), 0)),
               *token = member_string(json_object_get(container, "Labels"), PROBE_LABEL);
    name += name && name[0] == '/';
    if (!token || !name || strncmp(name, PROBE_IMAGE "-", sizeof PROBE_IMAGE) != 0)
        return 0;
    int result = probe_container_remove(probe, name, err);
    if (result == 0) {
        char text[256];
        snprintf(text, sizeof text, "the container %.100s of an earlier test is taken away", name);
        left(userdata, text);
    }
    return result;
}

int probe_begin(struct probe *probe, struct await *await, const struct settings *settings,
                fact reserve, probe_left *left, void *userdata, struct error *err)
{
    CLEANUP_JSON json_t *list = NULL;
    *probe = (struct probe){.await = await,
                            .docker_label = settings->docker_label,
                            .procfs = settings->procfs,
                            .reserve = reserve,
                            .lock = -1};
    int result = take_lock(probe, settings->docker_host, err);
    if (result == 0)
        result = await_json(await, DOCKER_LIST, "", &list, err);
    size_t i;
    json_t *container;
    json_array_foreach(list, i, container)
    {
        if (result == 0)
            result = look_at(probe, container, left, userdata, err);
    }
    if (result < 0)
        return result;
    result = probe_image_remove(probe, err);
    if (result == 0)
        left(userdata, "the image " PROBE_EMPTY " of an earlier test is taken away");
    if (result < 0 && result != -ENOENT)
        return result;
    if (await_token(probe->token) < 0)
        return error_set(err, FAILURE_JOB, -EIO, "cannot begin a test: no random number");
    return 0;
}

int probe_finish(struct probe *probe, struct error *err)
{
    int result = probe->image.mounts ? probe_image_remove(probe, err) : 0;
    if (result == -ENOENT)
        result = 0;
    if (result < 0)
        error_wrap(err, "the image " PROBE_EMPTY
                        " may be left behind, the next `supervisor test` takes it away");
    if (probe->lock >= 0)
        close(probe->lock);
    probe->lock = -1;
    return result;
}
