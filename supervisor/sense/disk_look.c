/* A look at a disk that may hang, by a process of its own: a thread that waits for a disk could not
 * be ended, nor could we. */
#include "sense/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LEAVING_MAX = 16 }; /* that were killed, and do not go */
static pid_t leaving[LEAVING_MAX];

struct answer {
    int result;
    fact available;
};

struct disk_look {
    pid_t child;
    int fd; /* from which its answer comes, in one piece */
};

/* A place for one more; NULL: there is none. */
static pid_t *reap(void)
{
    pid_t *place = NULL;
    for (size_t i = 0; i < LEAVING_MAX; i++) {
        if (leaving[i] && waitpid(leaving[i], NULL, WNOHANG) != 0)
            leaving[i] = 0;
        if (!leaving[i])
            place = &leaving[i];
    }
    return place;
}

/* Without our locks and sockets, which would outlive us with it. */
static void be_child(int fd, const char *procfs, int64_t pid, const char *models)
    __attribute__((noreturn));

static void be_child(int fd, const char *procfs, int64_t pid, const char *models)
{
    struct answer answer = {.available = FACT_UNKNOWN};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(fd, STDIN_FILENO) < 0 || close_range(1, ~0u, 0) < 0)
        _exit(1);
    answer.result = disk_free_of_models(procfs, pid, models, &answer.available);
    _exit(write(STDIN_FILENO, &answer, sizeof answer) == sizeof answer ? 0 : 1);
}

int disk_look_begin(const char *procfs, int64_t pid, const char *models,
                    struct disk_look **ret_look)
{
    int ends[2];
    sigset_t all, before;
    if (!reap())
        return -EBUSY;
    struct disk_look *look = calloc(1, sizeof *look);
    if (!look)
        return -ENOMEM;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        free(look);
        return -errno;
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* our handlers are not the child's */
    look->child = fork();
    if (look->child == 0)
        be_child(ends[1], procfs, pid, models);
    int r = look->child < 0 ? -errno : 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    look->fd = ends[0];
    if (r < 0) {
        close(look->fd);
        free(look);
        return r;
    }
    *ret_look = look;
    return 0;
}

int disk_look_result(const struct disk_look *look, fact *ret_available)
{
    struct answer answer;
    ssize_t n = read(look->fd, &answer, sizeof answer);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -errno;
    if (n != sizeof answer)
        return -EIO;
    *ret_available = answer.available;
    return answer.result;
}

void disk_look_end(struct disk_look *look)
{
    if (!look)
        return;
    pid_t *place = reap();
    kill(look->child, SIGKILL);
    if (waitpid(look->child, NULL, WNOHANG) == 0 && place)
        *place = look->child;
    close(look->fd);
    free(look);
}
