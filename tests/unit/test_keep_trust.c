/* A state directory in which others could take the locks is refused. */
#include "keep_place.h"

#include "keep/private.h"
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char id[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static struct error err;

/* As root finds a directory in which somebody else has put "locks", or still could. */
static void test_state_that_others_could_replace_is_refused(void **state)
{
    static const struct {
        mode_t state, locks;
        uid_t owner, locks_owner;
        bool good;
    } cases[] = {
        {0700, 0700, 0, 0, true},      {0755, 0700, 0, 0, true},
        {01777, 0700, 0, 0, true}, /* a tmpfs as it is made */
        {0777, 0700, 0, 0, false},     {0770, 0700, 0, 0, false},
        {0755, 0770, 0, 0, false},     {0755, 01777, 0, 0, false},
        {0700, 0700, 65534, 0, false}, {01777, 0700, 0, 65534, false},
    };
    const struct place *place = *state;
    char locks[128], aside[128];
    struct keep_lock *lock = NULL;
    assert_ok(keep_lock_one(place->state, false, id, &lock, NULL, &err), err);
    keep_unlock(lock);
    snprintf(locks, sizeof locks, "%s/locks", place->state);
    snprintf(aside, sizeof aside, "%s/elsewhere", place->root);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(chown(place->state, cases[i].owner, 0), 0);
        assert_int_equal(chown(locks, cases[i].locks_owner, 0), 0);
        assert_int_equal(chmod(place->state, cases[i].state), 0);
        assert_int_equal(chmod(locks, cases[i].locks), 0);
        int r = keep_lock_one(place->state, false, id, &lock, NULL, &err);
        assert_int_equal(r, cases[i].good ? 0 : -EPERM);
        if (r < 0)
            assert_message(err, place->state);
        else
            keep_unlock(lock);
    }
    assert_int_equal(chown(locks, 0, 0), 0);
    assert_int_equal(rename(locks, aside), 0);
    assert_int_equal(symlink(aside, locks), 0);
    assert_int_equal(keep_lock_one(place->state, false, id, &lock, NULL, &err), -EPERM);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_drop)
    const struct CMUnitTest tests[] = {TEST(test_state_that_others_could_replace_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
