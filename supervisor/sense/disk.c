#include "sense/disk.h"
#include "sense/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>

static const char models_directory[] = "/root/.ollama/models"; /* of the image */

struct mount {
    int64_t id;
    char device[24], point[512]; /* "8:1" */
};

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime …"; the mount point as it stands there, blanks as \040. */
static bool parse_mount(struct text line, struct mount *ret_mount)
{
    struct text parent, device, root, point;
    if (!text_number(&line, &ret_mount->id) || !text_word(&line, &parent) ||
        !text_word(&line, &device) || !text_word(&line, &root) || !text_word(&line, &point) ||
        text_left(&device) >= sizeof ret_mount->device ||
        text_left(&point) >= sizeof ret_mount->point)
        return false;
    snprintf(ret_mount->device, sizeof ret_mount->device, "%.*s", (int)text_left(&device),
             device.at);
    snprintf(ret_mount->point, sizeof ret_mount->point, "%.*s", (int)text_left(&point), point.at);
    return true;
}

/* ---- where the models lie */

struct search {
    const char *path; /* NULL: the server's home is not known */
    struct mount best;
};

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), n = strlen(end);
    return length >= n && strcmp(text + length - n, end) == 0;
}

static bool below(const char *path, const char *point)
{
    size_t n = strlen(point);
    return strcmp(point, "/") == 0 ||
           (strncmp(path, point, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

/* The last one of the longest: it hides the others. */
static int take_mount(struct text line, void *userdata)
{
    struct search *search = userdata;
    struct mount m;
    if (!parse_mount(line, &m))
        return 0;
    bool has =
        below(search->path ? search->path : models_directory, m.point) ||
        (!search->path && (ends_in(m.point, "/.ollama") || ends_in(m.point, "/.ollama/models")));
    if (has && strlen(m.point) >= strlen(search->best.point))
        search->best = m;
    return 0;
}

/* ---- the same file system, as we have it */

struct ours {
    const char *device;
    fact available;
};

static fact available(const struct statvfs *info)
{
    return (fact)info->f_bavail * (fact)info->f_frsize;
}

/* Whether a descriptor lies on that mount: another one may hide it. */
static bool lies_on(int fd, int64_t id)
{
    char path[64], buffer[512];
    struct text text, line;
    int64_t number;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    if (proc_file_read_at(AT_FDCWD, path, buffer, sizeof buffer, &text) < 0)
        return false;
    while (text_line(&text, &line))
        if (text_take(&line, "mnt_id:") && text_number(&line, &number))
            return number == id;
    return false;
}

static int take_ours(struct text line, void *userdata)
{
    struct ours *ours = userdata;
    struct statvfs info;
    struct mount m;
    if (!parse_mount(line, &m) || strcmp(m.device, ours->device) != 0)
        return 0;
    CLOSE_FD int fd = open(m.point, O_PATH | O_CLOEXEC);
    if (fd < 0 || !lies_on(fd, m.id) || fstatvfs(fd, &info) < 0)
        return 0;
    ours->available = available(&info);
    return -EALREADY; /* that is all */
}

int disk_free_of_models(const char *procfs, int64_t pid, const char *models, fact *ret_available)
{
    char path[1024];
    struct statvfs info;
    struct search search = {.path = models && models[0] == '/' ? models : NULL};
    snprintf(path, sizeof path, "%s/%lld/mountinfo", procfs, (long long)pid);
    int r = proc_file_lines(AT_FDCWD, path, take_mount, &search);
    if (r < 0)
        return r;
    *ret_available = FACT_UNKNOWN;
    if (!search.best.point[0])
        return -ENXIO;
    snprintf(path, sizeof path, "%s/%lld/root%s", procfs, (long long)pid, search.best.point);
    if (statvfs(path, &info) == 0) {
        *ret_available = available(&info);
        return 0;
    }
    struct ours ours = {search.best.device, FACT_UNKNOWN};
    proc_file_lines(AT_FDCWD, "/proc/self/mountinfo", take_ours, &ours);
    *ret_available = ours.available;
    return fact_known(ours.available) ? 0 : -ENXIO;
}
