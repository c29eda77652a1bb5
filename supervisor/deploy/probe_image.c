/* The image of a probe: one that is there and has this program in it, else one made of the
 * program's own file and its libraries. */
#include "base/tar.h"
#include "deploy/await_private.h"
#include "deploy/probe_private.h"
#include "sense/json_member.h"

#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARCHIVE_MAX = 256 * 1024 * 1024, PATHS_MAX = 64 * 1024 };

/* ---- one that is there */

/* The program that the image starts; false if it is not told. */
static bool take_image(struct probe *probe, const json_t *image, const char *name)
{
    const json_t *entry = json_object_get(json_object_get(image, "Config"), "Entrypoint");
    const char *program = json_string_value(json_array_get(entry, 0));
    if (!program || program[0] != '/')
        return false;
    snprintf(probe->image.name, sizeof probe->image.name, "%s", name);
    snprintf(probe->image.program, sizeof probe->image.program, "%s", program);
    return true;
}

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
    CLEANUP_JSON json_t *container = NULL, *image = NULL;
    own_container(id);
    if (!id[0] || await_inspect(probe->await, id, &container, NULL) < 0)
        return false;
    const char *name = member_string(container, "Image");
    return name && await_image(probe->await, name, &image, NULL) == 0 &&
           take_image(probe, image, name);
}

/* Whether the image is of this version. What it has in it may still be another build: probe.c
 * notices by what it says. */
static bool find_packaged(struct probe *probe)
{
    static const char name[] = "supervisor:latest";
    CLEANUP_JSON json_t *image = NULL;
    if (await_image(probe->await, name, &image, NULL) < 0)
        return false;
    const json_t *labels = json_object_get(json_object_get(image, "Config"), "Labels");
    const char *version = member_string(labels, "supervisor.version");
    return version && strcmp(version, SUPERVISOR_VERSION) == 0 && take_image(probe, image, name);
}

/* ---- one of the program's own */

struct libraries {
    struct buffer *archive;
    struct buffer *paths;   /* what is in it: "\nPATH\nPATH\n"; engines take nothing twice */
    char directories[2048]; /* of the libraries, for the loader: "/lib/x:/usr/lib/x" */
    char name[256];         /* of the last one */
};

/* Whether list has it between two separators; an empty list begins with one. */
static bool listed(const char *list, char separator, const char *path, size_t length)
{
    for (const char *at = strchr(list, separator); at; at = strchr(at + 1, separator))
        if (strncmp(at + 1, path, length) == 0 && at[1 + length] == separator)
            return true;
    return false;
}

/* 1: it is in the archive already. */
static int list_path(struct libraries *all, const char *path, size_t length)
{
    int result = all->paths->length == 0 ? buffer_append(all->paths, "\n", 1) : 0;
    if (result == 0 && listed(buffer_text(all->paths), '\n', path, length))
        return 1;
    if (result == 0)
        result = buffer_append(all->paths, path, length);
    return result == 0 ? buffer_append(all->paths, "\n", 1) : result;
}

static int add_directories(struct libraries *all, const char *path)
{
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        size_t length = (size_t)(slash - path);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)length, path);
        int result = list_path(all, path, length);
        if (result == 0)
            result = tar_directory(all->archive, name, 0755);
        if (result < 0)
            return result;
    }
    return 0;
}

static int add_directory_to_search(struct libraries *all, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = (size_t)(slash - path), used = strlen(all->directories);
    if (length == 0 || used + length + 2 > sizeof all->directories)
        return -ENAMETOOLONG;
    if (used == 0)
        all->directories[used++] = ':';
    if (listed(all->directories, ':', path, length))
        return 0;
    snprintf(all->directories + used, sizeof all->directories - used, "%.*s:", (int)length, path);
    return 0;
}

static int add_library(struct libraries *all, const char *path)
{
    int length = snprintf(all->name, sizeof all->name, "%s", path);
    if (length < 0 || (size_t)length >= sizeof all->name)
        return -ENAMETOOLONG;
    int result = list_path(all, path, (size_t)length);
    if (result != 0) /* the loader is listed twice */
        return result < 0 ? result : 0;
    result = add_directory_to_search(all, path);
    if (result == 0)
        result = add_directories(all, path);
    return result == 0 ? tar_file(all->archive, path, 0755, path) : result;
}

/* What is loaded, and who loaded it (PT_INTERP; loaded too, but under another name at times). */
static int on_object(struct dl_phdr_info *info, size_t size, void *userdata)
{
    struct libraries *all = userdata;
    (void)size;
    if (info->dlpi_name[0] == '/')
        return add_library(all, info->dlpi_name);
    for (size_t i = 0; info->dlpi_name[0] == '\0' && i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_INTERP)
            return add_library(all, (const char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr));
    return 0;
}

static int archive_self(struct libraries *all, struct error *err)
{
    snprintf(all->name, sizeof all->name, "/proc/self/exe");
    int result = tar_file(all->archive, "supervisor", 0755, all->name);
    if (result == 0)
        result = dl_iterate_phdr(on_object, all);
    if (result == 0)
        result = tar_end(all->archive);
    if (result < 0)
        return error_set(err, FAILURE_JOB, result, "no image can be made of this program: %s: %s",
                         all->name, strerror(-result));
    return 0;
}

/* FNV-1a: names the content; nobody is kept out by it. */
static uint64_t sum_of(const char *bytes, size_t length)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return sum;
}

static void on_imported(void *userdata, int result, const struct error *err)
{
    answer_take(userdata, result, err);
}

static int import(struct probe *probe, const struct libraries *all, const char *tag,
                  struct error *err)
{
    char path[sizeof all->directories + 32];
    size_t length = strlen(all->directories); /* ":/lib/x:/usr/lib/x:"; an empty entry is "here" */
    snprintf(path, sizeof path, "ENV LD_LIBRARY_PATH=%.*s", length > 2 ? (int)length - 2 : 0,
             all->directories + (length > 0));
    const char *changes[] = {"ENTRYPOINT [\"/supervisor\"]", "LABEL " PROBE_LABEL "=image", path,
                             NULL};
    struct answer answer = {.err = err};
    docker_import(probe->await->docker, PROBE_IMAGE, tag, all->archive->data, all->archive->length,
                  changes, on_imported, &answer);
    return await_answer(probe->await, &answer);
}

int probe_image_import(struct probe *probe, struct error *err)
{
    CLEANUP_BUFFER struct buffer archive, paths;
    buffer_init(&archive, ARCHIVE_MAX);
    buffer_init(&paths, PATHS_MAX);
    struct libraries all = {.archive = &archive, .paths = &paths};
    char tag[64];
    int result = archive_self(&all, err);
    if (result < 0)
        return result;
    snprintf(tag, sizeof tag, "%.32s-%016" PRIx64, SUPERVISOR_VERSION,
             sum_of(archive.data, archive.length));
    snprintf(probe->image.name, sizeof probe->image.name, PROBE_IMAGE ":%s", tag);
    snprintf(probe->image.program, sizeof probe->image.program, "/supervisor");
    probe->imported = true; /* also if its answer is lost */
    result = import(probe, &all, tag, err);
    return result < 0 ? error_wrap(err, "importing an image of this program") : 0;
}

int probe_image_find(struct probe *probe, struct error *err)
{
    if (find_own(probe) || find_packaged(probe))
        return 0;
    return probe_image_import(probe, err);
}

static void on_images(void *userdata, int result, const json_t *json, const struct error *err)
{
    struct answer *answer = userdata;
    answer_take(answer, result, err);
    if (result == 0)
        *answer->ret_json = json_deep_copy(json);
}

static int remove_image(struct probe *probe, const char *name, struct error *err)
{
    struct answer answer = {.err = err};
    docker_image_remove(probe->await->docker, name, on_imported, &answer);
    int result = await_answer(probe->await, &answer);
    return result == -ENOENT ? 0 : result;
}

int probe_images_remove(struct probe *probe, probe_left *left, void *userdata, struct error *err)
{
    CLEANUP_JSON json_t *images = NULL;
    struct answer answer = {.err = err, .ret_json = &images};
    docker_images_json(probe->await->docker, PROBE_LABEL, on_images, &answer);
    int result = await_answer(probe->await, &answer);
    size_t i;
    json_t *image;
    json_array_foreach(images, i, image)
    {
        const char *name = json_string_value(json_array_get(json_object_get(image, "RepoTags"), 0));
        if (!name || strncmp(name, PROBE_IMAGE ":", sizeof PROBE_IMAGE) != 0)
            name = member_string(image, "Id");
        if (!name)
            continue;
        int removed = remove_image(probe, name, err);
        if (removed == 0 && left) {
            char text[400];
            snprintf(text, sizeof text, "the image %.200s of an earlier test is taken away", name);
            left(userdata, text);
        }
        result = removed < 0 ? removed : result;
    }
    return result;
}
