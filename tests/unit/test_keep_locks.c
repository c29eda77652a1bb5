/* Locks among processes: one holder, known by its pid, freed by the kernel. */
#include "keep_place.h"

#include "keep/private.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 3, LOCK_ROUNDS = 1000 };

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct error err;

static void hold_both_locks(const char *directory)
{
    struct keep_lock *daemon_lock = NULL, *container = NULL;
    if (keep_lock_daemon(directory, &daemon_lock, NULL, NULL) < 0 ||
        keep_lock_one(directory, false, id, &container, NULL, NULL) < 0)
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
    assert_int_equal(keep_lock_one(directory, false, id, &lock, &holder, &err), -EWOULDBLOCK);
    assert_int_equal(holder, pid);
    assert_message(err, "container 0123456789ab is being worked on");
    assert_message(err, who);
    assert_null(lock);
}

static void take_both(const char *directory)
{
    struct keep_lock *daemon_lock = NULL, *container = NULL;
    assert_ok(keep_lock_daemon(directory, &daemon_lock, NULL, &err), err);
    assert_ok(keep_lock_one(directory, false, id, &container, NULL, &err), err);
    keep_unlock(container);
    keep_unlock(daemon_lock);
}

static void test_kernel_frees_locks(void **state)
{
    struct place *place = *state;
    int stay = -1, status = 0;
    pid_t child = place_child(hold_both_locks, place->state, &stay);
    assert_held_by(place->state, child);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    close(stay);
    take_both(place->state);
    take_both(place->state);
}

static struct keep_lock *take_life(const char *run)
{
    struct keep_lock *lock = NULL;
    assert_ok(keep_lock_one(run, true, id, &lock, NULL, &err), err);
    return lock;
}

/* With the host's, where there is one (root). */
static void test_both_are_given_back(void **state)
{
    const struct place *place = *state;
    for (int i = 0; i < 2; i++) {
        struct keep_lock *lock = NULL;
        int r = keep_lock_container(place->state, id, &lock, NULL, &err);
        if (r == -EWOULDBLOCK)
            return; /* these tests run twice on this host */
        assert_int_equal(r, 0);
        assert_true(keep_lock_holds(lock));
        keep_unlock(lock);
    }
}

static void run_of(const struct place *place, char run[96], char locks[128], char file[224])
{
    snprintf(run, 96, "%s/run", place->root);
    snprintf(locks, 128, "%s/supervisor/locks", run);
    snprintf(file, 224, "%s/%s.lock", locks, id);
    assert_int_equal(mkdir(run, 0755), 0);
}

/* Whatever state directories they have, one of them holds it; nothing is left behind. */
static void test_life_is_shared(void **state)
{
    char run[96], locks[128], file[224];
    struct stat st;
    fact holder = FACT_UNKNOWN;
    run_of(*state, run, locks, file);
    struct keep_lock *lock = take_life(run), *second = NULL;
    assert_int_equal(keep_lock_one(run, true, id, &second, &holder, &err), -EWOULDBLOCK);
    assert_message(err, "another supervisor (pid ");
    assert_int_equal(holder, getpid());
    assert_int_equal(stat(locks, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    keep_unlock(lock);
    assert_int_equal(access(file, F_OK), -1);
    assert_int_equal(keep_lock_one(run, true, "no id", &lock, NULL, &err), -EINVAL);
}

/* As somebody without rights, who looks for a way in. */
static void hold_as_nobody(const char *directory)
{
    char run[96], locks[128], file[224];
    snprintf(run, sizeof run, "%s", directory);
    snprintf(locks, sizeof locks, "%s/supervisor/locks", run);
    snprintf(file, sizeof file, "%s/%s.lock", locks, id);
    if (setgid(65534) < 0 || setuid(65534) < 0 || open(file, O_RDONLY | O_CLOEXEC) >= 0 ||
        open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0666) >= 0 || unlink(file) == 0 ||
        rename(locks, run) == 0 || mkdir(locks, 0777) == 0)
        _exit(1);
    int fd = open(locks, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        flock(fd, LOCK_EX); /* of no use to him */
}

static void test_nobody_can_hold_it(void **state)
{
    char run[96], locks[128], file[224];
    int stay = -1, status = 1;
    const struct place *place = *state;
    run_of(place, run, locks, file);
    assert_int_equal(chmod(place->root, 0755), 0);
    keep_unlock(take_life(run));
    assert_int_equal(chmod(locks, 0755), 0); /* as the engine makes what it binds */
    pid_t child = place_child(hold_as_nobody, run, &stay);
    keep_unlock(take_life(run));
    close(stay);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void assert_not_believed(const char *run, const char *part)
{
    struct keep_lock *lock = NULL;
    int r = keep_lock_one(run, true, id, &lock, NULL, &err);
    assert_true(r < 0 && r != -EWOULDBLOCK);
    assert_message(err, part);
    assert_null(lock);
}

static void test_what_others_could_hold_is_not_believed(void **state)
{
    char run[96], locks[128], file[224], other[128], above[128];
    const struct place *place = *state;
    run_of(place, run, locks, file);
    keep_unlock(take_life(run));
    snprintf(other, sizeof other, "%s/other", place->root);
    snprintf(above, sizeof above, "%s/supervisor", run);
    const char *const parts[] = {run, above, locks};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_int_equal(chmod(parts[i], 01777), 0);
        assert_not_believed(run, parts[i]);
        assert_int_equal(chmod(parts[i], 0755), 0);
        assert_int_equal(chown(parts[i], 65534, 65534), 0);
        assert_not_believed(run, parts[i]);
        assert_int_equal(chown(parts[i], 0, 0), 0);
        assert_int_equal(rename(parts[i], other), 0);
        assert_int_equal(symlink(other, parts[i]), 0);
        assert_not_believed(run, parts[i]);
        assert_int_equal(unlink(parts[i]), 0);
        assert_int_equal(rename(other, parts[i]), 0);
    }
    int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_not_believed(run, file);
    close(fd);
    assert_int_equal(unlink(file), 0);
    keep_unlock(take_life(run));
    assert_int_equal(rmdir(locks), 0);
    assert_int_equal(close(open(locks, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    assert_not_believed(run, locks);
}

/* Its file was taken away: that is noticed, and the next one's file is left alone. */
static void test_replaced_lock_is_noticed(void **state)
{
    char run[96], locks[128], file[224];
    run_of(*state, run, locks, file);
    struct keep_lock *lock = take_life(run);
    assert_true(keep_lock_holds(lock));
    assert_int_equal(unlink(file), 0);
    assert_false(keep_lock_holds(lock));
    struct keep_lock *second = take_life(run);
    assert_false(keep_lock_holds(lock));
    keep_unlock(lock);
    assert_true(keep_lock_holds(second));
    keep_unlock(second);
    assert_int_equal(access(file, F_OK), -1);
}

/* What killed holders left goes at the next start; what is held stays. */
static void test_left_locks_are_swept(void **state)
{
    struct place *place = *state;
    char path[200];
    struct keep_lock *daemon_lock = NULL, *held = NULL;
    assert_ok(keep_lock_one(place->state, false, id, &held, NULL, &err), err);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "%s/locks/%064d.lock", place->state, i);
        assert_int_equal(close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    }
    assert_ok(keep_lock_daemon(place->state, &daemon_lock, NULL, &err), err);
    assert_int_equal(access(path, F_OK), -1);
    assert_true(keep_lock_holds(held));
    keep_unlock(held);
    keep_unlock(daemon_lock);
    snprintf(path, sizeof path, "%s/locks", place->state);
    assert_int_equal(rmdir(path), 0); /* it is empty */
}

static void test_locks_within_a_process(void **state)
{
    struct place *place = *state;
    struct keep_lock *lock = NULL, *second = NULL;
    fact holder = FACT_UNKNOWN;
    assert_ok(keep_lock_one(place->state, false, id, &lock, &holder, &err), err);
    assert_int_equal(holder, FACT_UNKNOWN); /* said on failure only */
    assert_int_equal(keep_lock_one(place->state, false, id, &second, &holder, NULL), -EWOULDBLOCK);
    assert_int_equal(holder, getpid());
    keep_unlock(lock);
    assert_ok(keep_lock_one(place->state, false, id, &second, NULL, &err), err);
    keep_unlock(second);
    keep_unlock(NULL);
    char path[200];
    snprintf(path, sizeof path, "%s/locks/%s.lock", place->state, id);
    assert_int_equal(access(path, F_OK), -1); /* containers come and go; their locks too */
}

/* Takes the container's lock again and again; while it has it nobody else may. */
static void contend(const char *directory)
{
    char witness[160];
    snprintf(witness, sizeof witness, "%s/witness", directory);
    for (int taken = 0; taken < LOCK_ROUNDS;) {
        struct keep_lock *lock = NULL;
        int r = keep_lock_one(directory, false, id, &lock, NULL, NULL);
        if (r == -EWOULDBLOCK) {
            sched_yield();
            continue;
        }
        int fd = r == 0 ? open(witness, O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
        if (fd < 0 || close(fd) < 0 || unlink(witness) < 0)
            _exit(1);
        keep_unlock(lock);
        taken++;
    }
    _exit(0);
}

static void test_never_two_holders(void **state)
{
    struct place *place = *state;
    pid_t children[PROCESSES];
    take_both(place->state);
    for (int i = 0; i < PROCESSES; i++)
        if ((children[i] = fork()) == 0)
            contend(place->state);
    for (int i = 0; i < PROCESSES; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

/* The pid of a holder that is gone is nobody's. */
static void test_stale_pid_is_unknown(void **state)
{
    struct place *place = *state;
    int status = 0, stay = -1;
    pid_t gone = place_child(hold_both_locks, place->state, &stay);
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
    assert_ok(keep_lock_one(place->state, false, id, &container, NULL, &err), err);
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
        assert_int_equal(keep_lock_one(place->state, false, bad[i], &lock, NULL, &err), -EINVAL);
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
    pid_t child = place_child(hold_both_locks, place->state, &stay);
    struct keep_lock *lock = NULL;
    fact holder = 0;
    assert_int_equal(keep_lock_one(place->state, false, id, &lock, &holder, &err), -EWOULDBLOCK);
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
        TEST(test_kernel_frees_locks),
        TEST(test_both_are_given_back),
        TEST(test_life_is_shared),
        TEST(test_nobody_can_hold_it),
        TEST(test_what_others_could_hold_is_not_believed),
        TEST(test_replaced_lock_is_noticed),
        TEST(test_left_locks_are_swept),
        TEST(test_locks_within_a_process),
        TEST(test_never_two_holders),
        TEST(test_stale_pid_is_unknown),
        TEST(test_locks_are_not_inherited),
        TEST(test_lock_names),
        TEST(test_lock_through_symlink_is_refused),
        TEST(test_lock_on_a_full_disk),
    };
    return cmocka_run_group_tests_name("keep_locks", tests, NULL, NULL);
}
