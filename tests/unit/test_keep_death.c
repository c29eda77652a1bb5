/* Keeping among processes that come, go and are killed. */
#include "keep_place.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILLS = 30, PROCESSES = 3, INTENTS = 60, IDS_MAX = 100000 };

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
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
    if (keep_open(place->state, true, &keep, NULL) < 0)
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
        sleep_ms(10 + random() % 90); /* the first ones die while they open */
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
            r = keep_open(place->state, number == 1, &keep, &err);
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

/* Runs `child` in a process that stays until the pipe's end that is given back is closed. */
static pid_t in_child(void (*child)(const char *directory), const char *directory, int *ret_pipe)
{
    int ready[2], stay[2];
    char byte = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(stay, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(stay[1]);
        child(directory);
        if (write(ready[1], "", 1) == 1 && read(stay[0], &byte, 1) == 0)
            _exit(0);
        _exit(1);
    }
    close(ready[1]);
    close(stay[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *ret_pipe = stay[1];
    return pid;
}

static void hold_both_locks(const char *directory)
{
    struct keep_lock *daemon_lock = NULL, *container = NULL;
    if (keep_lock_daemon(directory, &daemon_lock, NULL, NULL) < 0 ||
        keep_lock_container(directory, id, &container, NULL, NULL) < 0)
        _exit(1);
}

static void assert_held_by(const char *directory, fact pid)
{
    struct keep_lock *lock = NULL;
    fact holder = 0;
    char who[32];
    snprintf(who, sizeof who, "(pid %d)", (int)pid);
    assert_int_equal(keep_lock_daemon(directory, &lock, &holder, &err), -EWOULDBLOCK);
    assert_int_equal(holder, pid);
    assert_message(err, directory);
    assert_message(err, who);
    holder = 0;
    assert_int_equal(keep_lock_container(directory, id, &lock, &holder, &err), -EWOULDBLOCK);
    assert_int_equal(holder, pid);
    assert_message(err, "container 0123456789ab is being worked on");
    assert_message(err, who);
    assert_null(lock);
}

static void take_both(const char *directory)
{
    struct keep_lock *daemon_lock = NULL, *container = NULL;
    assert_ok(keep_lock_daemon(directory, &daemon_lock, NULL, &err), err);
    assert_ok(keep_lock_container(directory, id, &container, NULL, &err), err);
    keep_unlock(container);
    keep_unlock(daemon_lock);
}

static void test_kernel_frees_locks(void **state)
{
    struct place *place = *state;
    int stay = -1, status = 0;
    pid_t child = in_child(hold_both_locks, place->state, &stay);
    assert_held_by(place->state, child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(stay);
    take_both(place->state);
    take_both(place->state);
}

static void test_locks_within_a_process(void **state)
{
    struct place *place = *state;
    struct keep_lock *lock = NULL, *second = NULL;
    fact holder = FACT_UNKNOWN;
    assert_ok(keep_lock_container(place->state, id, &lock, &holder, &err), err);
    assert_int_equal(holder, FACT_UNKNOWN); /* said on failure only */
    assert_int_equal(keep_lock_container(place->state, id, &second, &holder, NULL), -EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    keep_unlock(lock);
    assert_ok(keep_lock_container(place->state, id, &second, NULL, &err), err);
    keep_unlock(second);
    keep_unlock(NULL);
    char path[200];
    snprintf(path, sizeof path, "%s/locks/%s.lock", place->state, id);
    assert_int_equal(access(path, F_OK), -1); /* containers come and go; their locks too */
}

/* The pid of a holder that is gone is nobody's. */
static void test_stale_pid_is_unknown(void **state)
{
    struct place *place = *state;
    int status = 0, stay = -1;
    pid_t gone = in_child(hold_both_locks, place->state, &stay);
    close(stay);
    assert_int_equal(waitpid(gone, &status, 0), gone);
    assert_int_equal(status, 0);
    struct keep_lock *lock = NULL, *second = NULL;
    assert_ok(keep_lock_daemon(place->state, &lock, NULL, &err), err);
    char path[160], text[32];
    snprintf(path, sizeof path, "%s/supervisor.lock", place->state);
    snprintf(text, sizeof text, "%11d\n", (int)gone);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    fact holder = 0;
    assert_int_equal(keep_lock_daemon(place->state, &second, &holder, &err), -EWOULDBLOCK);
    assert_int_equal(holder, FACT_UNKNOWN);
    assert_null(strstr(err.message, "pid"));
    keep_unlock(lock);
}

static void test_locks_are_not_inherited(void **state)
{
    struct place *place = *state;
    struct keep_lock *daemon_lock = NULL, *container = NULL;
    assert_ok(keep_lock_daemon(place->state, &daemon_lock, NULL, &err), err);
    assert_ok(keep_lock_container(place->state, id, &container, NULL, &err), err);
    char command[160];
    snprintf(command, sizeof command, "ls -l /proc/self/fd | grep -q '%s'", place->state);
    assert_int_equal(WEXITSTATUS(system(command)), 1); /* grep: none */
    snprintf(command, sizeof command, "ls -l /proc/$PPID/fd | grep -c '%s' | grep -qx 2",
             place->state);
    assert_int_equal(system(command), 0); /* and it looked in the right way: both are here */
    keep_unlock(container);
    keep_unlock(daemon_lock);
}

static void test_lock_names(void **state)
{
    struct place *place = *state;
    static const char *const bad[] = {
        "",
        "0123",
        "../../../etc/passwd",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg",
        "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde/",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct keep_lock *lock = NULL;
        assert_int_equal(keep_lock_container(place->state, bad[i], &lock, NULL, &err), -EINVAL);
        assert_int_equal(err.failure, FAILURE_USAGE);
        assert_message(err, bad[i]);
        assert_null(lock);
    }
}

static void test_lock_through_symlink_is_refused(void **state)
{
    struct place *place = *state;
    struct keep_lock *lock = NULL;
    char path[160], target[160];
    keep_close(place_open(place));
    snprintf(path, sizeof path, "%s/supervisor.lock", place->state);
    snprintf(target, sizeof target, "%s/target", place->root);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(keep_lock_daemon(place->state, &lock, NULL, &err), -ELOOP);
    assert_message(err, path);
    assert_int_equal(access(target, F_OK), -1);
}

/* On a full disk too a container that has no lock file yet is locked. */
static void test_lock_on_a_full_disk(void **state)
{
    struct place *place = *state;
    place_mount_ext4(place, 16);
    struct keep *keep = place_open(place);
    place_fill(place);
    int stay = -1, status = 0;
    pid_t child = in_child(hold_both_locks, place->state, &stay);
    struct keep_lock *lock = NULL;
    fact holder = 0;
    assert_int_equal(keep_lock_container(place->state, id, &lock, &holder, &err), -EWOULDBLOCK);
    assert_true(holder == child || holder == FACT_UNKNOWN); /* its pid may have found no room */
    close(stay);
    assert_int_equal(waitpid(child, &status, 0), child);
    take_both(place->state);
    keep_close(keep);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        TEST(test_killed_while_committing),
        TEST(test_processes_at_once),
        TEST(test_kernel_frees_locks),
        TEST(test_locks_within_a_process),
        TEST(test_stale_pid_is_unknown),
        TEST(test_locks_are_not_inherited),
        TEST(test_lock_names),
        TEST(test_lock_through_symlink_is_refused),
        TEST(test_lock_on_a_full_disk),
    };
    return cmocka_run_group_tests_name("keep_death", tests, NULL, NULL);
}
