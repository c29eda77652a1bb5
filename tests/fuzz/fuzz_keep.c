/* A database with other bytes in it: the daemon opens it or sets it aside, and goes on. The input
 * is a row of changes: where (3 bytes; the highest bit: in the WAL), how many (1), and the bytes.
 */
#include "keep/throttles.h"
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 2, FILE_MAX = 1 << 20 };

static char directory[64];
static const char *const names[FILES] = {"supervisor.db", "supervisor.db-wal"};
static struct {
    uint8_t bytes[FILE_MAX];
    size_t n;
} whole[FILES];

static void path_of(const char *name, char path[160])
{
    snprintf(path, 160, "%s/%s", directory, name);
}

static struct intent an_intent(int i)
{
    struct intent intent = {.begun_wall_ms = 1000 + i, .attempt = i, .held_before = i};
    memset(intent.container, 'a' + i % 6, sizeof intent.container - 1);
    snprintf(intent.started_at, sizeof intent.started_at, "2026-11-21T12:00:00Z");
    snprintf(intent.key, sizeof intent.key, "key %d", i % 3);
    snprintf(intent.step, sizeof intent.step, "%s", i % 2 ? "restart" : "stop");
    return intent;
}

static void fill(struct keep *keep)
{
    for (int i = 0; i < 24; i++) {
        struct intent intent = an_intent(i);
        if (keep_intent_begin(keep, &intent, NULL) < 0)
            abort();
        if (i % 4)
            keep_intent_end(keep, intent.id, INTENT_DONE, i, i, "it is done", NULL);
        keep_hold_set(keep, intent.key, i, "why", NULL);
        keep_footprint_raise(keep, intent.key, 100 + i, NULL);
    }
    struct throttle throttle = {.version = 2, .inode = 7};
    snprintf(throttle.container, sizeof throttle.container, "throttled");
    keep_throttle_begin(keep, &throttle, NULL);
}

/* Once: a database as it is after some remedies. */
static void make_whole(void)
{
    struct keep *keep;
    snprintf(directory, sizeof directory, "/dev/shm/fuzz-keep-%d", (int)getpid());
    if (keep_open(directory, true, false, &keep, NULL) < 0)
        abort();
    fill(keep);
    keep_close(keep);
    for (size_t i = 0; i < FILES; i++) {
        char path[160];
        path_of(names[i], path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, whole[i].bytes, FILE_MAX);
        whole[i].n = n > 0 ? (size_t)n : 0;
        if (fd >= 0)
            close(fd);
    }
}

static void put(size_t which, const uint8_t *data, size_t size)
{
    char path[160];
    path_of(names[which], path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, whole[which].bytes, whole[which].n) != (ssize_t)whole[which].n)
        abort();
    while (size >= 4) {
        size_t at = ((size_t)(data[0] & 0x7f) << 16 | (size_t)data[1] << 8 | data[2]);
        size_t n = data[3] < size - 4 ? data[3] : size - 4;
        bool here = (data[0] >> 7) == which && whole[which].n > 0;
        if (here && pwrite(fd, data + 4, n, (off_t)(at % whole[which].n)) < 0)
            abort();
        data += 4 + n;
        size -= 4 + n;
    }
    close(fd);
}

static void use(struct keep *keep)
{
    struct error err;
    struct keep_report report;
    struct keep_last last;
    struct keep_now now = keep_now_is("");
    size_t starts;
    struct restart_history restarts;
    struct intent *rows = NULL, intent = an_intent(1);
    struct throttle *throttles = NULL;
    fact held;
    int64_t since;
    size_t n;
    if (keep_intents_open(keep, &rows, &n, &err) == 0)
        free(rows);
    if (keep_intents_recent(keep, "", 16, &rows, &n, &err) == 0)
        free(rows);
    if (keep_throttles(keep, &throttles, &n, &err) == 0)
        free(throttles);
    keep_last(keep, intent.container, &now, &last, &err);
    keep_starts(keep, &intent, &starts, &err);
    keep_restarts(keep, intent.key, &now, &restarts, &err);
    keep_hold_get(keep, intent.key, &since, &err);
    keep_footprint_get(keep, intent.key, &held, &err);
    keep_check(keep, &report, &err);
    keep_check(keep, &report, &err);
    if (keep_intent_begin(keep, &intent, &err) == 0)
        keep_intent_end(keep, intent.id, INTENT_DONE, 1, 1, "", &err);
    else if (err.code != -EUCLEAN && err.code != -EIO)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct keep *keep;
    struct error err;
    char path[160];
    if (!directory[0])
        make_whole();
    path_of("supervisor.db-shm", path);
    unlink(path);
    for (size_t i = 0; i < FILES; i++)
        put(i, data, size);
    int r = keep_open(directory, true, false, &keep, &err);
    if (r < 0 && r != -ENOTSUP && r != -EIO)
        abort();
    if (r == 0) {
        use(keep);
        keep_close(keep);
    }
    return 0;
}
