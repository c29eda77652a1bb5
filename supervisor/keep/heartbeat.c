#include "keep/heartbeat.h"
#include "base/clock.h"
#include "base/size.h"
#include "keep/private.h"
#include "sense/json_member.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    /* Always as long: written again it needs no new room, and nothing of the old is left. */
    HEARTBEAT_BYTES = 512,
    FORGETS_BYTES = 200, /* of the sentence; with its escapes it has room for 300 */
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
    char forgets[300]; /* the member as it is written; "" */
    char boot_id[40];
    double started_s, looked_s, interval_s, beaten_s;
    unsigned long long beats;
};

/* Locked by the open file, which ends with the process; it can be asked without locking. */
static struct flock whole_file(short type)
{
    return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static int write_beat(struct heartbeat *h, const char *state)
{
    char text[HEARTBEAT_BYTES + 1], looked[48] = "";

    h->beats++;
    if (h->looked_s >= 0)
        snprintf(looked, sizeof looked, ",\"looked\":%.3f", h->looked_s);
    /* The same number first and last: a reader that meets a half written one knows. */
    int n = snprintf(text, sizeof text,
                     "{\"beat\":%llu,\"state\":\"%s\",\"pid\":%d,\"boot_id\":\"%s\","
                     "\"started\":%.3f%s,\"interval\":%.3f%s,\"again\":%llu}",
                     h->beats, state, (int)getpid(), h->boot_id, h->started_s, looked,
                     h->interval_s, h->forgets, h->beats);
    if (n < 0 || n >= HEARTBEAT_BYTES)
        return -EMSGSIZE;
    memset(text + n, ' ', (size_t)(HEARTBEAT_BYTES - n));
    text[HEARTBEAT_BYTES - 1] = '\n';
    ssize_t written = pwrite(h->fd, text, HEARTBEAT_BYTES, 0);
    return written == HEARTBEAT_BYTES ? 0 : written < 0 ? -errno : -ENOSPC;
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
    int r = h == NULL ? -ENOMEM : 0;

    if (r == 0 &&
        snprintf(h->path, sizeof h->path, "%s/heartbeat", directory) >= (int)sizeof h->path)
        r = -ENAMETOOLONG;
    if (r == 0) {
        h->fd = -1;
        r = begin_file(h);
    }
    if (r == 0) {
        clock_boot_id(procfs, h->boot_id, sizeof h->boot_id);
        h->started_s = h->beaten_s = clock_boottime_s();
        h->looked_s = -1;
        h->interval_s = interval_s;
        r = write_beat(h, "running");
        if (r < 0)
            close(h->fd);
    }
    if (r < 0) {
        free(h);
        return error_set(err, FAILURE_JOB, r, "cannot write the heartbeat in %s: %s", directory,
                         strerror(-r));
    }
    *ret_heartbeat = h;
    return 0;
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
    char text[FORGETS_BYTES];
    if (h == NULL)
        return;
    keep_text(text, sizeof text, why);
    json_t *string = json_string(text);
    char *escaped = json_dumps(string, JSON_ENCODE_ANY);
    int n = snprintf(h->forgets, sizeof h->forgets, ",\"forgets\":%s",
                     escaped ? escaped : "\"its state\"");
    if (why[0] == '\0')
        h->forgets[0] = '\0';
    else if (n >= (int)sizeof h->forgets)
        snprintf(h->forgets, sizeof h->forgets, ",\"forgets\":\"its state cannot be kept\"");
    free(escaped);
    json_decref(string);
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

static void judge_beat(const json_t *beat, const char *procfs, double now_s,
                       struct heartbeat_seen *seen)
{
    const json_t *pid = json_object_get(beat, "pid");
    double looked_s = number(beat, "looked"), started_s = number(beat, "started");
    double last_s = looked_s >= 0 ? looked_s : started_s;
    char boot_id[40], age[32], interval[32];

    seen->pid = json_is_integer(pid) ? json_integer_value(pid) : FACT_UNKNOWN;
    seen->interval_s = number(beat, "interval");
    seen->bound_s =
        beats_missed * (seen->interval_s > beat_every_s ? seen->interval_s : beat_every_s);
    clock_boot_id(procfs, boot_id, sizeof boot_id);
    const char *its_boot = member_string_or(beat, "boot_id", "");
    if (boot_id[0] != '\0' && its_boot[0] != '\0' && strcmp(boot_id, its_boot) != 0) {
        snprintf(seen->why, sizeof seen->why,
                 "no supervisor runs: the last one (pid %lld) was of an earlier boot",
                 (long long)seen->pid);
        return;
    }
    seen->age_s = now_s > last_s ? now_s - last_s : 0;
    duration_format(seen->age_s, age, sizeof age);
    if (strcmp(member_string_or(beat, "state", ""), "running") != 0)
        snprintf(seen->why, sizeof seen->why,
                 "no supervisor runs: the last one (pid %lld) was ended", (long long)seen->pid);
    else if (!seen->alive)
        snprintf(seen->why, sizeof seen->why,
                 "no supervisor runs: the last one (pid %lld) died; its last look was %s ago",
                 (long long)seen->pid, age);
    else if (last_s > now_s + clock_slack_s)
        snprintf(seen->why, sizeof seen->why,
                 "the supervisor's last look (pid %lld) lies in the future: its clock since boot "
                 "is another one (a time namespace)",
                 (long long)seen->pid);
    else if (seen->age_s >= seen->bound_s)
        snprintf(seen->why, sizeof seen->why,
                 "the supervisor (pid %lld) hangs: its last look was "
                 "%s ago; it looks every %s",
                 (long long)seen->pid, age,
                 duration_format(seen->interval_s, interval, sizeof interval));
    else if (looked_s < 0)
        snprintf(seen->why, sizeof seen->why,
                 "the supervisor (pid %lld) started %s ago and has not looked yet: the engine has "
                 "not answered",
                 (long long)seen->pid, age);
    else if (member_string_or(beat, "forgets", "")[0] != '\0') {
        seen->forgets = true;
        snprintf(seen->why, sizeof seen->why,
                 "the supervisor (pid %lld) looks, but does nothing that must be remembered: %s",
                 (long long)seen->pid, member_string_or(beat, "forgets", ""));
    } else
        seen->fresh = true;
}

void heartbeat_see(const char *directory, const char *procfs, double now_s,
                   struct heartbeat_seen *ret_seen)
{
    struct heartbeat_seen seen = {
        .pid = FACT_UNKNOWN, .age_s = -1, .interval_s = -1, .bound_s = -1};
    char path[PATH_MAX];
    struct stat status;

    *ret_seen = seen;
    if (snprintf(path, sizeof path, "%s/heartbeat", directory) >= (int)sizeof path) {
        snprintf(ret_seen->why, sizeof ret_seen->why, "the state directory's name is too long");
        return;
    }
    KEEP_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        int code = errno;
        seen.missing = code == ENOENT || code == ENOTDIR;
        if (seen.missing && stat(directory, &status) < 0)
            snprintf(seen.why, sizeof seen.why,
                     "no supervisor runs: there is no state directory %.200s", directory);
        else if (seen.missing)
            snprintf(seen.why, sizeof seen.why,
                     "no supervisor has run with the state directory %.200s", directory);
        else
            snprintf(seen.why, sizeof seen.why, "%.200s/heartbeat cannot be read: %s", directory,
                     strerror(code));
        *ret_seen = seen;
        return;
    }
    struct flock lock = whole_file(F_WRLCK);
    seen.alive = fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
    json_t *beat = read_beat(fd);
    if (beat == NULL)
        snprintf(seen.why, sizeof seen.why, "%.200s/heartbeat is not a heartbeat", directory);
    else
        judge_beat(beat, procfs, now_s, &seen);
    json_decref(beat);
    *ret_seen = seen;
}
