/* The daemon's sign of life: what `supervisor health` makes of the file in every state. */
#include "base/clock.h"
#include "keep/heartbeat.h"
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

static struct error err;
static struct heartbeat_seen seen;

static const char *file_of(const struct place *place)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/heartbeat", place->state);
    return path;
}

static void see(const struct place *place, double now_s)
{
    heartbeat_see(place->state, "/proc", now_s, &seen);
}

static struct heartbeat *begin(const struct place *place, double interval_s)
{
    struct heartbeat *heartbeat = NULL;
    mkdir(place->state, 0700);
    assert_ok(heartbeat_open(place->state, "/proc", interval_s, &heartbeat, &err), err);
    return heartbeat;
}

static void put_file(const struct place *place, const char *text)
{
    FILE *file = fopen(file_of(place), "w");
    assert_non_null(file);
    fprintf(file, "%-255s\n", text);
    fclose(file);
}

static void test_one_that_looks_is_fresh(void **state)
{
    const struct place *place = *state;
    double now_s = clock_boottime_s();
    struct heartbeat *heartbeat = begin(place, 1);

    see(place, now_s);
    assert_false(seen.fresh);
    assert_non_null(strstr(seen.why, "has not looked yet"));
    assert_int_equal(heartbeat_beat(heartbeat, now_s, 1), 0);
    see(place, now_s + 2);
    assert_true(seen.fresh && seen.alive);
    assert_string_equal(seen.why, "");
    assert_int_equal(seen.pid, getpid());
    assert_true(seen.age_s > 1.9 && seen.age_s < 2.1);
    assert_true(seen.interval_s == 1 && seen.bound_s == 15);
    see(place, now_s + 14.9);
    assert_true(seen.fresh);
    see(place, now_s + 15.1);
    assert_false(seen.fresh);
    assert_true(seen.alive);
    assert_non_null(strstr(seen.why, "hangs: its last look was 15.1 s ago; it looks every 1.0 s"));
    heartbeat_close(heartbeat);
    see(place, now_s + 2);
    assert_false(seen.fresh || seen.alive || seen.missing);
    assert_non_null(strstr(seen.why, "was ended"));
}

static void test_the_file_is_written_seldom_and_in_place(void **state)
{
    const struct place *place = *state;
    double now_s = clock_boottime_s();
    struct heartbeat *heartbeat = begin(place, 1);
    struct stat before, after;
    double last_s = -1;
    int written = 0;

    assert_int_equal(stat(file_of(place), &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    for (int i = 0; i < 60; i++) {
        assert_int_equal(heartbeat_beat(heartbeat, now_s + i, 1), 0);
        see(place, now_s + i);
        assert_true(seen.fresh);
        written += now_s + i - seen.age_s > last_s + 0.5;
        last_s = now_s + i - seen.age_s;
    }
    assert_in_range(written, 10, 13); /* one in 5 s */
    assert_int_equal(stat(file_of(place), &after), 0);
    assert_true(after.st_ino == before.st_ino && after.st_size == before.st_size);

    /* A slow daemon is not called dead between two looks. */
    assert_int_equal(heartbeat_beat(heartbeat, now_s + 60, 600), 0);
    see(place, now_s + 1200);
    assert_true(seen.fresh);
    see(place, now_s + 1900);
    assert_false(seen.fresh);
    heartbeat_close(heartbeat);
    assert_int_equal(heartbeat_beat(NULL, 1, 1), 0);
    heartbeat_close(NULL);
}

static void beat_once(const char *directory)
{
    struct heartbeat *heartbeat = NULL;
    if (heartbeat_open(directory, "/proc", 1, &heartbeat, NULL) < 0 ||
        heartbeat_beat(heartbeat, clock_boottime_s(), 1) < 0)
        _exit(1);
}

static void test_one_that_was_killed_is_not_fresh(void **state)
{
    struct place *place = *state;
    int stay = -1, status = 0;
    char expected[64];

    mkdir(place->state, 0700);
    pid_t child = place_child(beat_once, place->state, &stay);
    see(place, clock_boottime_s());
    assert_true(seen.fresh);
    assert_int_equal(seen.pid, child);
    /* Nobody else begins one meanwhile. */
    struct heartbeat *second = NULL;
    assert_true(heartbeat_open(place->state, "/proc", 1, &second, &err) < 0);
    assert_non_null(strstr(err.message, place->state));

    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(stay);
    see(place, clock_boottime_s());
    assert_false(seen.fresh || seen.alive);
    snprintf(expected, sizeof expected, "the last one (pid %d) died", (int)child);
    assert_non_null(strstr(seen.why, expected));

    struct heartbeat *heartbeat = begin(place, 1); /* the next one takes the file over */
    heartbeat_beat(heartbeat, clock_boottime_s(), 1);
    see(place, clock_boottime_s());
    assert_true(seen.fresh);
    assert_int_equal(seen.pid, getpid());
    heartbeat_close(heartbeat);
}

static void test_another_boot_and_another_clock(void **state)
{
    const struct place *place = *state;
    struct heartbeat *heartbeat = begin(place, 1);
    char boot_id[40], text[256];

    put_file(place, "{\"beat\":1,\"state\":\"running\",\"pid\":7,\"boot_id\":"
                    "\"00000000-0000-0000-0000-000000000000\",\"started\":1,\"looked\":5,"
                    "\"interval\":1,\"again\":1}");
    see(place, 6);
    assert_false(seen.fresh);
    assert_non_null(strstr(seen.why, "earlier boot"));

    clock_boot_id("/proc", boot_id, sizeof boot_id);
    snprintf(text, sizeof text,
             "{\"beat\":1,\"state\":\"running\",\"pid\":7,\"boot_id\":\"%s\",\"started\":1,"
             "\"looked\":500,\"interval\":1,\"again\":1}",
             boot_id);
    put_file(place, text);
    see(place, 501);
    assert_true(seen.fresh);
    see(place, 499.5);
    assert_true(seen.fresh);
    see(place, 400);
    assert_false(seen.fresh);
    assert_non_null(strstr(seen.why, "in the future"));
    heartbeat_close(heartbeat);
}

static void test_what_is_no_heartbeat(void **state)
{
    const struct place *place = *state;
    static const char *const texts[] = {
        "", "{}", "[1]", "{\"beat\":1,\"again\":2}", "{\"beat\":1,\"again\":1", "no JSON at all"};

    see(place, 1);
    assert_true(seen.missing);
    assert_non_null(strstr(seen.why, "there is no state directory"));
    mkdir(place->state, 0700);
    see(place, 1);
    assert_true(seen.missing);
    assert_non_null(strstr(seen.why, "has run with the state directory"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put_file(place, texts[i]);
        see(place, 1);
        assert_false(seen.fresh || seen.missing);
        assert_non_null(strstr(seen.why, "is not a heartbeat"));
    }
    put_file(place, "{\"beat\":1,\"again\":1}"); /* whole, but it says nothing */
    see(place, 1);
    assert_false(seen.fresh);
    assert_int_equal(unlink(file_of(place)), 0);
    assert_int_equal(mkdir(file_of(place), 0700), 0);
    see(place, 1);
    assert_false(seen.fresh || seen.missing);
}

static void on_a_full_disk(struct place *place)
{
    struct heartbeat *heartbeat = begin(place, 1), *late = NULL;
    double now_s = clock_boottime_s();

    place_fill(place);
    for (int i = 0; i < 10; i++)
        assert_int_equal(heartbeat_beat(heartbeat, now_s + i * 60, 1), 0);
    see(place, now_s + 541);
    assert_true(seen.fresh);
    heartbeat_close(heartbeat);
    see(place, now_s + 541);
    assert_non_null(strstr(seen.why, "was ended"));
    /* The next one finds its file; where there never was one it says so. */
    assert_ok(heartbeat_open(place->state, "/proc", 1, &late, &err), err);
    heartbeat_close(late);
    assert_int_equal(unlink(file_of(place)), 0);
    place_fill(place);
    assert_true(heartbeat_open(place->state, "/proc", 1, &late, &err) < 0);
    assert_message(err, place->state);
}

static void test_a_full_tmpfs(void **state)
{
    place_mount_tmpfs(*state, "1m");
    on_a_full_disk(*state);
}

static void test_a_full_ext4(void **state)
{
    place_mount_ext4(*state, 8);
    on_a_full_disk(*state);
}

static void test_a_read_only_disk(void **state)
{
    struct place *place = *state;
    struct heartbeat *late = NULL;

    place_mount_tmpfs(place, "1m");
    struct heartbeat *heartbeat = begin(place, 1);
    heartbeat_beat(heartbeat, clock_boottime_s(), 1);
    heartbeat_close(heartbeat);
    place_read_only(place);
    see(place, clock_boottime_s());
    assert_non_null(strstr(seen.why, "was ended"));
    assert_int_equal(heartbeat_open(place->state, "/proc", 1, &late, &err), -EROFS);
    assert_message(err, place->state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_one_that_looks_is_fresh),
        TEST(test_the_file_is_written_seldom_and_in_place),
        TEST(test_one_that_was_killed_is_not_fresh),
        TEST(test_another_boot_and_another_clock),
        TEST(test_what_is_no_heartbeat),
        TEST(test_a_full_tmpfs),
        TEST(test_a_full_ext4),
        TEST(test_a_read_only_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
