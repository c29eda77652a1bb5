/* Who is adopted: by name and repository; what of the file is believed; who may change it. */
#include "keep/keep.h"
#include "sense/adopted.h"
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void repositories(void **state)
{
    static const char *const cases[][2] = {
        {"ollama/ollama", "ollama/ollama"},
        {"ollama/ollama:0.24", "ollama/ollama"},
        {"ollama/ollama:0.24@sha256:00", "ollama/ollama"},
        {"ollama/ollama@sha256:00", "ollama/ollama"},
        {"host:5000/ollama", "host:5000/ollama"},
        {"host:5000/ollama:rocm", "host:5000/ollama"},
        {"sha256:00ff", "sha256"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[CONTAINER_NAME_SIZE];
        image_repository(cases[i][0], text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void by_name_and_repository(void **state)
{
    struct adopted a = {0};
    (void)state;
    assert_int_equal(adopted_has(&a, "x", "ollama/ollama"), ADOPTION_NONE);
    assert_int_equal(adopted_add(&a, "x", "ollama/ollama:1"), 0);
    assert_int_equal(adopted_add(&a, "y", "ollama/ollama:1"), 0);
    assert_int_equal(adopted_has(&a, "x", "ollama/ollama:2"), ADOPTION_YES);
    assert_int_equal(adopted_has(&a, "x", "other/ollama:1"), ADOPTION_NONE);
    assert_int_equal(adopted_add(&a, "x", "other/ollama"), 0);
    assert_int_equal(a.n, 2);
    assert_int_equal(adopted_has(&a, "x", "ollama/ollama:1"), ADOPTION_NONE);
    assert_true(adopted_remove(&a, "x"));
    assert_false(adopted_remove(&a, "x"));
    assert_int_equal(adopted_has(&a, "y", "ollama/ollama"), ADOPTION_YES);
    assert_int_equal(adopted_add(&a, "a b", "i"), -EINVAL);
    assert_int_equal(adopted_add(&a, "", "i"), -EINVAL);
    assert_int_equal(adopted_add(&a, "z", "i\nx y"), -EINVAL);
    assert_int_equal(adopted_add(&a, "z", "sha256:00ff"), -EINVAL);
    adopted_clear(&a);
    char name[16];
    for (int i = 0; i < ADOPTED_MAX; i++) {
        snprintf(name, sizeof name, "c%d", i);
        assert_int_equal(adopted_add(&a, name, "i"), 0);
    }
    assert_int_equal(adopted_add(&a, "more", "i"), -ENOSPC);
    assert_int_equal(adopted_add(&a, "c0", "other"), 0);
    adopted_clear(&a);
}

static void written_and_read(void **state)
{
    struct tree *tree = *state;
    struct adopted a = {0}, b = {0};
    struct error err = {0};
    const struct adopted_one newer = {"x", "ollama/ollama:2"}, other = {"x", "other/ollama:2"};
    assert_false(adopted_refresh(&b, tree_path(tree, "")));
    assert_false(adopted_stands(tree_path(tree, ""), &newer));
    assert_int_equal(adopted_read(&a, tree_path(tree, ""), &err), 0);
    assert_int_equal(adopted_add(&a, "x", "ollama/ollama:1"), 0);
    assert_int_equal(adopted_write(&a, tree_path(tree, ""), &err), 0);
    adopted_clear(&a);
    assert_true(adopted_stands(tree_path(tree, ""), &newer));
    assert_false(adopted_stands(tree_path(tree, ""), &other));
    assert_true(adopted_refresh(&b, tree_path(tree, "")));
    assert_int_equal(adopted_has(&b, "x", "ollama/ollama"), ADOPTION_YES);
    assert_false(adopted_refresh(&b, tree_path(tree, "")));
    assert_int_equal(unlink(tree_path(tree, "adopted")), 0);
    assert_true(adopted_refresh(&b, tree_path(tree, "")));
    assert_int_equal(adopted_has(&b, "x", "ollama/ollama"), ADOPTION_NONE);
    assert_false(adopted_refresh(&b, tree_path(tree, "")));
    adopted_clear(&b);
}

/* What is not understood as a whole, or could be anybody's, adopts nobody. */
static void not_believed(void **state)
{
    static const char *const texts[] = {
        "x",       "x ",       "x ollama/ollama",   " ollama/ollama\n",
        "x i\n\n", "x i\ny\n", "x i\nq\x1b[0m i\n", "x i j\n"};
    struct tree *tree = *state;
    struct adopted a = {0};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        tree_put(tree, "adopted", texts[i]);
        adopted_clear(&a);
        assert_true(adopted_refresh(&a, tree_path(tree, "")));
        if (adopted_has(&a, "x", "i") != ADOPTION_UNKNOWN || a.n)
            fail_msg("case %zu is believed", i);
    }
    tree_put(tree, "adopted", "x i\n");
    adopted_clear(&a);
    assert_true(adopted_refresh(&a, tree_path(tree, "")));
    assert_int_equal(adopted_has(&a, "x", "i"), ADOPTION_YES);
    assert_int_equal(chmod(tree_path(tree, "adopted"), 0620), 0);
    adopted_clear(&a);
    adopted_refresh(&a, tree_path(tree, ""));
    assert_int_equal(adopted_has(&a, "x", "i"), ADOPTION_UNKNOWN);
    struct error err = {0};
    const struct adopted_one one = {"x", "i"};
    assert_int_equal(adopted_read(&a, tree_path(tree, ""), &err), -EPERM);
    assert_false(adopted_stands(tree_path(tree, ""), &one));
    assert_int_equal(unlink(tree_path(tree, "adopted")), 0);
    assert_int_equal(symlink("/etc/passwd", tree_path(tree, "adopted")), 0);
    assert_true(adopted_refresh(&a, tree_path(tree, "")));
    assert_int_equal(adopted_has(&a, "x", "i"), ADOPTION_UNKNOWN);
    assert_false(adopted_refresh(&a, tree_path(tree, "")));
    adopted_clear(&a);
}

/* Whoever can open the state directory can lock that: it is no writer's lock. One who has the
 * writers' is waited for. */
static void one_writer_at_a_time(void **state)
{
    struct tree *tree = *state;
    const char *directory = tree_path(tree, "");
    struct keep_lock *lock = NULL;
    struct error err = {0};
    struct stat file;
    int has_it[2];
    int anybodys = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(flock(anybodys, LOCK_EX), 0);
    assert_int_equal(pipe(has_it), 0);
    pid_t child = fork();
    if (child == 0) {
        int r = keep_lock_adoptions(directory, &lock, NULL);
        bool told = write(has_it[1], "", 1) == 1;
        usleep(200000);
        _exit(r == 0 && told ? 0 : 1); /* the kernel gives it back */
    }
    char byte;
    int status;
    assert_int_equal(read(has_it[0], &byte, 1), 1);
    assert_int_equal(stat(tree_path(tree, "locks/adopted.lock"), &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    assert_int_equal(keep_lock_adoptions(directory, &lock, &err), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    keep_unlock(lock);
    close(anybodys);
    close(has_it[0]);
    close(has_it[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repositories),
        cmocka_unit_test(by_name_and_repository),
        cmocka_unit_test_setup_teardown(written_and_read, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(not_believed, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(one_writer_at_a_time, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
