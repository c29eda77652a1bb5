/* Keeping among processes that come, go and are killed. */
#include "keep_place.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 30, PROCESSES = 3, INTENTS = 60, IDS_MAX = 100000 };

static struct error err;

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void check_whole(const struct place *place)
{
    char text[64];
    place_text(place, "PRAGMA integrity_check", text, sizeof text);
    assert_string_equal(text, "ok");
}

/* Begins and ends intents for ever and reports each id once its begin was said to be kept, and once
 * more, negative, its end. */
static void commit_for_ever(const struct place *place, int report)
{
    struct keep *keep = NULL;
    if (keep_open(place->state, true, true, &keep, NULL) < 0)
        _exit(1);
    for (int64_t i = 0;; i++) {
        struct intent intent = longest_intent(i);
        if (keep_intent_begin(keep, &intent, NULL) < 0 ||
            write(report, &intent.id, sizeof intent.id) < 0)
            _exit(2);
        int64_t ended = -intent.id;
        if (keep_intent_end(keep, intent.id, INTENT_DONE, 1, 1, "done", NULL) < 0 ||
            write(report, &ended, sizeof ended) < 0)
            _exit(3);
    }
}

static void test_killed_while_committing(void **state)
{
    struct place *place = *state;
    static int64_t begun[IDS_MAX];
    int n_begun = 0;
    int64_t last_ended = 0;
    srandom((unsigned)time(NULL));
    for (int kills = 0; kills < KILLS; kills++) {
        int report[2], status = 0;
        assert_int_equal(pipe(report), 0);
        pid_t child = fork();
        if (child == 0) {
            close(report[0]);
            commit_for_ever(place, report[1]);
        }
        close(report[1]);
        struct pollfd first = {.fd = report[0], .events = POLLIN};
        if (kills % 3) /* the third ones die while they open, or wherever they are then */
            assert_int_equal(poll(&first, 1, 30000), 1);
        sleep_ms(random() % 60);
        assert_int_equal(kill(child, SIGKILL), 0);
        int64_t number = 0;
        while (read(report[0], &number, sizeof number) == sizeof number)
            if (number > 0 && n_begun < IDS_MAX)
                begun[n_begun++] = number;
            else if (number < 0)
                last_ended = -number;
        close(report[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status)); /* it did not end by itself, for a failure */
    }
    print_message("          %d intents reported by %d processes before they were killed\n",
                  n_begun, KILLS);
    assert_true(n_begun > KILLS);
    check_whole(place);
    struct keep *keep = place_open(place);
    struct intent *intents = NULL;
    size_t n = 0;
    assert_ok(keep_intents_recent(keep, "", SIZE_MAX, &intents, &n, &err), err);
    int n_checked = 0;
    for (size_t i = 0; i < n; i++) {
        /* oldest first, as they were reported; one of them may be there unreported */
        const struct intent *intent = &intents[n - 1 - i];
        if (n_checked < n_begun && intent->id == begun[n_checked])
            n_checked++;
        if (intent->id == last_ended)
            assert_int_equal(intent->state, INTENT_DONE);
    }
    assert_int_equal(n_checked, n_begun);
    free(intents);
    assert_ok(keep_intents_open(keep, &intents, &n, &err), err);
    assert_in_range(n, 0, KILLS); /* what each was at when it died, no more */
    free(intents);
    keep_close(keep);
}

static int begin_end_hold(struct keep *keep, int number)
{
    struct intent intent = longest_intent(number);
    int r = keep_intent_begin(keep, &intent, &err);
    if (r == 0)
        r = keep_intent_end(keep, intent.id, INTENT_DONE, 1, 1, "", &err);
    return r == 0 ? keep_hold_set(keep, "shared", number + 1, "", &err) : r;
}

/* The first process opens and closes each time, as commands do; the others stay. */
static void work(const struct place *place, int number)
{
    struct keep *keep = NULL;
    int r = 0;
    for (int i = 0; r == 0 && i < INTENTS; i++) {
        if (!keep)
            r = keep_open(place->state, number == 1, true, &keep, &err);
        if (r == 0)
            r = begin_end_hold(keep, number);
        if (number == 0) {
            keep_close(keep);
            keep = NULL;
        }
    }
    if (r < 0)
        print_error("process %d: %s\n", number, err.message);
    keep_close(keep);
    _exit(r < 0);
}

static void test_processes_at_once(void **state)
{
    struct place *place = *state;
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        if ((children[i] = fork()) == 0)
            work(place, i);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    check_whole(place);
    assert_int_equal(place_number(place, "SELECT count(*) FROM intents WHERE state = 1"),
                     PROCESSES * INTENTS);
}

static void hold_database(const char *directory)
{
    char path[160];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/supervisor.db", directory);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        _exit(1);
}

static void test_database_held_too_long(void **state)
{
    struct place *place = *state;
    int stay = -1, status = 0;
    struct intent *intents = NULL, intent = longest_intent(1);
    size_t n = 1;
    keep_close(place_open(place));
    pid_t child = place_child(hold_database, place->state, &stay);
    struct keep *keep = place_open(place);
    assert_int_equal(keep_intent_begin(keep, &intent, &err), -EBUSY);
    assert_message(err, place->state);
    assert_message(err, "held it for more than 2 s");
    assert_ok(keep_intents_open(keep, &intents, &n, &err), err); /* reading goes on */
    assert_int_equal(n, 0);
    close(stay);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(keep_intent_begin(keep, &intent, &err), err);
    keep_close(keep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_killed_while_committing),
        TEST(test_processes_at_once),
        TEST(test_database_held_too_long),
    };
    return cmocka_run_group_tests_name("keep_death", tests, NULL, NULL);
}
