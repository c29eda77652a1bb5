/* How long ago a restart was, whatever the clocks did; and how a container was left. */
#include "keep_place.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    assert_ok(keep_last(keep, container, &now, &last, &err), err);
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
    snprintf(try.key, sizeof try.key, "its name is another one now");
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

    struct intent stop = begin(keep, key, "stop", 4000, 1); /* it came upon another life */
    assert_ok(keep_intent_move(keep, stop.id, "another life", &err), err);
    end(keep, stop.id, INTENT_DONE, "");
    assert_string_equal(last_of(keep, first.container).started_at, "another life");
    assert_ok(keep_intent_move(keep, stop.id, "a third", &err), err); /* it has ended */
    assert_string_equal(last_of(keep, first.container).started_at, "another life");
    keep_close(keep);
}

static struct deeds deeds_of(struct keep *keep, const char *for_key, int64_t wall_ms)
{
    struct deeds deeds = {.n = 99};
    struct keep_now now = at(wall_ms);
    assert_ok(keep_deeds(keep, for_key, &now, &deeds, &err), err);
    return deeds;
}

static int64_t deed(struct keep *keep, const char *for_key, const char *verdict, const char *step,
                    const char *blob, int64_t begun_wall_ms)
{
    struct intent intent = longest_intent(begun_wall_ms);
    snprintf(intent.key, sizeof intent.key, "%s", for_key);
    snprintf(intent.verdict, sizeof intent.verdict, "%s", verdict);
    snprintf(intent.step, sizeof intent.step, "%s", step);
    snprintf(intent.blob, sizeof intent.blob, "%s", blob);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    return intent.id;
}

/* What was done about models stays: for the next supervisor, and for a container that is made anew
 * under its name. */
static void test_deeds_of_models(void **state)
{
    struct keep *keep = place_open(*state);
    assert_int_equal(deeds_of(keep, key, 5000).n, 0);
    deed(keep, key, "hung-runner", "kill", "sha256-a", 1000);
    end(keep, deed(keep, key, "growth-leak", "unload", "sha256-b", 2000), INTENT_FAILED, "");
    /* Of another key, dropped, of no model, of what nobody knows, of a step that is not counted. */
    deed(keep, "another", "hung-runner", "kill", "sha256-a", 2000);
    end(keep, deed(keep, key, "hung-runner", "kill", "sha256-a", 2000), INTENT_DROPPED, "");
    deed(keep, key, "orphan-runner", "kill", "", 2000);
    deed(keep, key, "sour-runner", "kill", "sha256-a", 2000);
    deed(keep, key, "growth-leak", "restart", "sha256-a", 2000);
    keep_close(keep);
    keep = place_open(*state);
    struct deeds deeds = deeds_of(keep, key, 5000);
    assert_int_equal(deeds.n, 2);
    assert_true(deeds.all[0].kind == VERDICT_GROWTH_LEAK && deeds.all[0].remedy == REMEDY_UNLOAD &&
                deeds.all[0].age_s == 3 && !strcmp(deeds.all[0].blob, "sha256-b"));
    assert_true(deeds.all[1].kind == VERDICT_HUNG_RUNNER && deeds.all[1].age_s == 4 &&
                deeds.all[1].remedy == REMEDY_KILL_RUNNER &&
                !strcmp(deeds.all[1].blob, "sha256-a"));
    assert_int_equal(deeds_of(keep, key, 3601000).n, 1); /* an hour after the first */
    for (int i = 0; i < DEEDS_MAX + 2; i++)
        deed(keep, key, "hung-runner", "kill", "sha256-c", 3000 + i);
    deeds = deeds_of(keep, key, 5000);
    assert_int_equal(deeds.n, DEEDS_MAX); /* the newest */
    assert_string_equal(deeds.all[DEEDS_MAX - 1].blob, "sha256-c");
    assert_int_equal(deeds_count(&deeds, VERDICT_ORPHAN_RUNNER, REMEDY_UNLOAD, "x", 0, 3600),
                     DEEDS_MAX); /* more than are remembered */
    keep_close(keep);
}

/* Our own loads, of this boot, the newest of each model. */
static void test_own_loads(void **state)
{
    struct keep *keep = place_open(*state);
    struct keep_load *loads;
    size_t n;
    struct keep_now now = {.boottime_s = 100, .boot_id = "a boot"}, later = now;
    later.boottime_s = 130;
    assert_ok(keep_load_begin(keep, key, "m", &now, &err), err);
    assert_ok(keep_load_end(keep, key, "m", &now, &err), err);
    assert_ok(keep_load_begin(keep, "another", "m", &now, &err), err);
    assert_ok(keep_load_begin(keep, key, "m", &later, &err), err);
    assert_ok(keep_load_end(keep, "another", "m", &later, &err), err);
    assert_ok(keep_loads(keep, &later, &loads, &n, &err), err);
    assert_int_equal(n, 3);
    assert_string_equal(loads[0].key, key);
    assert_true(loads[0].load.begun_s == 130 && loads[0].load.ended_s < 0);
    assert_true(loads[1].load.begun_s == 100 && loads[1].load.ended_s == 130);
    assert_string_equal(loads[1].load.model, "m");
    assert_true(loads[2].load.begun_s == 100 && loads[2].load.ended_s == 100);
    free(loads);
    struct keep_now another = at(5000);
    assert_ok(keep_loads(keep, &another, &loads, &n, &err), err);
    assert_int_equal(n, 0);
    free(loads);
    for (int i = 0; i < 300; i++) {
        char model[16];
        snprintf(model, sizeof model, "m%d", i);
        assert_ok(keep_load_begin(keep, key, model, &another, &err), err);
    }
    assert_ok(keep_loads(keep, &another, &loads, &n, &err), err);
    assert_int_equal(n, 256);
    assert_string_equal(loads[0].load.model, "m299");
    free(loads);
    assert_ok(keep_loads(keep, &now, &loads, &n, &err), err);
    assert_int_equal(n, 0); /* of a boot that is over */
    free(loads);
    keep_close(keep);
}

/* What an idle server held, in that life alone. */
static void test_baselines(void **state)
{
    struct keep *keep = place_open(*state);
    fact held = 7;
    assert_ok(keep_baseline_get(keep, "id", "then", &held, &err), err);
    assert_int_equal(held, FACT_UNKNOWN);
    assert_ok(keep_baseline_set(keep, "id", "then", 30, &err), err);
    assert_ok(keep_baseline_set(keep, "id", "then", 20, &err), err);
    keep_close(keep);
    keep = place_open(*state);
    assert_ok(keep_baseline_get(keep, "id", "then", &held, &err), err);
    assert_int_equal(held, 20);
    assert_ok(keep_baseline_get(keep, "id", "later", &held, &err), err);
    assert_int_equal(held, FACT_UNKNOWN);
    assert_int_equal(place_number(*state, "SELECT count(*) FROM baselines"), 1);
    keep_close(keep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {TEST(test_ages_within_a_boot),
                                       TEST(test_ages_without_a_boot_id),
                                       TEST(test_last_stop_or_restart),
                                       TEST(test_deeds_of_models),
                                       TEST(test_own_loads),
                                       TEST(test_baselines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
