/* What is kept: intents, restarts, holds, footprints. */
#include "keep_place.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char key[] = "ollama label";
static struct error err;

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

static mode_t mode_of(const struct place *place, const char *name)
{
    char path[160];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", place->state, name);
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static void test_files_are_private(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    assert_int_equal(mode_of(place, ""), 0700);
    assert_int_equal(mode_of(place, "/locks"), 0700);
    assert_int_equal(mode_of(place, "/supervisor.db"), 0600);
    assert_int_equal(mode_of(place, "/supervisor.db-wal"), 0600);
    assert_int_equal(mode_of(place, "/supervisor.db-shm"), 0600);
    assert_int_equal(mode_of(place, "/supervisor.db.lock"), 0600);
    keep_close(keep);
    keep_close(NULL);
}

static void test_intent_comes_back_as_it_went(void **state)
{
    struct keep *keep = place_open(*state);
    struct intent begun = longest_intent(1234567890123), *read = NULL;
    size_t n = 0;
    begun.pid = FACT_UNKNOWN;
    begun.held_before = FACT_NONE;
    assert_ok(keep_intent_begin(keep, &begun, &err), err);
    assert_true(begun.id > 0);
    keep_close(keep);

    keep = place_open(*state);
    assert_ok(keep_intents_open(keep, &read, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(read->id, begun.id);
    assert_string_equal(read->container, begun.container);
    assert_string_equal(read->started_at, begun.started_at);
    assert_string_equal(read->key, begun.key);
    assert_string_equal(read->verdict, begun.verdict);
    assert_string_equal(read->step, begun.step);
    assert_int_equal(read->pid, FACT_UNKNOWN);
    assert_int_equal(read->process_started_us, begun.process_started_us);
    assert_int_equal(read->grace_s, begun.grace_s);
    assert_int_equal(read->begun_wall_ms, begun.begun_wall_ms);
    assert_string_equal(read->boot_id, begun.boot_id);
    assert_true(read->begun_boottime_s == begun.begun_boottime_s);
    assert_int_equal(read->attempt, begun.attempt);
    assert_int_equal(read->held_before, FACT_NONE);
    assert_int_equal(read->held_after, FACT_UNKNOWN);
    assert_int_equal(read->state, INTENT_OPEN);
    assert_int_equal(read->ended_wall_ms, 0);
    assert_string_equal(read->outcome, "");
    free(read);
    keep_close(keep);
}

static void test_first_end_stays(void **state)
{
    struct keep *keep = place_open(*state);
    struct intent intent = begin(keep, key, "restart", 1000, 1), *read = NULL;
    size_t n = 1;
    char outcome[400];
    memset(outcome, 'o', sizeof outcome);
    memcpy(outcome + 254, "\xc3\xa9", 3); /* its second byte would be the 256th */

    assert_int_equal(keep_intent_end(keep, intent.id, INTENT_OPEN, 1, 1, "", &err), -EINVAL);
    end(keep, intent.id, INTENT_FAILED, outcome);
    end(keep, intent.id, INTENT_DONE, "later");
    assert_ok(keep_intents_open(keep, &read, &n, &err), err);
    assert_int_equal(n, 0);
    assert_null(read);
    assert_ok(keep_intents_recent(keep, key, 5, &read, &n, &err), err);
    assert_int_equal(n, 1);
    assert_int_equal(read->state, INTENT_FAILED);
    assert_int_equal(read->held_after, 100);
    assert_int_equal(read->ended_wall_ms, 2000);
    assert_int_equal(strlen(read->outcome), 254); /* cut before the character, not in it */
    free(read);

    assert_int_equal(keep_intent_end(keep, 77, INTENT_DONE, 1, 1, NULL, &err), -ENOENT);
    assert_int_equal(err.code, -ENOENT);
    assert_message(err, "no intent 77");
    keep_close(keep);
}

static void test_recent_is_newest_first(void **state)
{
    struct keep *keep = place_open(*state);
    struct intent *read = NULL;
    size_t n = 0;
    for (int i = 0; i < 40; i++)
        begin(keep, i % 2 ? "odd" : "even", "unload", i, 1);
    assert_ok(keep_intents_recent(keep, "", SIZE_MAX, &read, &n, &err), err);
    assert_int_equal(n, 40);
    assert_int_equal(read[0].begun_wall_ms, 39);
    assert_int_equal(read[39].begun_wall_ms, 0);
    free(read);
    assert_ok(keep_intents_recent(keep, "even", 2, &read, &n, &err), err);
    assert_int_equal(n, 2);
    assert_int_equal(read[0].begun_wall_ms, 38);
    assert_int_equal(read[1].begun_wall_ms, 36);
    free(read);
    assert_ok(keep_intents_open(keep, &read, &n, &err), err);
    assert_int_equal(n, 40);
    assert_int_equal(read[0].begun_wall_ms, 0);
    free(read);
    keep_close(keep);
}

static struct keep_now at(int64_t wall_ms)
{
    return (struct keep_now){.wall_ms = wall_ms, .boot_id = "another boot"};
}

static struct restart_history restarts(struct keep *keep, const char *of, int64_t now_wall_ms)
{
    struct restart_history history = {0};
    struct keep_now now = at(now_wall_ms);
    assert_ok(keep_restarts(keep, of, &now, &history, &err), err);
    return history;
}

static void test_restarts_of_the_hour(void **state)
{
    struct keep *keep = place_open(*state);
    const int64_t hour = 3600000, now = 10 * hour;
    struct restart_history history = restarts(keep, key, now);
    assert_int_equal(history.in_last_hour, 0);
    assert_true(history.oldest_in_hour_age_s == 0 && history.last_age_s < 0);
    assert_int_equal(history.last_id, 0);
    assert_int_equal(history.last_attempt, 0);

    begin(keep, key, "restart", now - hour, 1);     /* an hour ago: no more */
    begin(keep, key, "restart", now + 5 * hour, 2); /* from the future: it was just now */
    begin(keep, key, "restart", now - hour + 1000, 3);
    begin(keep, key, "unload", now, 9);
    begin(keep, "another", "restart", now, 9);
    end(keep, begin(keep, key, "restart", now, 9).id, INTENT_DROPPED, "healed by itself");
    struct intent last = begin(keep, key, "restart", now - 5000, 4);
    end(keep, last.id, INTENT_FAILED, "no answer");
    history = restarts(keep, key, now);
    assert_int_equal(history.in_last_hour, 3);
    assert_true(history.oldest_in_hour_age_s == 3599 && history.last_age_s == 5);
    assert_int_equal(history.last_id, last.id);
    assert_int_equal(history.last_attempt, 4);
    keep_close(keep);
}

static int64_t held_since(struct keep *keep, const char *of)
{
    int64_t since = -1;
    assert_ok(keep_hold_get(keep, of, &since, &err), err);
    return since;
}

static void test_release_forgets_hold_and_restarts(void **state)
{
    struct keep *keep = place_open(*state);
    const int64_t now = 100000000;
    assert_int_equal(held_since(keep, key), 0);
    begin(keep, key, "restart", now + 50, 3);
    assert_ok(keep_footprint_raise(keep, key, 4096, &err), err);
    assert_ok(keep_hold_set(keep, key, now, "3 restarts in an hour", &err), err);
    assert_ok(keep_hold_set(keep, key, now + 1, NULL, &err), err);
    keep_close(keep);

    keep = place_open(*state);
    assert_int_equal(held_since(keep, key), now + 1);
    assert_int_equal(held_since(keep, "another"), 0);
    assert_ok(keep_release(keep, key, now + 2, &err), err);
    assert_int_equal(held_since(keep, key), 0);
    assert_int_equal(restarts(keep, key, now).in_last_hour, 0); /* though begun after `now` */
    assert_int_equal(restarts(keep, key, now).last_id, 0);
    begin(keep, key, "restart", now - 7, 1); /* the clock was set back */
    assert_int_equal(restarts(keep, key, now).in_last_hour, 1);

    assert_int_equal(keep_release(keep, key, now + 3, &err), -ENOENT);
    assert_message(err, key);
    assert_int_equal(restarts(keep, key, now).in_last_hour, 0);
    assert_int_equal(keep_release(keep, "never seen", now, &err), -ENOENT);
    fact footprint = 0;
    assert_ok(keep_footprint_get(keep, key, &footprint, &err), err);
    assert_int_equal(footprint, 4096);
    assert_ok(keep_hold_set(keep, key, now, "", &err), err);
    assert_ok(keep_hold_set(keep, key, 0, "", &err), err);
    assert_int_equal(held_since(keep, key), 0);
    keep_close(keep);
}

static void test_footprint_only_rises(void **state)
{
    struct keep *keep = place_open(*state);
    const fact raises[] = {FACT_UNKNOWN, FACT_NONE, 500, 300, FACT_UNKNOWN, 700, 699};
    const fact wanted[] = {FACT_UNKNOWN, FACT_UNKNOWN, 500, 500, 500, 700, 700};
    for (size_t i = 0; i < sizeof raises / sizeof raises[0]; i++) {
        fact held = 12345;
        assert_ok(keep_footprint_raise(keep, key, raises[i], &err), err);
        assert_ok(keep_footprint_get(keep, key, &held, &err), err);
        assert_int_equal(held, wanted[i]);
    }
    keep_close(keep);
}

static void test_keys_are_bounded(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    fact held = 0;
    assert_ok(keep_footprint_raise(keep, "oldest", 1, &err), err);
    assert_ok(keep_hold_set(keep, "held", 5, "", &err), err);
    place_run(place,
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4094)"
              " INSERT INTO keys (key, footprint) SELECT 'key ' || i, i FROM n");
    assert_int_equal(place_number(place, "SELECT count(*) FROM keys"), 4096);
    assert_ok(keep_footprint_raise(keep, "one", 1, &err), err);
    assert_ok(keep_footprint_raise(keep, "two", 2, &err), err);
    assert_int_equal(place_number(place, "SELECT count(*) FROM keys"), 4096);
    assert_int_equal(held_since(keep, "held"), 5);
    assert_ok(keep_footprint_get(keep, "oldest", &held, &err), err);
    assert_int_equal(held, FACT_UNKNOWN);
    assert_ok(keep_footprint_get(keep, "two", &held, &err), err);
    assert_int_equal(held, 2);
    /* What is written last stays, whatever else is held; what is written again is not the oldest.
     */
    place_run(place, "UPDATE keys SET hold_since_ms = 5");
    assert_ok(keep_footprint_raise(keep, "three", 3, &err), err);
    assert_ok(keep_footprint_get(keep, "three", &held, &err), err);
    assert_int_equal(held, 3);
    place_run(place, "UPDATE keys SET hold_since_ms = 0");
    char first[64];
    place_text(place, "SELECT key FROM keys ORDER BY rowid LIMIT 1", first, sizeof first);
    assert_ok(keep_footprint_raise(keep, first, INT64_MAX, &err), err);
    assert_ok(keep_footprint_raise(keep, "four", 4, &err), err);
    assert_ok(keep_footprint_get(keep, first, &held, &err), err);
    assert_int_equal(held, INT64_MAX);
    assert_int_equal(place_number(place, "SELECT count(*) FROM keys"), 4096);
    keep_close(keep);
}

/* Rows of intents by the same statement that begins one, many at a time. */
static void fill_intents(const struct place *place, int rows, int of_state)
{
    char sql[700];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO intents (container, started_at, key, verdict, step, pid,"
             " process_started_us, grace_s, begun_wall_ms, boot_id, begun_boottime_s, attempt,"
             " held_before, held_after, state, ended_wall_ms, outcome)"
             " SELECT hex(zeroblob(32)), '2026-11-21T03:48:28.972123456Z', 'ollama', 'idle-leak',"
             " 'restart', 1, 1, 10, i, hex(zeroblob(18)), i, 1, 1, 1, %d, i, 'restarted' FROM n",
             rows, of_state);
    place_run(place, sql);
}

static void test_ended_intents_are_bounded(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    int64_t first_open = begin(keep, key, "restart", 1, 1).id;
    fill_intents(place, 12000, INTENT_DONE);
    begin(keep, key, "restart", 1, 1);
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents WHERE state <> 0"), 10000);
    assert_int_equal(place_number(place, "SELECT min(id) FROM intents"), first_open);
    assert_int_equal(place_number(place, "SELECT min(id) FROM intents WHERE state <> 0"), 2002);
    keep_close(keep);
}

static void test_open_intents_are_bounded(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    struct intent intent = longest_intent(1);
    fill_intents(place, 4096, INTENT_OPEN);
    assert_ok(keep_intent_begin(keep, &intent, &err), err); /* the oldest goes */
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents WHERE state = 0"), 4096);
    assert_int_equal(place_number(place, "SELECT min(id) FROM intents WHERE state = 0"), 2);
    end(keep, intent.id, INTENT_DONE, "");
    keep_close(keep);
}

static void *begin_fifty(void *keep)
{
    static const int64_t failed = 1;
    for (int i = 0; i < 50; i++) {
        struct intent intent = longest_intent(i);
        if (keep_intent_begin(keep, &intent, NULL) < 0 ||
            keep_intent_end(keep, intent.id, INTENT_DONE, i, i, "", NULL) < 0)
            return (void *)&failed;
    }
    return NULL;
}

static void test_threads_share_a_handle(void **state)
{
    struct place *place = *state;
    struct keep *keep = place_open(place);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, begin_fifty, keep), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents WHERE state = 1"), 200);
    keep_close(keep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_files_are_private),         TEST(test_intent_comes_back_as_it_went),
        TEST(test_first_end_stays),           TEST(test_recent_is_newest_first),
        TEST(test_restarts_of_the_hour),      TEST(test_release_forgets_hold_and_restarts),
        TEST(test_footprint_only_rises),      TEST(test_keys_are_bounded),
        TEST(test_ended_intents_are_bounded), TEST(test_open_intents_are_bounded),
        TEST(test_threads_share_a_handle),
    };
    return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
