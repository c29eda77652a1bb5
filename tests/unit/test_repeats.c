/* What is said again and again: how much of it is said, and that no count is lost. */
#include "base/repeats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct repeats_rule rule = {
    .one_burst = 4, .all_burst = 20, .one_every_s = 60, .all_every_s = 10};

/* The counts that are due, together. */
static unsigned due(struct repeats *repeats, double now_s)
{
    unsigned sum = 0, n;
    while (repeats_due(repeats, now_s, &n))
        sum += n;
    return sum;
}

static void one_thing_for_ever(void **state)
{
    struct repeats repeats = {.rule = &rule};
    unsigned said = 0, counted = 0, times = 3600 * 4;
    for (unsigned i = 0; i < times; i++) {
        double now_s = 1000 + i / 4.0;
        unsigned n = due(&repeats, now_s);
        counted += n;
        said += n > 0; /* a line of its own */
        said += repeats_may(&repeats, "engine-lost", "engine", "", now_s);
        if (i == 100)
            assert_int_equal(said, 4);
    }
    assert_in_range(said, 4, 4 + 60);
    unsigned alone = said - 60;
    assert_in_range(counted + due(&repeats, 100000), times - 4 - 60, times - 4);
    assert_true(alone <= 5);
    assert_true(
        repeats_may(&repeats, "engine-lost", "engine", "", 100001)); /* it was quiet since */
    (void)state;
}

static void others_are_said_meanwhile(void **state)
{
    struct repeats repeats = {.rule = &rule};
    for (int i = 0; i < 10; i++)
        repeats_may(&repeats, "died", "crashing", "", 5);
    assert_false(repeats_may(&repeats, "died", "crashing", "", 5));
    assert_true(repeats_may(&repeats, "died", "neighbour", "", 5));
    assert_true(repeats_may(&repeats, "started", "crashing", "", 5));
    assert_true(repeats_may(&repeats, "died", "crashing", "another model", 5));
    unsigned n;
    assert_null(repeats_due(&repeats, 6, &n));
    const struct repeated *r = repeats_due(&repeats, 70, &n);
    assert_non_null(r);
    assert_string_equal(r->kind, "died");
    assert_string_equal(r->about, "crashing");
    assert_int_equal(n, 7);
    (void)state;
}

/* A new name each time does not help: all of a kind have a bound. */
static void a_new_name_each_time(void **state)
{
    struct repeats repeats = {.rule = &rule};
    unsigned said = 0, counted = 0;
    char name[32];
    for (int i = 0; i < 5000; i++) {
        double now_s = 1 + i / 10.0;
        snprintf(name, sizeof name, "container-%d", i);
        unsigned n = due(&repeats, now_s);
        counted += n;
        said += n > 0;
        said += repeats_may(&repeats, "found", name, "", now_s);
    }
    assert_in_range(said, 20, 20 + 50 + 1);
    assert_true(counted + said > 4900);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thing_for_ever),
        cmocka_unit_test(others_are_said_meanwhile),
        cmocka_unit_test(a_new_name_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
