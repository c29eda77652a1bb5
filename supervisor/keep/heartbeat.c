#include "keep/heartbeat.h"
#include "base/clock.h"
#include "base/size.h"
#include "keep/private.h"
#include "sense/json_member.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Always as long: written again it needs no new room, and nothing of the old is left. */
    HEARTBEAT_BYTES = 512,
    FORGETS_BYTES = 200, /* of the sentence */
    READ_RETRIES = 5,    /* a beat may be written while it is read */
    READ_PAUSE_US = 2000,
};

/* Not at every look: each one dirties a page, which the kernel writes to the disk within half a
 * minute; and at 20 µs a second it would take a fiftieth of what an idle daemon may use. */
static const double beat_every_s = 5;
/* A look may be late by a commit (2 s at most) or on a machine that swaps; after three beats that
 * did not come nobody looks. */
static const double beats_missed = 3;
/* Two processes may read the clock in another order than they write and read the file. */
static const double clock_slack_s = 1;

struct heartbeat {
    int fd;
    char path[PATH_MAX];
    char forgets[FORGETS_BYTES]; /* why it does; "" */
    char boot_id[40];
    double started_s, looked_s, interval_s, beaten_s;
    json_int_t beats;
};

/* Locked by the open file, which ends with the process; it can be asked without locking. */
static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static int write_beat(struct heartbeat *h, const char *state)
{
    char text[HEARTBEAT_BYTES];
    size_t room = sizeof text - 1;
    memset(text, ' ', room);
    text[room] = '\n';
    h->beats++;
    /* The same number first and last: a reader that meets a half written one knows. */
    json_t *beat =
        json_pack("{sI ss si ss sf so* sf ss* sI}", "beat", h->beats, "state", state, "pid",
                  (int)getpid(), "boot_id", h->boot_id, "started", h->started_s, "looked",
                  h->looked_s >= 0 ? json_real(h->looked_s) : NULL, "interval", h->interval_s,
                  "forgets", h->forgets[0] ? h->forgets : NULL, "again", h->beats);
    size_t n = json_dumpb(beat, text, room, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(beat);
    if (n == 0 || n > room)
        return -EMSGSIZE;
    ssize_t written = pwrite(h->fd, text, sizeof text, 0);
    return written == sizeof text ? 0 : written < 0 ? -errno : -ENOSPC;
}

/* The file, ours as long as this process lives. */
static int begin_file(struct heartbeat *h)
{
    struct flock lock = whole_file(F_WRLCK);
    int fd = open(h->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        int r = -errno;
        keep_close_fd(&fd);
        return r;
    }
    keep_close_fd(&h->fd);
    h->fd = fd;
    return 0;
}

int heartbeat_open(const char *directory, const char *procfs, double interval_s,
                   struct heartbeat **ret_heartbeat, struct error *err)
{
    struct heartbeat *h = calloc(1, sizeof *h);
    if (!h)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory is left for the heartbeat");
    int n = snprintf(h->path, sizeof h->path, "%s/heartbeat", directory);
    clock_boot_id(procfs, h->boot_id, sizeof h->boot_id);
    h->started_s = h->beaten_s = clock_boottime_s();
    h->looked_s = -1;
    h->interval_s = interval_s;
    h->fd = -1;
    int r = n < (int)sizeof h->path ? begin_file(h) : -ENAMETOOLONG;
    if (r == 0)
        r = write_beat(h, "running");
    if (r == 0) {
        *ret_heartbeat = h;
        return 0;
    }
    keep_close_fd(&h->fd);
    free(h);
    return error_set(err, FAILURE_JOB, r, "cannot write the heartbeat in %s: %s", directory,
                     error_of_file(-r));
}

bool heartbeat_due(const struct heartbeat *h, double now_s, double interval_s)
{
    return h &&
           (h->looked_s < 0 || h->interval_s != interval_s || now_s >= h->beaten_s + beat_every_s);
}

int heartbeat_beat(struct heartbeat *h, double now_s, double interval_s)
{
    if (h == NULL)
        return 0;
    bool due = heartbeat_due(h, now_s, interval_s);
    h->looked_s = now_s;
    h->interval_s = interval_s;
    if (!due)
        return 0;
    h->beaten_s = now_s;
    if (!keep_still_named(h->fd, h->path)) /* its directory went away, or another was put there */
        begin_file(h);
    return write_beat(h, "running");
}

void heartbeat_forgets(struct heartbeat *h, const char *why)
{
    if (h == NULL)
        return;
    text_copy(h->forgets, sizeof h->forgets, why);
    if (write_beat(h, "running") != -EMSGSIZE)
        return;
    text_copy(h->forgets, sizeof h->forgets, "its state cannot be kept");
    write_beat(h, "running");
}

void heartbeat_close(struct heartbeat *h)
{
    if (h == NULL)
        return;
    write_beat(h, "ended");
    close(h->fd);
    free(h);
}

/* The file's object, whole; NULL. */
static json_t *read_beat(int fd)
{
    for (int i = 0; i < READ_RETRIES; i++) {
        char text[HEARTBEAT_BYTES];
        ssize_t n = pread(fd, text, sizeof text, 0);
        json_t *beat = n > 0 ? json_loadb(text, (size_t)n, 0, NULL) : NULL;
        const json_t *first = json_object_get(beat, "beat"), *last = json_object_get(beat, "again");
        if (json_is_integer(first) && json_is_integer(last) &&
            json_integer_value(first) == json_integer_value(last))
            return beat;
        json_decref(beat);
        usleep(READ_PAUSE_US);
    }
    return NULL;
}

static double number(const json_t *beat, const char *name)
{
    const json_t *value = json_object_get(beat, name);
    return json_is_number(value) ? json_number_value(value) : -1;
}

static void __attribute__((format(printf, 2, 3))) say(struct heartbeat_seen *seen,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(seen->why, sizeof seen->why, format, arguments);
    va_end(arguments);
}

static void judge_beat(const json_t *beat, const char *procfs, double now_s,
                       struct heartbeat_seen *seen)
{
    const json_t *pid = json_object_get(beat, "pid");
    double looked_s = number(beat, "looked"), started_s = number(beat, "started");
    double last_s = looked_s >= 0 ? looked_s : started_s;
    char boot_id[40];
    const char *its_boot = member_string_or(beat, "boot_id", "");
    const char *forgets = member_string_or(beat, "forgets", "");

    seen->pid = json_is_integer(pid) ? json_integer_value(pid) : FACT_UNKNOWN;
    long long shown = (long long)seen->pid;
    seen->interval_s = number(beat, "interval");
    seen->bound_s =
        beats_missed * (seen->interval_s > beat_every_s ? seen->interval_s : beat_every_s);
    clock_boot_id(procfs, boot_id, sizeof boot_id);
    if (boot_id[0] != '\0' && its_boot[0] != '\0' && strcmp(boot_id, its_boot) != 0) {
        say(seen, "no supervisor runs: the last one (pid %lld) was of an earlier boot", shown);
        return;
    }
    seen->age_s = now_s > last_s ? now_s - last_s : 0;
    if (strcmp(member_string_or(beat, "state", ""), "running") != 0)
        say(seen, "no supervisor runs: the last one (pid %lld) was ended", shown);
    else if (!seen->alive)
        say(seen, "no supervisor runs: the last one (pid %lld) died; its last look was %s ago",
            shown, SHOWN_S(seen->age_s));
    else if (last_s > now_s + clock_slack_s)
        say(seen,
            "the supervisor's last look (pid %lld) lies in the future: its clock since boot is "
            "another one (a time namespace)",
            shown);
    else if (seen->age_s >= seen->bound_s)
        say(seen, "the supervisor (pid %lld) hangs: its last look was %s ago; it looks every %s",
            shown, SHOWN_S(seen->age_s), SHOWN_S(seen->interval_s));
    else if (looked_s < 0)
        say(seen,
            "the supervisor (pid %lld) started %s ago and has not looked yet: the engine has not "
            "answered",
            shown, SHOWN_S(seen->age_s));
    else if (forgets[0] != '\0') {
        seen->forgets = true;
        say(seen, "the supervisor (pid %lld) looks, but does nothing that must be remembered: %s",
            shown, forgets);
    }
    seen->fresh = seen->why[0] == '\0';
}

void heartbeat_see(const char *directory, const char *procfs, double now_s,
                   struct heartbeat_seen *ret_seen)
{
    char path[PATH_MAX];
    struct stat status;

    *ret_seen =
        (struct heartbeat_seen){.pid = FACT_UNKNOWN, .age_s = -1, .interval_s = -1, .bound_s = -1};
    if (snprintf(path, sizeof path, "%s/heartbeat", directory) >= (int)sizeof path) {
        say(ret_seen, "the state directory's name is too long");
        return;
    }
    KEEP_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        int code = errno;
        ret_seen->missing = code == ENOENT || code == ENOTDIR;
        if (ret_seen->missing && stat(directory, &status) < 0)
            say(ret_seen, "no supervisor runs: there is no state directory %.200s", directory);
        else if (ret_seen->missing)
            say(ret_seen, "no supervisor has run with the state directory %.200s", directory);
        else
            say(ret_seen, "%.200s/heartbeat cannot be read: %s", directory, error_of_file(code));
        return;
    }
    struct flock lock = whole_file(F_WRLCK);
    ret_seen->alive = fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
    json_t *beat = read_beat(fd);
    if (beat == NULL)
        say(ret_seen, "%.200s/heartbeat is not a heartbeat", directory);
    else
        judge_beat(beat, procfs, now_s, ret_seen);
    json_decref(beat);
}
