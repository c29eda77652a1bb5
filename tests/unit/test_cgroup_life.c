/* Cgroups over time: values that change, a cgroup that ends, a real one, and every opening, every
 * read and every allocation made to fail in turn. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/cgroup.h"
#include "tree.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIXTURES "tests/unit/fixtures/cgroup/"
#define ID1      "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"
#define ID3      "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c"
#define V1       "cg/memory/docker/" ID1

static void later_values_are_seen_and_the_end(void **state)
{
    const struct tree *tree = *state;
    struct cgroup *cgroup;
    struct cgroup_memory m;
    int64_t pids[8];

    tree_copy(tree, FIXTURES "v1", "cg");
    assert_int_equal(cgroup_open(tree_path(tree, "cg"), ID1, 4711, &cgroup, NULL), 0);
    assert_string_equal(cgroup_path(cgroup), tree_path(tree, V1));
    assert_false(cgroup_writable(cgroup));
    assert_int_equal(cgroup_read(cgroup, &m), 0);
    tree_put(tree, V1 "/memory.usage_in_bytes", "7\n");
    tree_put(tree, V1 "/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(cgroup_read(cgroup, &m), 0);
    assert_int_equal(m.usage, 7);
    assert_int_equal(m.limit, FACT_NONE);
    tree_remove(tree, V1);
    memset(&m, 0x55, sizeof m);
    assert_int_equal(cgroup_read(cgroup, &m), -ENOENT);
    assert_int_equal(m.anon, FACT_UNKNOWN);
    assert_int_equal(m.version, 0);
    assert_int_equal(cgroup_pids(cgroup, pids, 8), -ENOENT);
    cgroup_close(cgroup);
    cgroup_close(NULL);

    tree_copy(tree, FIXTURES "v2", "cg2");
    assert_int_equal(cgroup_open(tree_path(tree, "cg2"), ID3, 0, &cgroup, NULL), 0);
    assert_true(cgroup_writable(cgroup));
    cgroup_close(cgroup);
}

static void every_opening_may_fail(void **state)
{
    static const int codes[] = {EMFILE, EACCES, ENOENT, EIO};
    const struct tree *tree = *state;
    size_t files = open_files();

    tree_copy(tree, FIXTURES "v1", "cg");
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
        bool hit = true;
        for (long n = 0; hit; n++) {
            struct cgroup *cgroup = NULL;
            struct error err = {0};
            fail_openat = (struct fail_call){n, codes[c]};
            int r = cgroup_open(tree_path(tree, "cg"), ID1, 4711, &cgroup, &err);
            hit = fail_openat.at < 0;
            fail_openat = NOT_FAILING;
            if (r < 0) {
                assert_true(hit);
                assert_int_equal(r, err.code);
                assert_true(strlen(err.message) > 20);
            } else {
                struct cgroup_memory m;
                assert_int_equal(cgroup_read(cgroup, &m), 0);
                assert_int_equal(m.anon, 60248064);
                cgroup_close(cgroup);
            }
            assert_true(hit || n > 10);
            assert_int_equal(open_files(), files);
        }
    }
    assert_int_equal(open_files(), files);
}

static void every_allocation_may_fail(void **state)
{
    size_t files = open_files(), failed = 0;
    bool hit = true;

    (void)state;
    for (long n = 0; hit; n++) {
        struct cgroup *cgroup = NULL;
        fail_malloc = (struct fail_call){n, ENOMEM};
        int r = cgroup_open(FIXTURES "v1", ID1, 4711, &cgroup, NULL);
        hit = fail_malloc.at < 0;
        fail_malloc = NOT_FAILING;
        assert_true(r == 0 || (hit && r == -ENOMEM));
        failed += r < 0;
        cgroup_close(cgroup);
    }
    assert_true(failed > 0);
    assert_int_equal(open_files(), files);
}

static void every_read_may_fail(void **state)
{
    struct cgroup *cgroup;
    struct cgroup_memory m, good;
    long n = 0, gone = 0;

    (void)state;
    assert_int_equal(cgroup_open(FIXTURES "v2", ID3, 0, &cgroup, NULL), 0);
    assert_int_equal(cgroup_read(cgroup, &good), 0);
    for (bool hit = true; hit; n++) {
        fail_pread = (struct fail_call){n, EIO};
        assert_int_equal(cgroup_read(cgroup, &m), 0);
        hit = fail_pread.at < 0;
        fail_pread = NOT_FAILING;
        const fact *was = &good.inode, *is = &m.inode;
        size_t unknown = 0;
        for (; was <= &good.cpu_us; was++, is++) { /* known and the same, or unknown */
            assert_true(*is == *was || *is == FACT_UNKNOWN);
            unknown += *is != *was;
        }
        assert_int_equal(unknown > 0 || m.psi.some_total_us != good.psi.some_total_us, hit);
    }
    assert_int_equal(n, 11); /* ten files */
    for (bool hit = true; hit;) {
        fail_pread = (struct fail_call){gone++, ENODEV};
        int r = cgroup_read(cgroup, &m);
        hit = fail_pread.at < 0;
        fail_pread = NOT_FAILING;
        assert_true(r == 0 || (r == -ENODEV && m.anon == FACT_UNKNOWN && m.version == 0));
    }
    cgroup_close(cgroup);
    int64_t pids[8];
    assert_int_equal(cgroup_open(FIXTURES "v2", ID3, 0, &cgroup, NULL), 0);
    fail_pread = (struct fail_call){0, EIO};
    assert_int_equal(cgroup_pids(cgroup, pids, 8), -EIO);
    fail_pread = NOT_FAILING;
    cgroup_close(cgroup);
}

static void a_real_cgroup(void **state)
{
    char id[65], path[256];
    const char *above = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0
                            ? "/sys/fs/cgroup"
                            : "/sys/fs/cgroup/memory";
    struct cgroup *cgroup;
    struct cgroup_memory m;
    int64_t pids[8];

    (void)state;
    snprintf(id, sizeof id, "%064x", (unsigned)getpid());
    snprintf(path, sizeof path, "%s/supervisor-test-%s", above, id); /* found by its id alone */
    if (mkdir(path, 0755) < 0) {
        print_message("skipped: no cgroup can be made in %s (%s)\n", above, strerror(errno));
        skip();
    }
    struct error err = {0};
    int r = cgroup_open("/sys/fs/cgroup", id, 0, &cgroup, &err);
    if (r == -ENOENT && strstr(err.message, "memory.stat") != NULL) {
        rmdir(path);
        print_message("skipped: %s\n", err.message);
        skip();
    }
    assert_int_equal(r, 0);
    assert_string_equal(cgroup_path(cgroup), path);
    assert_int_equal(cgroup_read(cgroup, &m), 0);
    assert_int_equal(m.anon, 0);
    assert_int_equal(m.limit, FACT_NONE);
    assert_int_equal(m.oom_kills, 0);
    assert_true(m.usage >= 0 && m.inode > 0);
    assert_int_equal(cgroup_pids(cgroup, pids, 8), 0);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(cgroup_read(cgroup, &m), -ENODEV);
    r = cgroup_pids(cgroup, pids, 8);
    assert_true(r == -ENOENT || r == -ENODEV);
    cgroup_close(cgroup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(later_values_are_seen_and_the_end, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(every_opening_may_fail, tree_make, tree_drop),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(every_read_may_fail),
        cmocka_unit_test(a_real_cgroup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
