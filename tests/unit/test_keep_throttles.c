/* What is kept of throttles, and the database of a supervisor that knew of none. */
#include "keep/throttles.h"
#include "keep_place.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct error err;

static struct throttle one(const char *container, fact inode)
{
    struct throttle t = {.version = 2,
                         .inode = inode,
                         .high_before = FACT_NONE,
                         .high_set = 1153433600,
                         .quota_before_us = FACT_UNKNOWN,
                         .quota_set_us = FACT_UNKNOWN,
                         .period_us = 100000,
                         .since_wall_ms = 1234567890123};
    snprintf(t.container, sizeof t.container, "%s", container);
    snprintf(t.name, sizeof t.name, "the name");
    snprintf(t.started_at, sizeof t.started_at, "2026-11-21T12:00:00Z");
    snprintf(t.boot_id, sizeof t.boot_id, "boot");
    memset(t.directory, 'd', sizeof t.directory - 1);
    memset(t.cpu_directory, 'c', sizeof t.cpu_directory - 1);
    return t;
}

static size_t count(struct keep *keep, struct throttle *ret_first)
{
    struct throttle *throttles = NULL;
    size_t n = 99;
    assert_ok(keep_throttles(keep, &throttles, &n, &err), err);
    if (n && ret_first)
        *ret_first = throttles[0];
    free(throttles);
    return n;
}

static void test_comes_back_as_it_went(void **state)
{
    struct keep *keep = place_open(*state);
    struct throttle t = one("abc", 7), read = {0};
    assert_int_equal(count(keep, NULL), 0);
    assert_ok(keep_throttle_begin(keep, &t, &err), err);
    keep_close(keep);
    keep = place_open(*state);
    assert_int_equal(count(keep, &read), 1);
    assert_memory_equal(&read, &t, sizeof t);
    assert_ok(keep_throttle_end(keep, "abc", &err), err);
    assert_ok(keep_throttle_end(keep, "abc", &err), err);
    assert_int_equal(count(keep, NULL), 0);
    keep_close(keep);
}

/* The values of before are never written over by those of the throttle itself. */
static void test_a_standing_one_is_not_replaced(void **state)
{
    struct keep *keep = place_open(*state);
    struct throttle t = one("abc", 7), again = one("abc", 7), read = {0};
    assert_ok(keep_throttle_begin(keep, &t, &err), err);
    again.high_before = t.high_set;
    assert_int_equal(keep_throttle_begin(keep, &again, &err), -EEXIST);
    assert_message(err, "not undone");
    assert_int_equal(count(keep, &read), 1);
    assert_true(read.high_before == FACT_NONE);
    again.inode = 8; /* another life */
    assert_ok(keep_throttle_begin(keep, &again, &err), err);
    assert_int_equal(count(keep, &read), 1);
    assert_true(read.inode == 8 && read.high_before == t.high_set);
    snprintf(again.boot_id, sizeof again.boot_id, "next boot");
    again.high_before = 5;
    assert_ok(keep_throttle_begin(keep, &again, &err), err);
    assert_int_equal(count(keep, &read), 1);
    assert_true(read.high_before == 5);
    keep_close(keep);
}

static void test_a_full_disk_takes_it_and_lets_it_go(void **state)
{
    struct place *place = *state;
    char container[16];
    place_mount_tmpfs(place, "8m");
    struct keep *keep = place_open(place);
    place_fill(place);
    for (int i = 0; i < 20; i++) {
        snprintf(container, sizeof container, "c%d", i);
        struct throttle t = one(container, i);
        assert_ok(keep_throttle_begin(keep, &t, &err), err);
    }
    assert_int_equal(count(keep, NULL), 20);
    for (int i = 0; i < 20; i++) {
        snprintf(container, sizeof container, "c%d", i);
        assert_ok(keep_throttle_end(keep, container, &err), err);
    }
    assert_int_equal(count(keep, NULL), 0);
    keep_close(keep);
}

/* As the first schema left it: intents stay, throttles can be kept. */
static void test_the_first_schema_is_led_on(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    struct intent intent = longest_intent(1);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    keep_close(keep);
    place_run(place, "DROP TABLE throttles");
    place_run(place, "DROP INDEX intents_stop");
    place_run(place, "DROP INDEX intents_blob");
    place_run(place, "DROP INDEX intents_restarted");
    place_run(place, "ALTER TABLE intents DROP COLUMN blob");
    place_run(place, "DROP TABLE loads");
    place_run(place, "DROP TABLE baselines");
    place_run(place, "PRAGMA user_version = 1");
    keep = place_open(place);
    assert_int_equal(place_number(place, "PRAGMA user_version"), 5);
    assert_int_equal(
        place_number(place, "SELECT count(*) FROM sqlite_schema WHERE name = 'intents_stop'"), 1);
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents"), 1);
    struct throttle t = one("abc", 7);
    assert_ok(keep_throttle_begin(keep, &t, &err), err);
    assert_int_equal(count(keep, NULL), 1);
    keep_close(keep);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_comes_back_as_it_went),
        TEST(test_a_standing_one_is_not_replaced),
        TEST(test_a_full_disk_takes_it_and_lets_it_go),
        TEST(test_the_first_schema_is_led_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
