/* A database that goes bad while it is open: mended in place, told once, nothing forgotten that
 * this process has begun. */
#include "keep/throttles.h"
#include "keep_place.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error err;
static struct keep_report report;

static struct keep *open_as_daemon(const struct place *place)
{
    struct keep *keep = NULL;
    assert_ok(keep_open(place->state, true, true, &keep, &err), err);
    return keep;
}

static struct intent begin(struct keep *keep)
{
    struct intent intent = longest_intent(1);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    return intent;
}

static void end(struct keep *keep, int64_t id)
{
    assert_ok(keep_intent_end(keep, id, INTENT_DONE, 7, 2, "done", &err), err);
}

static void path_of(const struct place *place, const char *suffix, char path[160])
{
    snprintf(path, 160, "%s/supervisor.db%s", place->state, suffix);
}

static void spoil(const struct place *place)
{
    char path[160], bytes[65536];
    path_of(place, "", path);
    memset(bytes, 0xa5, sizeof bytes);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), (ssize_t)sizeof bytes);
    close(fd);
    path_of(place, "-wal", path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = 0; at < st.st_size; at += (off_t)sizeof bytes)
        assert_true(pwrite(fd, bytes, sizeof bytes, at) > 0);
    close(fd);
}

static void take(const struct place *place, const char *suffix, const char *to)
{
    char from[160], target[192];
    path_of(place, suffix, from);
    snprintf(target, sizeof target, "%s/%s%s", place->state, to, suffix);
    assert_int_equal(rename(from, target), 0);
}

static void corrupt(struct place *place)
{
    spoil(place);
}

static void removed(struct place *place)
{
    take(place, "", "away");
}

static void all_removed(struct place *place)
{
    take(place, "", "away");
    take(place, "-wal", "away");
    take(place, "-shm", "away");
}

static void directory_removed(struct place *place)
{
    char away[128];
    snprintf(away, sizeof away, "%s-away", place->state);
    assert_int_equal(rename(place->state, away), 0);
}

static void made_anew(struct place *place)
{
    char command[400];
    struct place other = *place;
    snprintf(other.state, sizeof other.state, "%.90s2", place->state);
    keep_close(place_open(&other));
    snprintf(command, sizeof command, "mv %s/supervisor.db %s/", other.state, place->state);
    assert_int_equal(system(command), 0);
}

/* One that knows other intents under the same ids. */
static void anothers(struct place *place)
{
    char command[400];
    struct place other = *place;
    snprintf(other.state, sizeof other.state, "%.90s2", place->state);
    struct keep *keep = place_open(&other);
    for (int i = 0; i < 9; i++)
        assert_int_equal(begin(keep).id, i + 1);
    keep_close(keep);
    place_run(&other, "UPDATE intents SET container = 'another'");
    snprintf(command, sizeof command, "mv %s/supervisor.db* %s/", other.state, place->state);
    assert_int_equal(system(command), 0);
}

static const struct fault {
    void (*make)(struct place *place);
    bool set_aside, another;
} faults[] = {{corrupt, true, false},      {removed, false, false},
              {all_removed, false, false}, {directory_removed, false, false},
              {made_anew, false, false},   {anothers, false, true}};

static struct throttle throttle(void)
{
    struct throttle t = {.version = 2, .inode = 7, .since_wall_ms = 1};
    snprintf(t.container, sizeof t.container, "throttled");
    return t;
}

/* Told bad, mended by the next check, told what it cost, good. */
static void check_tells(struct keep *keep, const struct fault *fault, bool expect_loss)
{
    assert_true(keep_check(keep, &report, &err) < 0);
    assert_message(err, "supervisor.db");
    struct keep_report first = report;
    assert_ok(keep_check(keep, &report, &err), err);
    bool set_aside = first.set_aside[0] != '\0', replaced = first.replaced;
    assert_int_equal(set_aside + (report.set_aside[0] != '\0'), expect_loss && fault->set_aside);
    assert_int_equal(replaced + report.replaced, expect_loss && !fault->set_aside);
    assert_ok(keep_check(keep, &report, &err), err);
    assert_string_equal(report.set_aside, "");
    assert_false(report.replaced);
}

/* What is ours is there again: the run's end, the throttle, the restarts of before. */
static void test_what_was_begun_is_known_in_the_next_file(void **state)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct place place = *(struct place *)*state;
        snprintf(place.state, sizeof place.state, "%s/fault-%zu", place.root, i);
        struct keep *keep = open_as_daemon(&place);
        struct throttle t = throttle();
        end(keep, begin(keep).id);
        struct intent open = begin(keep);
        assert_ok(keep_throttle_begin(keep, &t, &err), err);
        faults[i].make(&place);
        check_tells(keep, &faults[i], true);
        if (faults[i].another) /* its rows stay as they are */
            assert_int_equal(place_number(&place, "SELECT count(*) FROM intents WHERE state = 0"),
                             9);
        else
            end(keep, open.id);
        int64_t next = begin(keep).id;
        assert_true(next > open.id);
        end(keep, next);
        assert_int_equal(place_number(&place, "SELECT count(*) FROM throttles"), 1);
        assert_int_equal(place_number(&place, "SELECT count(*) FROM intents WHERE state = 1"),
                         faults[i].another ? 1 : 3);
        keep_close(keep);
    }
}

/* Where the deed meets it first, it is mended for the deed, and yet told. */
static void test_an_intent_mends_it(void **state)
{
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct place place = *(struct place *)*state;
        snprintf(place.state, sizeof place.state, "%s/deed-%zu", place.root, i);
        struct keep *keep = open_as_daemon(&place);
        begin(keep);
        faults[i].make(&place);
        struct intent *rows = NULL;
        size_t n = 0;
        int r = keep_intents_open(keep, &rows, &n, &err); /* as before each deed */
        if (r == 0)
            free(rows);
        begin(keep);
        assert_int_equal(place_number(&place, "SELECT count(*) FROM intents WHERE state = 0"),
                         faults[i].another ? 10 : 2);
        check_tells(keep, &faults[i], true);
        keep_close(keep);
    }
}

/* The log alone is removed: nothing of it is lost. */
static void test_log_removed(void **state)
{
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (size_t i = 0; i < 2; i++) {
        struct place place = *(struct place *)*state;
        snprintf(place.state, sizeof place.state, "%s/log-%zu", place.root, i);
        struct keep *keep = open_as_daemon(&place);
        for (int k = 0; k < 3; k++)
            begin(keep);
        take(&place, suffixes[i], "away");
        check_tells(keep, &faults[1], false);
        begin(keep);
        assert_int_equal(place_number(&place, "SELECT count(*) FROM intents"), 4);
        keep_close(keep);
    }
}

/* A command does not set aside; it waits for the daemon, which does. */
static void test_only_the_daemon_sets_aside(void **state)
{
    struct place *place = *state;
    struct keep *daemon = open_as_daemon(place), *command = NULL;
    struct intent intent = longest_intent(1);
    assert_ok(keep_open(place->state, false, true, &command, &err), err);
    begin(command);
    spoil(place);
    assert_int_equal(keep_intent_begin(command, &intent, &err), -EUCLEAN);
    begin(daemon);
    usleep(2100 * 1000); /* its back-off */
    assert_ok(keep_intent_begin(command, &intent, &err), err);
    keep_close(command);
    keep_close(daemon);
}

/* Tried again no more often than the back-off says, and no less often than its bound. */
static void test_back_off(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    struct intent intent = longest_intent(1);
    char path[160];
    begin(keep);
    path_of(place, "", path);
    take(place, "", "away");
    assert_int_equal(mkdir(path, 0700), 0); /* stands in the way */
    assert_true(keep_check(keep, &report, &err) < 0);
    assert_true(keep_check(keep, &report, &err) < 0);
    assert_message(err, "not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_true(keep_intent_begin(keep, &intent, &err) < 0); /* its time has not come */
    assert_message(err, "not a regular file");
    usleep(1100 * 1000);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    assert_true(keep_check(keep, &report, &err) == 0);
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents"), 2);
    keep_close(keep);
}

/* An end that could not be written is written when it can; until then nothing counts as open. */
static void test_an_end_is_owed(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "4m");
    struct keep *keep = place_open(place);
    struct intent open = begin(keep), *rows = NULL;
    char path[160];
    size_t n = 9;
    path_of(place, "", path);
    take(place, "", "away");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(keep_intent_end(keep, open.id, INTENT_DONE, 7, 2, "done", &err) < 0);
    assert_true(keep_intents_open(keep, &rows, &n, &err) < 0);
    assert_int_equal(rmdir(path), 0);
    char away[160];
    snprintf(away, sizeof away, "%s/away", place->state);
    assert_int_equal(rename(away, path), 0);
    usleep(1100 * 1000);
    assert_ok(keep_intents_open(keep, &rows, &n, &err), err);
    assert_int_equal(n, 0);
    free(rows);
    keep_close(keep);
    assert_int_equal(place_number(place, "SELECT state FROM intents"), INTENT_DONE);
}

static void test_full_disk_is_told_and_freed(void **state)
{
    struct place *place = *state;
    place_mount_tmpfs(place, "4m");
    struct keep *keep = place_open(place);
    place_fill(place);
    struct intent intent = longest_intent(1);
    int r = 0;
    for (int i = 0; i < 4000 && r == 0; i++)
        r = keep_intent_begin(keep, &intent, &err);
    assert_int_equal(r, -ENOSPC);
    assert_int_equal(keep_check(keep, &report, &err), -ENOSPC);
    assert_int_equal(keep_check(keep, &report, &err), -ENOSPC);
    place_unfill(place);
    assert_ok(keep_check(keep, &report, &err), err);
    assert_false(report.replaced);
    begin(keep);
    keep_close(keep);
}

/* Its directory is moved away, and another daemon is faster in the one that takes its place. */
static void test_directory_moved_and_taken(void **state)
{
    struct place *place = *state;
    struct keep *keep = open_as_daemon(place);
    struct keep_lock *lock = NULL, *others = NULL;
    struct intent refused = longest_intent(1);
    assert_ok(keep_lock_daemon(place->state, &lock, NULL, &err), err);
    keep_own(keep, lock);
    assert_ok(keep_check(keep, &report, &err), err);
    directory_removed(place);
    assert_ok(keep_lock_daemon(place->state, &others, NULL, &err), err);
    assert_int_equal(keep_owned(keep, &err), -EWOULDBLOCK);
    assert_true(keep_intent_begin(keep, &refused, &err) < 0);
    usleep(1100 * 1000);
    assert_int_equal(keep_intent_begin(keep, &refused, &err), -EWOULDBLOCK);
    assert_message(err, "in use by another supervisor");
    keep_unlock(others);
    usleep(2100 * 1000);
    begin(keep);
    assert_true(keep_lock_holds(lock));
    keep_close(keep);
    keep_unlock(lock);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_what_was_begun_is_known_in_the_next_file),
        TEST(test_an_intent_mends_it),
        TEST(test_log_removed),
        TEST(test_only_the_daemon_sets_aside),
        TEST(test_back_off),
        TEST(test_an_end_is_owed),
        TEST(test_directory_moved_and_taken),
        TEST(test_full_disk_is_told_and_freed),
    };
    return cmocka_run_group_tests_name("keep_renew", tests, NULL, NULL);
}
