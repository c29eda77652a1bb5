/* One line each: NAME IMAGE. */
#include "sense/adopted.h"
#include "base/grow.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX = ADOPTED_MAX * 2 * CONTAINER_NAME_SIZE };

static void path_of(const char *directory, const char *name, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", directory, name);
}

/* Letters of names and repositories, of which the engine has these alone. */
static bool is_word(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:");
    return n > 0 && !text[n] && n < CONTAINER_NAME_SIZE;
}

void image_repository(const char *image, char text[CONTAINER_NAME_SIZE])
{
    snprintf(text, CONTAINER_NAME_SIZE, "%.*s", (int)strcspn(image, "@"), image);
    char *last = strrchr(text, '/'), *tag = strchr(last ? last : text, ':');
    if (tag)
        *tag = '\0';
}

void adopted_clear(struct adopted *adopted)
{
    free(adopted->all);
    *adopted = (struct adopted){0};
}

bool adopted_remove(struct adopted *adopted, const char *name)
{
    for (size_t i = 0; i < adopted->n; i++)
        if (!strcmp(adopted->all[i].name, name)) {
            memmove(adopted->all + i, adopted->all + i + 1,
                    (--adopted->n - i) * sizeof *adopted->all);
            return true;
        }
    return false;
}

int adopted_add(struct adopted *adopted, const char *name, const char *image)
{
    char repository[CONTAINER_NAME_SIZE];
    image_repository(image, repository);
    if (!is_word(name) || !is_word(repository) || !strcmp(repository, "sha256"))
        return -EINVAL;
    adopted_remove(adopted, name);
    struct adopted_one *one = array_more(&adopted->all, &adopted->n, ADOPTED_MAX, sizeof *one);
    if (!one)
        return -ENOSPC;
    snprintf(one->name, sizeof one->name, "%s", name);
    memcpy(one->image, repository, sizeof one->image);
    return 0;
}

enum adoption adopted_has(const struct adopted *adopted, const char *name, const char *image)
{
    char repository[CONTAINER_NAME_SIZE];
    if (adopted->unreadable)
        return ADOPTION_UNKNOWN;
    image_repository(image, repository);
    for (size_t i = 0; i < adopted->n; i++)
        if (!strcmp(adopted->all[i].name, name))
            return strcmp(adopted->all[i].image, repository) ? ADOPTION_NONE : ADOPTION_YES;
    return ADOPTION_NONE;
}

/* ---- the file */

/* All of its text, which must be whole lines. */
static int take(struct adopted *adopted, char *text)
{
    for (char *at = text, *line; *at && (line = strsep(&at, "\n"));) {
        char *image = line;
        const char *name = strsep(&image, " ");
        if (!at || !image || adopted_add(adopted, name, image) < 0)
            return -EINVAL;
    }
    return 0;
}

static int read_file(struct adopted *adopted, int fd)
{
    if (fstat(fd, &adopted->seen) < 0)
        return -errno;
    const struct stat *s = &adopted->seen;
    if (!S_ISREG(s->st_mode) || (s->st_uid != 0 && s->st_uid != geteuid()) ||
        (s->st_mode & (S_IWGRP | S_IWOTH)))
        return -EPERM;
    if (s->st_size > FILE_MAX)
        return -EFBIG;
    char *text = calloc(1, (size_t)s->st_size + 1);
    if (!text)
        return -ENOMEM;
    ssize_t n = pread(fd, text, (size_t)s->st_size, 0);
    int r = n < 0 ? -errno : strlen(text) != (size_t)s->st_size ? -EINVAL : take(adopted, text);
    free(text);
    return r;
}

/* 0 where there is none. */
static int read_anew(struct adopted *adopted, const char *path)
{
    adopted_clear(adopted);
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == ENOENT)
        return 0;
    int r = fd < 0 ? -errno : read_file(adopted, fd);
    if (fd >= 0)
        close(fd);
    if (r < 0) {
        free(adopted->all);
        adopted->all = NULL;
        adopted->n = 0;
        adopted->unreadable = true;
    }
    return r;
}

bool adopted_refresh(struct adopted *adopted, const char *directory)
{
    char path[PATH_MAX];
    struct stat now = {0};
    path_of(directory, "adopted", path);
    if (lstat(path, &now) < 0)
        memset(&now, 0, sizeof now);
    const struct stat *seen = &adopted->seen;
    if (now.st_ino == seen->st_ino && now.st_dev == seen->st_dev && now.st_size == seen->st_size &&
        now.st_ctim.tv_sec == seen->st_ctim.tv_sec && now.st_ctim.tv_nsec == seen->st_ctim.tv_nsec)
        return false;
    read_anew(adopted, path);
    adopted->seen = now; /* one that cannot be opened is asked again when it has changed */
    return true;
}

int adopted_read(struct adopted *adopted, const char *directory, struct error *err)
{
    char path[PATH_MAX];
    path_of(directory, "adopted", path);
    int r = read_anew(adopted, path);
    return r == 0 ? 0 : error_set(err, FAILURE_JOB, r, "cannot read %s: %s", path, strerror(-r));
}

bool adopted_stands(const char *directory, const struct adopted_one *one)
{
    struct adopted now = {0};
    adopted_read(&now, directory, NULL);
    bool stands = adopted_has(&now, one->name, one->image) == ADOPTION_YES;
    adopted_clear(&now);
    return stands;
}

static int write_lines(const struct adopted *adopted, const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int r = fd < 0 ? -errno : 0;
    for (size_t i = 0; r == 0 && i < adopted->n; i++)
        if (dprintf(fd, "%s %s\n", adopted->all[i].name, adopted->all[i].image) < 0)
            r = -errno;
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (fd >= 0 && close(fd) < 0 && r == 0)
        r = -errno;
    return r;
}

int adopted_write(const struct adopted *adopted, const char *directory, struct error *err)
{
    char path[PATH_MAX], half[PATH_MAX];
    path_of(directory, "adopted", path);
    path_of(directory, "adopted.new", half);
    int r = write_lines(adopted, half);
    if (r == 0 && rename(half, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(half);
    int fd = r == 0 ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    if (r == 0)
        return 0;
    return error_set(err, FAILURE_JOB, r, "cannot write %s: %s", path, strerror(-r));
}
