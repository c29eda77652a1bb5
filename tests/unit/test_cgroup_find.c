/* Where a container's cgroup is found, what is said where it is not, and who is in it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/cgroup.h"
#include "sense/cgroup_find.h"
#include "sense/proc_file.h"
#include "tree.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID    "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d"
#define OUTER "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"

static void add_cgroup(const struct tree *tree, const char *path, const char *procs,
                       const char *limit)
{
    char file[512];

    snprintf(file, sizeof file, "%s/cgroup.procs", path);
    tree_put(tree, file, procs);
    snprintf(file, sizeof file, "%s/memory.stat", path);
    tree_put(tree, file, "anon 1\n");
    snprintf(file, sizeof file, "%s/memory.max", path);
    tree_put(tree, file, limit);
}

static void assert_found(const struct tree *tree, const char *root, int64_t pid,
                         const char *relative)
{
    struct cgroup_place place;
    struct error err = {0};

    if (cgroup_find(tree_path(tree, root), ID, pid, &place, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(place.relative, relative);
}

static void assert_refused(const char *root, const char *id, int64_t pid, int code,
                           const char *part)
{
    struct cgroup_place place;
    struct error err = {0};

    assert_int_equal(cgroup_find(root, id, pid, &place, &err), code);
    assert_int_equal(err.code, code);
    if (strstr(err.message, part) == NULL || strchr(err.message, '\n') != NULL)
        fail_msg("\"%s\" lacks \"%s\"", err.message, part);
}

static void everywhere_docker_may_put_it(void **state)
{
    static const char *const places[] = {
        "docker/" ID,
        "system.slice/docker-" ID ".scope",
        "user.slice/user-1000.slice/docker-" ID ".scope",
        "my/own/parent/" ID,
        "docker/" OUTER "/docker/" ID,
        ID,
        "a/b/c/d/e/" ID,
    };
    const struct tree *tree = *state;

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char root[16], path[512];
        snprintf(root, sizeof root, "cg%zu", i);
        snprintf(path, sizeof path, "%s/cgroup.controllers", root);
        tree_put(tree, path, "memory\n");
        snprintf(path, sizeof path, "%s/docker/" OUTER, root);
        add_cgroup(tree, path, "7\n", "max\n");
        snprintf(path, sizeof path, "%s/%s", root, places[i]);
        add_cgroup(tree, path, "41\n42\n", "max\n");
        assert_found(tree, root, 42, places[i]);
        assert_found(tree, root, 0, places[i]);
        assert_refused(tree_path(tree, root), ID, 43, -ESRCH, "43");
    }
    add_cgroup(tree, "deep/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/" ID, "42\n", "max\n");
    tree_put(tree, "deep/cgroup.controllers", "");
    assert_found(tree, "deep", 42, "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/" ID);
    add_cgroup(tree, "deeper/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/" ID, "42\n", "max\n");
    tree_put(tree, "deeper/cgroup.controllers", "");
    assert_refused(tree_path(tree, "deeper"), ID, 42, -ENOENT, "4d4d4d4d4d4d");
}

static void the_one_that_holds_the_process(void **state)
{
    const struct tree *tree = *state;

    tree_put(tree, "cg/cgroup.controllers", "");
    add_cgroup(tree, "cg/docker/" ID, "1\n", "max\n"); /* left behind by an earlier life */
    add_cgroup(tree, "cg/other/x-" ID, "", "max\n");
    add_cgroup(tree, "cg/other/x-" ID "/init.scope", "42\n", "max\n");
    assert_found(tree, "cg", 42, "other/x-" ID);
    assert_found(tree, "cg", 1, "docker/" ID);
}

static void one_level_deeper_with_crun(void **state)
{
    const struct tree *tree = *state;

    tree_put(tree, "cg/cgroup.controllers", "");
    add_cgroup(tree, "cg/system.slice/docker-" ID ".scope", "", "max\n");
    add_cgroup(tree, "cg/system.slice/docker-" ID ".scope/container", "42\n", "1024\n");
    assert_found(tree, "cg", 42, "system.slice/docker-" ID ".scope/container");
    /* Where the limit is above, that is the container's. */
    add_cgroup(tree, "cg/system.slice/docker-" ID ".scope", "", "4096\n");
    assert_found(tree, "cg", 42, "system.slice/docker-" ID ".scope");
}

static void which_hierarchy(void **state)
{
    const struct tree *tree = *state;
    struct cgroup_place place;

    tree_put(tree, "both/unified/cgroup.controllers", "");
    add_cgroup(tree, "both/memory/docker/" ID, "42\n", "max\n");
    add_cgroup(tree, "both/unified/docker/" ID, "42\n", "max\n");
    assert_int_equal(cgroup_find(tree_path(tree, "both"), ID, 42, &place, NULL), 0);
    assert_int_equal(place.version, 1);
    assert_string_equal(place.hierarchy, tree_path(tree, "both/memory"));
    tree_remove(tree, "both/memory"); /* the memory controller moved to version 2 */
    assert_int_equal(cgroup_find(tree_path(tree, "both"), ID, 42, &place, NULL), 0);
    assert_int_equal(place.version, 2);
    assert_string_equal(place.hierarchy, tree_path(tree, "both/unified"));
}

static void refusals_name_the_remedy(void **state)
{
    const struct tree *tree = *state;
    struct cgroup *cgroup;
    struct error err = {0};

    assert_refused("/nonexistent", ID, 1, -ENOENT, "/nonexistent is no mounted cgroup hierarchy");
    assert_refused(tree->root, ID, 1, -ENOENT, "cgroupfs in [paths]");
    assert_refused(tree->root, "abc", 1, -EINVAL, "\"abc\"");
    assert_refused(tree->root, ID "0", 1, -EINVAL, "64 hexadecimal");
    assert_refused(tree->root, "../../../../../../../../../../../../../../../../../../../../../..",
                   1, -EINVAL, "64");
    tree_put(tree, "cg/cgroup.controllers", "");
    assert_refused(tree_path(tree, "cg"), ID, 1, -ENOENT, "no cgroup of container 4d4d4d4d4d4d");
    add_cgroup(tree, "cg/docker/" ID, "0\n0\n", "max\n");
    assert_refused(tree_path(tree, "cg"), ID, 42, -ESRCH, "pid: host");
    tree_remove(tree, "cg/docker/" ID "/memory.stat");
    assert_int_equal(cgroup_open(tree_path(tree, "cg"), ID, 0, &cgroup, &err), -ENOENT);
    assert_non_null(strstr(err.message, "memory.stat"));
    assert_non_null(strstr(err.message, "cgroup.subtree_control"));
}

static void what_may_not_be_read(void **state)
{
    const struct tree *tree = *state;
    struct cgroup *cgroup;
    struct error err = {0};

    tree_put(tree, "cg/cgroup.controllers", "");
    add_cgroup(tree, "cg/docker/" ID, "42\n", "max\n");
    if (geteuid() != 0) {
        print_message("skipped: only root can try what others may not\n");
        skip();
    }
    assert_int_equal(chmod(tree_path(tree, "cg/docker/" ID), 0700), 0);
    assert_int_equal(seteuid(65534), 0);
    int r = cgroup_open(tree_path(tree, "cg"), ID, 42, &cgroup, &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, -EACCES);
    assert_non_null(strstr(err.message, "run as root"));

    assert_int_equal(chmod(tree_path(tree, "cg/docker/" ID), 0755), 0);
    assert_int_equal(chmod(tree_path(tree, "cg/docker/" ID "/memory.stat"), 0600), 0);
    assert_int_equal(seteuid(65534), 0);
    r = cgroup_open(tree_path(tree, "cg"), ID, 42, &cgroup, &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(r, -EACCES);
    assert_non_null(strstr(err.message, "memory.stat"));
}

/* The pids of ROOT/PATH. */
static int pids_of(const struct tree *tree, const char *path, int64_t *pids, size_t max)
{
    CLOSE_FD int fd = proc_directory_open(AT_FDCWD, tree_path(tree, path));
    assert_true(fd >= 0);
    return cgroup_procs(fd, pids, max);
}

static void pids_of_all_children_once(void **state)
{
    const struct tree *tree = *state;
    int64_t pids[8];

    tree_put(tree, "cg/cgroup.procs", "9\n3\n9\n3\n");
    assert_int_equal(pids_of(tree, "cg", pids, 8), 2);
    assert_int_equal(pids[0], 3);
    assert_int_equal(pids[1], 9);
    tree_put(tree, "cg/a/cgroup.procs", "1\n3\n");
    tree_put(tree, "cg/a/b/cgroup.procs", "12\n");
    tree_put(tree, "cg/a/file", "not a directory\n");
    tree_make_directory(tree, "cg/ending"); /* its cgroup.procs is gone already */
    assert_int_equal(pids_of(tree, "cg", pids, 8), 4);
    assert_int_equal(pids[0], 1);
    assert_int_equal(pids[3], 12);
    assert_int_equal(pids_of(tree, "cg", pids, 4), -E2BIG); /* with the doubles it is seven */
    tree_put(tree, "cg/a/b/cgroup.procs", "");
    tree_put(tree, "cg/a/cgroup.procs", "");
    tree_put(tree, "cg/cgroup.procs", "");
    assert_int_equal(pids_of(tree, "cg", pids, 0), 0);
    tree_put(tree, "cg/cgroup.procs", "12\nx\n");
    assert_int_equal(pids_of(tree, "cg", pids, 8), -EIO);
    assert_int_equal(pids_of(tree, ".", pids, 8), -ENOENT);
}

static void thousands_of_pids(void **state)
{
    enum { MANY = 5000 };
    const struct tree *tree = *state;
    char *text = malloc(MANY * 8), *at = text;
    int64_t *pids = malloc(MANY * sizeof *pids);

    assert_true(text != NULL && pids != NULL);
    for (int i = MANY; i > 0; i--)
        at += snprintf(at, 8, "%d\n", 10000 + i);
    tree_put(tree, "cg/cgroup.procs", text);
    assert_int_equal(pids_of(tree, "cg", pids, MANY), MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(pids[i], 10001 + i);
    assert_int_equal(pids_of(tree, "cg", pids, MANY - 1), -E2BIG);
    free(pids);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everywhere_docker_may_put_it, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(the_one_that_holds_the_process, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(one_level_deeper_with_crun, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(which_hierarchy, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(refusals_name_the_remedy, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(what_may_not_be_read, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(pids_of_all_children_once, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(thousands_of_pids, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
