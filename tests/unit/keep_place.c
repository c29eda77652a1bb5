#include "keep_place.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

int place_make(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    snprintf(place->root, sizeof place->root, "/tmp/keep-XXXXXX");
    if (!mkdtemp(place->root))
        return -1;
    snprintf(place->state, sizeof place->state, "%s/state", place->root);
    *state = place;
    return 0;
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

int place_drop(void **state)
{
    struct place *place = *state;
    char image[96];
    if (place->mounted)
        umount2(place->root, MNT_DETACH);
    snprintf(image, sizeof image, "%s.img", place->root);
    unlink(image);
    nftw(place->root, drop, 16, FTW_DEPTH | FTW_PHYS);
    free(place);
    return 0;
}

/* Mounts are seen by this process and its children only, and go with them. */
static void own_mounts(void)
{
    static bool done;
    if (!done &&
        (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)) {
        print_message("skipped: mounting is not permitted here (%s)\n", strerror(errno));
        skip();
    }
    done = true;
}

void place_mount_tmpfs(struct place *place, const char *size)
{
    char options[64];
    own_mounts();
    snprintf(options, sizeof options, "size=%s", size);
    if (mount("none", place->root, "tmpfs", 0, options) < 0) {
        print_message("skipped: a tmpfs cannot be mounted here (%s)\n", strerror(errno));
        skip();
    }
    place->mounted = true;
}

void place_mount_ext4(struct place *place, int mib)
{
    char command[512];
    own_mounts();
    snprintf(command, sizeof command,
             "PATH=$PATH:/sbin:/usr/sbin; truncate -s %dM %s.img && mkfs.ext4 -q -m 0 %s.img"
             " && mount -o loop %s.img %s 2>/dev/null",
             mib, place->root, place->root, place->root, place->root);
    if (system(command) != 0) {
        print_message("skipped: an ext4 in a file cannot be made or mounted here\n");
        skip();
    }
    place->mounted = true;
}

void place_read_only(struct place *place)
{
    assert_int_equal(mount("none", place->root, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
}

static void filler(const struct place *place, char *path, size_t size)
{
    snprintf(path, size, "%s/filler", place->root);
}

void place_fill(const struct place *place)
{
    static const char block[65536];
    char path[96];
    filler(place, path, sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t size = sizeof block; size > 0;)
        if (write(fd, block, size) < 0) {
            assert_int_equal(errno, ENOSPC);
            size /= 2;
        }
    assert_int_equal(fsync(fd), 0);
    while (write(fd, block, 1) == 1)
        ;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

void place_unfill(const struct place *place)
{
    char path[96];
    filler(place, path, sizeof path);
    assert_int_equal(unlink(path), 0);
}

struct keep *place_open(const struct place *place)
{
    struct keep *keep = NULL;
    struct error err = {0};
    assert_ok(keep_open(place->state, false, true, &keep, &err), err);
    return keep;
}

static void longest(char *text, size_t size, char with)
{
    memset(text, with, size - 1);
    text[size - 1] = '\0';
}

struct intent longest_intent(int64_t begun_wall_ms)
{
    struct intent intent = {
        .pid = INT32_MAX,
        .process_started_us = INT64_MAX,
        .grace_s = INT64_MAX,
        .begun_wall_ms = begun_wall_ms,
        .begun_boottime_s = 1e9 + 0.25,
        .attempt = INT64_MAX,
        .held_before = INT64_MAX,
        .held_after = FACT_UNKNOWN,
    };
    longest(intent.container, sizeof intent.container, 'c');
    longest(intent.started_at, sizeof intent.started_at, 's');
    longest(intent.key, sizeof intent.key, 'k');
    longest(intent.verdict, sizeof intent.verdict, 'v');
    snprintf(intent.step, sizeof intent.step, "restart");
    longest(intent.boot_id, sizeof intent.boot_id, 'b');
    longest(intent.blob, sizeof intent.blob, 'm');
    return intent;
}

static sqlite3 *database(const struct place *place)
{
    char path[128];
    sqlite3 *db = NULL;
    int persist = 1;
    snprintf(path, sizeof path, "%s/supervisor.db", place->state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_file_control(db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist), SQLITE_OK);
    return db;
}

void place_text(const struct place *place, const char *sql, char *text, size_t size)
{
    sqlite3 *db = database(place);
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    snprintf(text, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

int64_t place_number(const struct place *place, const char *sql)
{
    char text[32];
    place_text(place, sql, text, sizeof text);
    return strtoll(text, NULL, 10);
}

void place_run(const struct place *place, const char *sql)
{
    sqlite3 *db = database(place);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

void assert_message_(const struct error *err, const char *part, const char *file, int line)
{
    size_t n = strlen(err->message);
    if (n == 0 || !strstr(err->message, part) || strchr(err->message, '\n') ||
        err->message[n - 1] == '.') {
        print_error("message \"%s\" should have \"%s\"\n", err->message, part);
        _fail(file, line);
    }
}

void assert_ok_(int result, const struct error *err, const char *file, int line)
{
    if (result != 0) {
        print_error("%d: %s\n", result, err->message);
        _fail(file, line);
    }
}

pid_t place_child(void (*child)(const char *directory), const char *directory, int *ret_pipe)
{
    int ready[2], stay[2];
    char byte = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(stay[1]);
        child(directory);
        if (write(ready[1], "", 1) == 1 && read(stay[0], &byte, 1) == 0)
            _exit(0);
        _exit(1);
    }
    close(ready[1]);
    close(stay[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *ret_pipe = stay[1];
    return pid;
}
