/* The history on disks that are full or read-only, corrupt, removed, after a kill. */
#include "history_case.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_nothing_to_read(void **state)
{
    struct place *place = *state;
    struct keep_history *history = NULL;
    assert_int_equal(keep_history_read(place->state, false, &history, &history_err), -ENOENT);
    assert_message(history_err, "history.db");
    assert_null(history);
    keep_history_close(NULL);
}

static void test_killed_writer_loses_nothing(void **state)
{
    struct place *place = *state;
    pid_t child = fork();
    if (child == 0) {
        struct keep_history *history = history_open(place);
        int r = history_write_event(
            history, history_event_of("acting", history_id_a, "ollama", history_noon_ms));
        kill(getpid(), r == 0 ? SIGKILL : SIGTERM);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, SIGKILL);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "acting ");
    struct keep_history *history = history_open(place);
    assert_ok(history_write_event(
                  history, history_event_of("healed", history_id_a, "ollama", history_noon_ms)),
              history_err);
    keep_history_close(history);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "acting healed ");
}

static void test_full_disk_stops_it_and_not_the_intents(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "16m");
    struct keep *keep = place_open(place);
    struct keep_history *history = history_open(place), *late = NULL;
    assert_ok(history_write_event(
                  history, history_event_of("raised", history_id_a, "ollama", history_noon_ms)),
              history_err);
    place_fill(place);
    assert_int_equal(history_write_event(history, history_event_of("acting", history_id_a, "ollama",
                                                                   history_noon_ms)),
                     -ENOSPC);
    assert_message(history_err, "less than 4 MiB are left");
    struct intent intent = longest_intent(1);
    assert_ok(keep_intent_begin(keep, &intent, &history_err), history_err);
    assert_int_equal(keep_history_open(place->state, true, BOUND, &late, &history_err), -ENOSPC);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "raised ");
    place_unfill(place);
    assert_ok(history_write_event(
                  history, history_event_of("healed", history_id_a, "ollama", history_noon_ms)),
              history_err);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "raised healed ");
    keep_history_close(history);
    keep_close(keep);
}

static void test_read_only_disk_can_be_read(void **state)
{
    struct place *place = *state;
    place_mount_ext4(place, 16);
    struct keep_history *history = history_open(place);
    assert_ok(history_write_event(
                  history, history_event_of("raised", history_id_a, "ollama", history_noon_ms)),
              history_err);
    keep_history_close(history);
    place_read_only(place);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "raised ");
    history = NULL;
    int r = keep_history_open(place->state, true, BOUND, &history, &history_err);
    assert_true(r == -EROFS);
    assert_null(history);
}

static void test_without_its_wal_on_a_read_only_disk(void **state)
{
    struct place *place = *state;
    char path[128];
    place_mount_ext4(place, 16);
    struct keep_history *history = history_open(place);
    assert_ok(history_write_event(
                  history, history_event_of("raised", history_id_a, "ollama", history_noon_ms)),
              history_err);
    keep_history_close(history);
    snprintf(path, sizeof path, "%s/history.db-wal", place->state);
    assert_int_equal(unlink(path), 0);
    snprintf(path, sizeof path, "%s/history.db-shm", place->state);
    unlink(path);
    place_read_only(place);
    assert_string_equal(history_hear_events(place, (struct history_filter){.limit = 9}).kinds,
                        "raised ");
}

static void spoil(const struct place *place, off_t at)
{
    char path[128], bytes[4096];
    memset(bytes, 0xa5, sizeof bytes);
    snprintf(path, sizeof path, "%s/history.db", place->state);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, at), (ssize_t)sizeof bytes);
    close(fd);
    snprintf(path, sizeof path, "%s/history.db-wal", place->state);
    unlink(path);
}

static void test_corrupt_is_set_aside(void **state)
{
    struct place *place = *state;
    for (off_t at = 0; at <= 8192; at += 8192) { /* the header; the root of the events */
        struct keep_history *history = history_open(place);
        assert_ok(history_write_event(
                      history, history_event_of("raised", history_id_a, "ollama", history_noon_ms)),
                  history_err);
        keep_history_close(history);
        spoil(place, at);
        history = NULL;
        struct history_filter all = {.limit = 9};
        struct history_heard heard = {0};
        int r = keep_history_read(place->state, false, &history, &history_err);
        if (r == 0)
            r = keep_history_events(history, &all, history_hear, &heard, NULL, &history_err);
        keep_history_close(history);
        assert_int_equal(r, -EUCLEAN);
        assert_message(history_err, "it is corrupt");
        assert_ok(keep_history_open(place->state, true, BOUND, &history, &history_err),
                  history_err);
        assert_non_null(keep_history_set_aside(history));
        assert_int_equal(access(keep_history_set_aside(history), F_OK), 0);
        assert_ok(history_write_event(
                      history, history_event_of("healed", history_id_a, "ollama", history_noon_ms)),
                  history_err);
        keep_history_close(history);
        assert_string_equal(history_hear_events(place, all).kinds, "healed ");
        char drop[160];
        snprintf(drop, sizeof drop, "%s/history.db", place->state);
        assert_int_equal(unlink(drop), 0);
        snprintf(drop, sizeof drop, "%s/history.db-wal", place->state);
        unlink(drop);
    }
}

static void test_removed_while_in_use(void **state)
{
    struct place *place = *state;
    struct keep_history *history = history_open(place);
    char path[128];
    snprintf(path, sizeof path, "%s/history.db", place->state);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(history_write_event(history, history_event_of("raised", history_id_a, "ollama",
                                                                   history_noon_ms)),
                     -EIO);
    assert_message(history_err, "was removed or replaced");
    keep_history_close(history);
}

static void test_foreign_and_newer_files(void **state)
{
    struct place *place = *state;
    struct keep_history *history = history_open(place);
    keep_history_close(history);
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/history.db", place->state);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 4", NULL, NULL, NULL), SQLITE_OK);
    history = NULL;
    assert_int_equal(keep_history_open(place->state, true, BOUND, &history, &history_err),
                     -ENOTSUP);
    assert_message(history_err, "newer supervisor");
    assert_int_equal(keep_history_read(place->state, false, &history, &history_err), -ENOTSUP);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 0", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(keep_history_open(place->state, true, BOUND, &history, &history_err),
                     -ENOTSUP);
    assert_message(history_err, "some other program's");
    sqlite3_close(db);
}

#define test(f) cmocka_unit_test_setup_teardown(f, place_make, place_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_nothing_to_read),
        test(test_killed_writer_loses_nothing),
        test(test_full_disk_stops_it_and_not_the_intents),
        test(test_read_only_disk_can_be_read),
        test(test_without_its_wal_on_a_read_only_disk),
        test(test_corrupt_is_set_aside),
        test(test_removed_while_in_use),
        test(test_foreign_and_newer_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
