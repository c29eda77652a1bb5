/* What a probe runs in: the image of the container that this program runs in, else an empty one,
 * into which the program's own file and the libraries that it has loaded are bound, read-only. */
#include "deploy/probe_private.h"
#include "sense/json_member.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char bound_program[] = "/supervisor";

/* The container that this process runs in, by the files that engines mount into each: "…/containers
 * /ID/hostname /etc/hostname". "": none, or none of an engine's. */
static void own_container(char id[CONTAINER_ID_SIZE])
{
    static const char marker[] = "/containers/";
    char line[4096];
    id[0] = '\0';
    FILE *file = fopen("/proc/self/mountinfo", "re");
    while (file && !id[0] && fgets(line, sizeof line, file)) {
        const char *at = strstr(line, marker);
        if (!at || !strstr(line, " /etc/hostname "))
            continue;
        at += sizeof marker - 1;
        if (strspn(at, "0123456789abcdef") == CONTAINER_ID_SIZE - 1)
            snprintf(id, CONTAINER_ID_SIZE, "%s", at);
    }
    if (file)
        fclose(file);
}

static bool find_own(struct probe *probe)
{
    char id[CONTAINER_ID_SIZE];
    CLEANUP_JSON json_t *container = NULL;
    own_container(id);
    if (!id[0] || await_json(probe->await, DOCKER_CONTAINER, id, &container, NULL) < 0)
        return false;
    const char *name = member_string(container, "Image");
    if (name)
        snprintf(probe->image.name, sizeof probe->image.name, "%s", name);
    return name != NULL;
}

static void bind_file(json_t *mounts, const char *source, const char *target)
{
    json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:b}", "Type", "bind", "Source",
                                            source, "Target", target, "ReadOnly", 1));
}

/* What is loaded: libraries and their loader have a path; the program itself and the kernel's own
 * have none. */
static int on_object(struct dl_phdr_info *info, size_t size, void *userdata)
{
    (void)size;
    if (info->dlpi_name[0] == '/')
        bind_file(userdata, info->dlpi_name, info->dlpi_name);
    return 0;
}

int probe_image_find(struct probe *probe, struct error *err)
{
    char *program = probe->image.program;
    ssize_t length = readlink("/proc/self/exe", program, sizeof probe->image.program - 1);
    if (length < 0)
        return error_set(err, FAILURE_JOB, -errno, "/proc/self/exe: %s", strerror(errno));
    program[length] = '\0';
    if (find_own(probe))
        return 0;
    probe->image.mounts = json_array();
    bind_file(probe->image.mounts, program, bound_program);
    dl_iterate_phdr(on_object, probe->image.mounts);
    if (access("/etc/ld.so.cache", R_OK) == 0) /* where libraries are beside the usual places */
        bind_file(probe->image.mounts, "/etc/ld.so.cache", "/etc/ld.so.cache");
    snprintf(program, sizeof probe->image.program, "%s", bound_program);
    snprintf(probe->image.name, sizeof probe->image.name, PROBE_EMPTY);
    int result = await_call(probe->await, docker_import_empty, PROBE_EMPTY, err);
    return result < 0 ? error_wrap(err, "importing an empty image") : 0;
}

int probe_image_remove(struct probe *probe, struct error *err)
{
    json_decref(probe->image.mounts);
    probe->image.mounts = NULL;
    return await_call(probe->await, docker_image_remove, PROBE_EMPTY, err);
}
