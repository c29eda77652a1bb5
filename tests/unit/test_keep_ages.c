/* How long ago a restart was, whatever the clocks did; and how a container was left. */
#include "keep_place.h"
#include <stdio.h>

static const char key[] = "ollama label";
static struct error err;

static struct intent restart_at(int64_t begun_wall_ms)
{
    struct intent intent = longest_intent(begun_wall_ms);
    snprintf(intent.key, sizeof intent.key, "%s", key);
    snprintf(intent.step, sizeof intent.step, "restart");
    return intent;
}

/* Within a boot an age is what the clock since boot says, whatever the wall clock was set to. */
static void test_ages_within_a_boot(void **state)
{
    static const int64_t jumps_ms[] = {0,         3600000,     -3600000,    86400000,
                                       -86400000, 31536000000, -31536000000};
    struct keep *keep = place_open(*state);
    struct intent intent = restart_at(1700000000000);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    for (size_t i = 0; i < sizeof jumps_ms / sizeof jumps_ms[0]; i++) {
        struct restart_history history = {0};
        struct keep_now now = {.wall_ms = intent.begun_wall_ms + jumps_ms[i],
                               .boottime_s = intent.begun_boottime_s + 40};
        snprintf(now.boot_id, sizeof now.boot_id, "%s", intent.boot_id);
        assert_ok(keep_restarts(keep, key, &now, &history, &err), err);
        assert_int_equal(history.in_last_hour, 1);
        assert_true(history.last_age_s == 40 && history.oldest_in_hour_age_s == 40);
        snprintf(now.boot_id, sizeof now.boot_id, "another boot");
        assert_ok(keep_restarts(keep, key, &now, &history, &err), err);
        double wall_s = (double)jumps_ms[i] / 1000; /* it was before this boot began */
        assert_true(history.last_age_s == (wall_s > now.boottime_s ? wall_s : now.boottime_s));
    }
    keep_close(keep);
}

/* Where no boot id can be read a restart still counts, whenever the machine was started. */
static void test_ages_without_a_boot_id(void **state)
{
    static const struct {
        int64_t wall_ms;
        double age_s;
    } cases[] = {{1700000000000, 0}, {1700000040000, 40}, {1699996400000, 0}};
    struct keep *keep = place_open(*state);
    struct intent intent = restart_at(1700000000000);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int known = 0; known < 2; known++) { /* of one of both it is known */
            struct restart_history history = {0};
            struct keep_now now = {.wall_ms = cases[i].wall_ms, .boottime_s = 1000000};
            snprintf(intent.boot_id, sizeof intent.boot_id, "%s", known ? "" : "a boot");
            snprintf(now.boot_id, sizeof now.boot_id, "%s", known ? "a boot" : "");
            assert_ok(keep_intent_begin(keep, &intent, &err), err);
            assert_ok(keep_restarts(keep, key, &now, &history, &err), err);
            assert_true(history.last_age_s == cases[i].age_s);
            assert_int_equal(history.in_last_hour, 2 * i + (size_t)known + 1);
        }
    keep_close(keep);
}

static struct keep_now at(int64_t wall_ms)
{
    return (struct keep_now){.wall_ms = wall_ms, .boot_id = "another boot"};
}

static struct intent begin(struct keep *keep, const char *for_key, const char *step,
                           int64_t begun_wall_ms, fact attempt)
{
    struct intent intent = longest_intent(begun_wall_ms);
    intent.attempt = attempt;
    snprintf(intent.key, sizeof intent.key, "%s", for_key);
    snprintf(intent.step, sizeof intent.step, "%s", step);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    return intent;
}

static void end(struct keep *keep, int64_t id, enum intent_state state, const char *outcome)
{
    assert_ok(keep_intent_end(keep, id, state, 100, 2000, outcome, &err), err);
}

static struct keep_last last_of(struct keep *keep, const char *container)
{
    struct keep_last last = {.id = 7};
    struct keep_now now = at(5000);
    assert_ok(keep_last(keep, container, key, &now, &last, &err), err);
    return last;
}

static void test_last_stop_or_restart(void **state)
{
    struct keep *keep = place_open(*state);
    struct intent first = begin(keep, key, "stop", 1000, 1);
    assert_int_equal(last_of(keep, "of nobody").id, 0);
    struct keep_last last = last_of(keep, first.container);
    assert_true(last.id == first.id && last.stop && !last.start && last.state == INTENT_OPEN);
    assert_string_equal(last.started_at, first.started_at);
    assert_true(last.age_s == 4);
    end(keep, first.id, INTENT_DONE, "");
    begin(keep, key, "unload", 2000, 1); /* is neither */
    last = last_of(keep, first.container);
    assert_true(last.id == first.id && last.stop && last.state == INTENT_DONE);

    struct intent again = begin(keep, key, "restart", 9000, 1); /* from the future: no age */
    last = last_of(keep, first.container);
    assert_true(last.id == again.id && !last.stop && !last.start && last.age_s == 0);
    struct intent try = longest_intent(3000);
    snprintf(try.key, sizeof try.key, "%s", key);
    snprintf(try.step, sizeof try.step, "restart");
    snprintf(try.verdict, sizeof try.verdict, KEEP_START);
    size_t starts = 7;
    assert_ok(keep_starts(keep, &again, &starts, &err), err);
    assert_int_equal(starts, 0);
    assert_ok(keep_intent_begin(keep, &try, &err), err);
    end(keep, try.id, INTENT_FAILED, "no such file");
    last = last_of(keep, first.container);
    assert_true(last.id == try.id && last.start && last.state == INTENT_FAILED);
    assert_string_equal(last.outcome, "no such file");
    assert_ok(keep_starts(keep, &again, &starts, &err), err);
    assert_int_equal(starts, 1);
    snprintf(again.started_at, sizeof again.started_at, "another life");
    assert_ok(keep_starts(keep, &again, &starts, &err), err);
    assert_int_equal(starts, 0);
    keep_close(keep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {TEST(test_ages_within_a_boot),
                                       TEST(test_ages_without_a_boot_id),
                                       TEST(test_last_stop_or_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
