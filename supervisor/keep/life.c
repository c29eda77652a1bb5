/* The place of locks that all supervisors of a host share: made, and believed only where nobody
 * without root's rights could hold or replace anything in it. And locks that were left behind. */
#include "keep/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SWEEP_MAX = 4096 }; /* files looked at in one go: as many as containers */

static bool is_trusted(const struct stat *st, mode_t type, mode_t others_may_not)
{
    return (st->st_mode & S_IFMT) == type && (st->st_mode & others_may_not) == 0 &&
           (st->st_uid == 0 || st->st_uid == geteuid());
}

static int not_believed(struct error *err, int code, const char *path, const char *why)
{
    return error_set(err, FAILURE_UNREACHABLE, code,
                     "there is no place for locks that all supervisors of this host share: %s %s",
                     path, why);
}

int keep_believe_state(const char *directory, const char *locks, struct error *err)
{
    struct stat st;
    bool taken = stat(directory, &st) == 0 &&
                 is_trusted(&st, S_IFDIR, st.st_mode & S_ISVTX ? 0 : 022) &&
                 lstat(locks, &st) == 0 && is_trusted(&st, S_IFDIR, 022);
    return taken ? 0
                 : error_set(err, FAILURE_UNREACHABLE, -EPERM,
                             "others than root could take the locks in the state directory %s: "
                             "give it to root (chown -R root, chmod -R go-w)",
                             directory);
}

/* Others may look into it, but put nothing there. */
static int take_directory(const char *path, bool make, struct error *err)
{
    struct stat st;
    int r = lstat(path, &st);
    if (r < 0 && errno == ENOENT && make && (mkdir(path, 0700) == 0 || errno == EEXIST))
        r = lstat(path, &st);
    if (r < 0)
        return not_believed(err, -errno, path, strerror(errno));
    if (!is_trusted(&st, S_IFDIR, 022))
        return not_believed(err, -EPERM, path, "can be written by others than root");
    return 0;
}

int keep_life_directory(const char *run, char locks[PATH_MAX], struct error *err)
{
    struct statfs fs;
    int r = take_directory(run, false, err);
    snprintf(locks, PATH_MAX, "%s/supervisor", run);
    if (r == 0)
        r = take_directory(locks, true, err);
    snprintf(locks, PATH_MAX, "%s/supervisor/locks", run);
    if (r == 0)
        r = take_directory(locks, true, err);
    /* What lies in a container's own layers is shared with nobody. */
    if (r == 0 && statfs(locks, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC)
        r = not_believed(err, -EXDEV, locks, "is this container's own; bind the host's");
    return r;
}

bool keep_is_ours_alone(const char *path)
{
    struct stat st;
    return lstat(path, &st) < 0 ? errno == ENOENT : is_trusted(&st, S_IFREG, 077);
}

void keep_sweep_locks(const char *directory)
{
    DIR *dir = opendir(directory);
    struct dirent *entry;
    for (int n = 0; dir && n < SWEEP_MAX && (entry = readdir(dir)); n++) {
        char path[PATH_MAX];
        size_t length = strlen(entry->d_name);
        if (length < sizeof ".lock" || strcmp(entry->d_name + length + 1 - sizeof ".lock", ".lock"))
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        KEEP_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && keep_still_named(fd, path))
            unlink(path);
    }
    if (dir)
        closedir(dir);
}
