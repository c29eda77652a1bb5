/* Locks by flock: the kernel drops them with the process, whatever it died of. The file's content
 * is only the holder's pid, for people and messages. */
#include "keep/private.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PID_BYTES = 12,       /* "%11d\n": always as long, so that writing it again takes no new room */
    RETRY_MS = 10,        /* between two looks at a lock that is waited for */
    REPLACED_RETRIES = 8, /* each means that a holder took its file away in that very moment */
};

static const char life_run[] = "/run";

struct keep_lock {
    int fd;
    bool remove;            /* the file goes with the lock */
    struct keep_lock *life; /* the host's, which goes with it; NULL: it cannot be had */
    char path[PATH_MAX];
};

void keep_close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static int make_directory(const char *directory, struct error *err)
{
    if (mkdir(directory, 0700) == 0 || errno == EEXIST)
        return 0;
    return error_set(err, FAILURE_UNREACHABLE, -errno, "cannot make the state directory %s: %s",
                     directory, error_of_file(errno));
}

int keep_make_directories(const char *directory, char locks[PATH_MAX], struct error *err)
{
    int r = make_directory(directory, err);
    if (r < 0)
        return r;
    snprintf(locks, PATH_MAX, "%s/locks", directory);
    r = make_directory(locks, err);
    return r < 0 ? r : keep_believe_state(directory, locks, err);
}

/* The pid in a lock's file if such a process lives. */
static fact read_holder(int fd)
{
    char text[PID_BYTES + 1] = "";
    if (pread(fd, text, PID_BYTES, 0) != PID_BYTES)
        return FACT_UNKNOWN;
    long pid = strtol(text, NULL, 10);
    if (pid <= 0 || pid > INT32_MAX || (kill((pid_t)pid, 0) < 0 && errno == ESRCH))
        return FACT_UNKNOWN;
    return pid;
}

/* On a disk so full that this fails the lock is good without it. */
static void write_holder(int fd)
{
    char text[PID_BYTES + 1];
    snprintf(text, sizeof text, "%11d\n", (int)getpid());
    if (pwrite(fd, text, PID_BYTES, 0) != PID_BYTES && ftruncate(fd, 0) < 0)
        return;
}

bool keep_still_named(int fd, const char *path)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && lstat(path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

int keep_lock_file(const char *path, int wait_ms, int *ret_fd, fact *ret_holder)
{
    for (int replaced = 0; replaced < REPLACED_RETRIES;) {
        KEEP_FD fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (!keep_still_named(fd, path)) {
                replaced++;
                continue;
            }
            write_holder(fd);
            *ret_fd = fd;
            fd = -1;
            return 0;
        }
        if (errno != EWOULDBLOCK)
            return -errno;
        if (wait_ms <= 0) {
            *ret_holder = read_holder(fd);
            return -EWOULDBLOCK;
        }
        usleep(RETRY_MS * 1000);
        wait_ms -= RETRY_MS;
    }
    *ret_holder = FACT_UNKNOWN;
    return -EWOULDBLOCK;
}

int keep_take_lock(const char *directory, const char *name, bool remove, int wait_ms,
                   const char *what, struct keep_lock **ret_lock, fact *ret_holder,
                   struct error *err)
{
    struct keep_lock *lock = calloc(1, sizeof *lock);
    if (!lock)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left for a lock");
    fact holder = FACT_UNKNOWN;
    int n = snprintf(lock->path, sizeof lock->path, "%s/%s", directory, name);
    int r = n < (int)sizeof lock->path ? keep_lock_file(lock->path, wait_ms, &lock->fd, &holder)
                                       : -ENAMETOOLONG;
    if (r == 0) {
        lock->remove = remove;
        *ret_lock = lock;
        return 0;
    }
    free(lock);
    if (r != -EWOULDBLOCK)
        return error_set(err, FAILURE_UNREACHABLE, r, "cannot lock %s/%s: %s", directory, name,
                         error_of_file(-r));
    if (ret_holder)
        *ret_holder = holder;
    if (!fact_known(holder))
        return error_set(err, FAILURE_JOB, r, "%s another supervisor", what);
    return error_set(err, FAILURE_JOB, r, "%s another supervisor (pid %lld)", what,
                     (long long)holder);
}

int keep_lock_daemon(const char *directory, struct keep_lock **ret_lock, fact *ret_holder,
                     struct error *err)
{
    char locks[PATH_MAX], what[512];
    int r = keep_make_directories(directory, locks, err);
    if (r < 0)
        return r;
    snprintf(what, sizeof what, "the state directory %s is in use by", directory);
    keep_sweep_locks(locks);
    if (keep_life_directory(life_run, locks, NULL) == 0)
        keep_sweep_locks(locks);
    return keep_take_lock(directory, "supervisor.lock", false, 0, what, ret_lock, ret_holder, err);
}

int keep_lock_daemon_again(const char *directory, struct keep_lock *lock, struct error *err)
{
    struct keep_lock *anew = NULL;
    if (keep_lock_holds(lock))
        return 0;
    int r = keep_lock_daemon(directory, &anew, NULL, err);
    if (!anew)
        return r;
    close(lock->fd);
    *lock = *anew;
    free(anew);
    return 0;
}

/* Lower case only, as the engine writes it: one container, one file. */
static int check_id(const char *id, struct error *err)
{
    if (strspn(id, "0123456789abcdef") == CONTAINER_ID_SIZE - 1 && !id[CONTAINER_ID_SIZE - 1])
        return 0;
    return error_set(err, FAILURE_USAGE, -EINVAL,
                     "\"%.80s\" is not a container's id; 64 lower-case hexadecimal digits are", id);
}

/* What is locked: a container by its id, or a name. */
struct locked {
    char file[CONTAINER_NAME_SIZE + sizeof "name-.lock"];            /* in the state directory */
    char shared[CONTAINER_NAME_SIZE + sizeof "name--01234567.lock"]; /* among all on the host */
    char what[CONTAINER_NAME_SIZE + 64]; /* begins the sentence about who has it */
};

static int of_container(const char *id, struct locked *ret, struct error *err)
{
    snprintf(ret->file, sizeof ret->file, "%.64s.lock", id);
    memcpy(ret->shared, ret->file, sizeof ret->file);
    snprintf(ret->what, sizeof ret->what, "container %.12s is being worked on by", id);
    return check_id(id, err);
}

/* directory: the state directory; for the one that is shared, /run. */
static int take(const char *directory, bool shared, const struct locked *locked,
                struct keep_lock **ret_lock, fact *ret_holder, struct error *err)
{
    char locks[PATH_MAX], path[PATH_MAX + sizeof locked->shared];
    const char *file = shared ? locked->shared : locked->file;
    int r = shared ? keep_life_directory(directory, locks, err)
                   : keep_make_directories(directory, locks, err);
    if (r < 0)
        return r;
    snprintf(path, sizeof path, "%s/%s", locks, file);
    if (shared && !keep_is_ours_alone(path))
        return error_set(err, FAILURE_UNREACHABLE, -EPERM,
                         "%s is not believed: others than root could hold it", path);
    return keep_take_lock(locks, file, true, 0, locked->what, ret_lock, ret_holder, err);
}

static int take_both(const char *directory, const struct locked *locked,
                     struct keep_lock **ret_lock, fact *ret_holder, struct error *err)
{
    struct keep_lock *lock = NULL;
    int r = take(directory, false, locked, &lock, ret_holder, err);
    if (!lock)
        return r;
    r = take(life_run, true, locked, &lock->life, ret_holder, err);
    if (r == -EWOULDBLOCK) {
        keep_unlock(lock);
        return r;
    }
    *ret_lock = lock;
    return 0;
}

int keep_lock_one(const char *directory, bool shared, const char *id, struct keep_lock **ret_lock,
                  fact *ret_holder, struct error *err)
{
    struct locked locked;
    int r = of_container(id, &locked, err);
    return r < 0 ? r : take(directory, shared, &locked, ret_lock, ret_holder, err);
}

int keep_life_place(struct error *err)
{
    static const struct locked locked = {"place.lock", "place.lock", "it is tried by"};
    struct keep_lock *lock = NULL;
    int r = take(life_run, true, &locked, &lock, NULL, err);
    keep_unlock(lock);
    return r == -EWOULDBLOCK ? 0 : r; /* another one tries it just now */
}

int keep_lock_container(const char *directory, const char *id, struct keep_lock **ret_lock,
                        fact *ret_holder, struct error *err)
{
    struct locked locked;
    int r = of_container(id, &locked, err);
    return r < 0 ? r : take_both(directory, &locked, ret_lock, ret_holder, err);
}

/* FNV-1a; two engines may each have a container of that name. */
static uint32_t engine_number(const char *engine)
{
    uint32_t number = 2166136261u;
    for (; *engine; engine++)
        number = (number ^ (unsigned char)*engine) * 16777619u;
    return number;
}

int keep_lock_name(const char *directory, const char *engine, const char *name,
                   struct keep_lock **ret_lock, fact *ret_holder, struct error *err)
{
    struct locked locked = {.file = ""};
    if (!name[0] || strchr(name, '/') || strlen(name) >= CONTAINER_NAME_SIZE)
        return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.80s\" is no container's name", name);
    snprintf(locked.file, sizeof locked.file, "name-%s.lock", name);
    snprintf(locked.what, sizeof locked.what, "the container %s is being made by", name);
    snprintf(locked.shared, sizeof locked.shared, "name-%s-%08x.lock", name, engine_number(engine));
    return take_both(directory, &locked, ret_lock, ret_holder, err);
}

int keep_lock_memory(const char *directory, struct keep_lock **ret_lock, fact *ret_holder,
                     struct error *err)
{
    static const struct locked locked = {"memory.lock", "memory.lock",
                                         "the host's memory is being given out by"};
    return take_both(directory, &locked, ret_lock, ret_holder, err);
}

int keep_lock_adoptions(const char *directory, struct keep_lock **ret_lock, struct error *err)
{
    enum { WAIT_MS = 5000 };
    char locks[PATH_MAX];
    int r = keep_make_directories(directory, locks, err);
    return r < 0 ? r
                 : keep_take_lock(locks, "adopted.lock", true, WAIT_MS,
                                  "who is adopted is being changed by", ret_lock, NULL, err);
}

void keep_unlock(struct keep_lock *lock)
{
    if (!lock)
        return;
    keep_unlock(lock->life);
    if (lock->remove && keep_still_named(lock->fd, lock->path))
        unlink(lock->path); /* while it is locked: whoever opened it meanwhile finds it replaced */
    close(lock->fd);
    free(lock);
}

bool keep_lock_holds(const struct keep_lock *lock)
{
    return keep_still_named(lock->fd, lock->path) && (!lock->life || keep_lock_holds(lock->life));
}
