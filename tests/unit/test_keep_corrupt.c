/* Keeping where the file is corrupt, of a newer supervisor, or not ours. */
#include "keep_place.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct error err;

static void begin(struct keep *keep)
{
    struct intent intent = longest_intent(1);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
}

static void spoil(const struct place *place, off_t at, size_t n)
{
    char path[128], bytes[8192];
    snprintf(path, sizeof path, "%s/supervisor.db", place->state);
    memset(bytes, 0xa5, sizeof bytes);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0 && n <= sizeof bytes);
    assert_int_equal(pwrite(fd, bytes, n, at), (ssize_t)n);
    close(fd);
    snprintf(path, sizeof path, "%s/supervisor.db-wal", place->state);
    assert_int_equal(unlink(path), 0); /* it would put the pages right again */
}

/* Where the corrupt file is now; "": there was none. */
static const char *set_aside(struct keep *keep)
{
    static struct keep_report report;
    assert_ok(keep_check(keep, &report, &err), err);
    return report.set_aside;
}

static int count_aside(const struct place *place)
{
    char command[160];
    int n = -1;
    snprintf(command, sizeof command, "ls %s/supervisor.db.corrupt-*Z 2>/dev/null | wc -l",
             place->state);
    FILE *files = popen(command, "r");
    assert_non_null(files);
    assert_int_equal(fscanf(files, "%d", &n), 1);
    pclose(files);
    return n;
}

static void check_corrupt(struct place *place, off_t at, size_t n)
{
    struct keep *keep = place_open(place);
    for (int i = 0; i < 20; i++)
        begin(keep);
    keep_close(keep);
    spoil(place, at, n);

    keep = NULL;
    assert_int_equal(keep_open(place->state, false, true, &keep, &err), -EUCLEAN);
    assert_message(err, place->state);
    assert_message(err, "it is corrupt");
    assert_null(keep);
    assert_int_equal(count_aside(place), 0);

    assert_ok(keep_open(place->state, true, true, &keep, &err), err);
    assert_int_equal(access(set_aside(keep), F_OK), 0);
    assert_string_equal(set_aside(keep), ""); /* told once */
    assert_int_equal(count_aside(place), 1);
    begin(keep);
    keep_close(keep);
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents"), 1);
}

static void test_corrupt_header(void **state)
{
    check_corrupt(*state, 0, 4096);
}

static void test_corrupt_table(void **state)
{
    check_corrupt(*state, 4096, 4096);
}

static void test_truncated(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    keep_close(keep);
    spoil(place, 0, 0);
    char path[128];
    snprintf(path, sizeof path, "%s/supervisor.db", place->state);
    assert_int_equal(truncate(path, 6000), 0);
    assert_int_equal(keep_open(place->state, false, true, &keep, &err), -EUCLEAN);
    assert_ok(keep_open(place->state, true, true, &keep, &err), err);
    keep_close(keep);
}

static void test_only_three_stay_aside(void **state)
{
    struct place *place = *state;
    char command[256], oldest[160];
    keep_close(place_open(place));
    for (int i = 0; i < 5; i++) {
        snprintf(command, sizeof command,
                 "bash -c 'cd %s && touch supervisor.db.corrupt-2024010%d"
                 "T000000Z{,-wal}'",
                 place->state, i);
        assert_int_equal(system(command), 0);
    }
    spoil(place, 0, 4096);
    struct keep *keep = NULL;
    assert_ok(keep_open(place->state, true, true, &keep, &err), err);
    assert_int_equal(count_aside(place), 3);
    snprintf(oldest, sizeof oldest, "%s/supervisor.db.corrupt-20240102T000000Z", place->state);
    assert_int_not_equal(access(oldest, F_OK), 0);
    strncat(oldest, "-wal", sizeof oldest - strlen(oldest) - 1);
    assert_int_not_equal(access(oldest, F_OK), 0);
    assert_int_equal(access(set_aside(keep), F_OK), 0);
    keep_close(keep);
}

static void test_newer_schema(void **state)
{
    struct place *place = *state;
    struct keep *keep = NULL;
    keep_close(place_open(place));
    place_run(place, "PRAGMA user_version = 7");
    for (int repair = 0; repair < 2; repair++) {
        assert_int_equal(keep_open(place->state, repair, true, &keep, &err), -ENOTSUP);
        assert_message(err, "made by a newer supervisor (schema 7, this one knows 5)");
        assert_message(err, place->state);
    }
    assert_int_equal(place_number(place, "PRAGMA user_version"), 7);
    assert_int_equal(count_aside(place), 0);
}

static void test_foreign_database(void **state)
{
    struct place *place = *state;
    struct keep *keep = NULL;
    assert_int_equal(mkdir(place->state, 0700), 0);
    place_run(place, "CREATE TABLE songs (title TEXT)");
    assert_int_equal(keep_open(place->state, true, true, &keep, &err), -ENOTSUP);
    assert_message(err, "some other program's database");
    assert_int_equal(place_number(place, "SELECT count(*) FROM songs"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_corrupt_header),        TEST(test_corrupt_table), TEST(test_truncated),
        TEST(test_only_three_stay_aside), TEST(test_newer_schema),  TEST(test_foreign_database),
    };
    return cmocka_run_group_tests_name("keep_corrupt", tests, NULL, NULL);
}
