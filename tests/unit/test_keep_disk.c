/* Keeping on a disk that is full, too small, read-only or gone; places that cannot be. */
#include "keep_place.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROMISED = 100 /* intents with their ends that a full disk takes */ };

static struct error err;

/* Begins and ends one with the longest texts and a key of its own; the result of the first that
 * fails. */
static int intent_and_end(struct keep *keep, int number)
{
    struct intent intent = longest_intent(number);
    char outcome[256];
    /* spread over the index, so that its pages split */
    int n = snprintf(intent.key, sizeof intent.key, "%08x", (unsigned)number * 2654435761U);
    intent.key[n] = 'k';
    memset(outcome, 'o', sizeof outcome - 1);
    outcome[sizeof outcome - 1] = '\0';
    int r = keep_intent_begin(keep, &intent, &err);
    return r < 0
               ? r
               : keep_intent_end(keep, intent.id, INTENT_DONE, INT64_MAX, INT64_MAX, outcome, &err);
}

static void take_the_promised(struct keep *keep)
{
    for (int i = 0; i < PROMISED; i++)
        assert_ok(intent_and_end(keep, i), err);
}

static void check_whole(const struct place *place, int64_t ended)
{
    char text[64];
    place_text(place, "PRAGMA integrity_check", text, sizeof text);
    assert_string_equal(text, "ok");
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents WHERE state = 1"), ended);
}

/* Open, full, the promised; then on until there really is no room: said, nothing half stored. */
static void fill_while_open(struct place *place)
{
    struct keep *keep = place_open(place);
    place_fill(place);
    take_the_promised(keep);
    int r = 0, taken = PROMISED;
    while (taken < 5000 && (r = intent_and_end(keep, taken)) == 0)
        taken++;
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(err.code, -ENOSPC);
    assert_message(err, "no space is left; free some");
    print_message("          %d intents with their ends on a full disk\n", taken);
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents WHERE state = 1"), taken);
    place_unfill(place);
    assert_int_equal(intent_and_end(keep, taken++), 0);
    keep_close(keep);
    /* One may have been begun in the last room, without any for its end: which was written since.
     */
    int64_t all = place_number(place, "SELECT count(*) FROM intents");
    assert_in_range(all, taken, taken + 1);
    check_whole(place, all);
}

/* Closed, or left by a process killed right after it opened, then full, then opened again. */
static void fill_before_open(struct place *place, bool killed)
{
    pid_t child = fork();
    if (child == 0) {
        struct keep *keep = NULL;
        int r = keep_open(place->state, true, true, &keep, NULL);
        if (killed)
            kill(getpid(), SIGKILL);
        for (int i = 0; r == 0 && i < 3; i++)
            r = intent_and_end(keep, i);
        keep_close(keep);
        _exit(r == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, killed ? SIGKILL : 0);
    place_fill(place);
    for (int opens = 0; opens < 3; opens++) {
        struct keep *keep = place_open(place);
        take_the_promised(keep);
        keep_close(keep);
    }
    check_whole(place, (killed ? 0 : 3) + 3 * PROMISED);
}

static void test_tmpfs_full_while_open(void **state)
{
    place_mount_tmpfs(*state, "4m");
    fill_while_open(*state);
}

static void test_ext4_full_while_open(void **state)
{
    place_mount_ext4(*state, 16);
    fill_while_open(*state);
}

static void test_tmpfs_full_before_open(void **state)
{
    place_mount_tmpfs(*state, "4m");
    fill_before_open(*state, false);
}

static void test_tmpfs_full_after_kill(void **state)
{
    place_mount_tmpfs(*state, "4m");
    fill_before_open(*state, true);
}

static void test_ext4_full_before_open(void **state)
{
    place_mount_ext4(*state, 16);
    fill_before_open(*state, false);
}

static void test_ext4_full_after_kill(void **state)
{
    place_mount_ext4(*state, 16);
    fill_before_open(*state, true);
}

/* Room for a part of the reserve must not be spent in a way that blocks what was there. */
static void test_nearly_full(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "4m");
    struct keep *keep = place_open(place);
    place_fill(place);
    char path[96];
    snprintf(path, sizeof path, "%s/filler", place->root);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    int taken = 0;
    for (; taken < 600; taken++) /* the spare pages are low from here on */
        assert_ok(intent_and_end(keep, taken), err);
    for (long long kib = 64; kib <= 1024; kib += 64) {
        assert_int_equal(truncate(path, st.st_size - kib * 1024), 0);
        for (int i = 0; i < 10; i++)
            assert_ok(intent_and_end(keep, taken++), err);
    }
    keep_close(keep);
    check_whole(place, taken);
}

/* The reserve is filled up again while there is room: it is there whenever the disk fills up. */
static void test_reserve_is_filled_up(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "16m");
    struct keep *keep = place_open(place);
    for (int i = 0; i < 2000; i++)
        assert_ok(intent_and_end(keep, i), err);
    place_fill(place);
    take_the_promised(keep);
    keep_close(keep);
    check_whole(place, 2000 + PROMISED);
}

static void test_too_small_to_open(void **state)
{
    struct place *place = *state;
    struct keep *keep = NULL;
    place_mount_tmpfs(place, "1m");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(keep_open(place->state, true, true, &keep, &err), -ENOSPC);
        assert_int_equal(err.failure, FAILURE_UNREACHABLE);
        assert_message(err, place->state);
        assert_message(err, "no space is left; free some");
    }
    assert_null(keep);
}

static void test_full_before_the_first_open(void **state)
{
    struct place *place = *state;
    struct keep *keep = NULL;
    place_mount_tmpfs(place, "4m");
    place_fill(place);
    assert_int_equal(keep_open(place->state, true, true, &keep, &err), -ENOSPC);
    assert_message(err, place->state);
    place_unfill(place);
    keep_close(place_open(place));
}

static void test_read_only(void **state)
{
    struct place *place = *state;
    struct keep *keep = NULL;
    struct keep_lock *lock = NULL;
    place_mount_tmpfs(place, "4m");
    keep_close(place_open(place));
    place_read_only(place);
    assert_int_equal(keep_open(place->state, true, true, &keep, &err), -EROFS);
    assert_message(err, place->state);
    assert_message(err, "Read-only");
    assert_int_equal(keep_lock_daemon(place->state, &lock, NULL, &err), -EROFS);
    assert_message(err, "supervisor.lock");
    snprintf(place->state, sizeof place->state, "%s/fresh", place->root);
    assert_int_equal(keep_open(place->state, true, true, &keep, &err), -EROFS);
    assert_message(err, place->state);
}

static void test_places_that_cannot_be(void **state)
{
    struct place *place = *state;
    struct keep *keep = NULL;
    char path[1200];
    snprintf(path, sizeof path, "%s/no/such", place->root);
    assert_int_equal(keep_open(path, true, true, &keep, &err), -ENOENT);
    assert_message(err, path);
    assert_int_equal(keep_open("/proc/version", true, true, &keep, &err), -ENOTDIR);
    assert_message(err, "/proc/version");

    assert_int_equal(mkdir(place->state, 0700), 0);
    snprintf(path, sizeof path, "%s/supervisor.db", place->state);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(keep_open(place->state, true, true, &keep, &err), -EIO);
    assert_message(err, "is not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(keep_open(place->state, true, true, &keep, &err), -EIO);
    assert_message(err, "is not a regular file");

    snprintf(path, sizeof path, "%s/%0250d", place->root, 1);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%0250d/%0250d", place->root, 1, 2);
    assert_int_equal(keep_open(path, true, true, &keep, &err), -ENAMETOOLONG);
    assert_message(err, "at most 465 bytes");
    assert_null(keep);
}

/* A directory reached by a symlink is the person's choice. */
static void test_symlink_to_directory(void **state)
{
    struct place *place = *state;
    char path[96];
    snprintf(path, sizeof path, "%s/link", place->root);
    keep_close(place_open(place));
    assert_int_equal(symlink(place->state, path), 0);
    snprintf(place->state, sizeof place->state, "%s", path);
    keep_close(place_open(place));
}

/* A WAL that some other tool took away at its close is made as long again. */
static void test_wal_was_removed(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "4m");
    keep_close(place_open(place));
    char path[128];
    snprintf(path, sizeof path, "%s/supervisor.db-wal", place->state);
    assert_int_equal(unlink(path), 0);
    struct keep *keep = place_open(place);
    place_fill(place);
    take_the_promised(keep);
    keep_close(keep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_tmpfs_full_while_open),
        TEST(test_ext4_full_while_open),
        TEST(test_tmpfs_full_before_open),
        TEST(test_tmpfs_full_after_kill),
        TEST(test_ext4_full_before_open),
        TEST(test_ext4_full_after_kill),
        TEST(test_nearly_full),
        TEST(test_reserve_is_filled_up),
        TEST(test_too_small_to_open),
        TEST(test_full_before_the_first_open),
        TEST(test_read_only),
        TEST(test_places_that_cannot_be),
        TEST(test_symlink_to_directory),
        TEST(test_wal_was_removed),
    };
    return cmocka_run_group_tests_name("keep_disk", tests, NULL, NULL);
}
