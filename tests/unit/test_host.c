/* The host's memory and pressure. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/host.h"
#include "tree.h"
#include <string.h>

#define FIXTURE "tests/unit/fixtures/proc"

static struct host read_once(const char *procfs)
{
    struct host_reader *reader;
    struct error err = {0};
    struct host host;

    if (host_open(procfs, &reader, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(host_read(reader, &host), 0);
    host_close(reader);
    return host;
}

static void a_fixture(void **state)
{
    struct host host = read_once(FIXTURE);

    (void)state;
    assert_int_equal(host.cpus, 3); /* the one that is off is not counted */
    assert_int_equal(host.total, 24682416 * 1024L);
    assert_int_equal(host.available, 23829404 * 1024L);
    assert_int_equal(host.swap_total, 2097148 * 1024L);
    assert_int_equal(host.swap_used, (2097148 - 2086220) * 1024L);
    assert_true(host.psi.some_avg10 == 1.5 && host.psi.full_avg10 == 0.25);
    assert_int_equal(host.psi.some_total_us, 1000);
    assert_int_equal(host.psi.full_total_us, 500);
}

static void this_host(void **state)
{
    struct host host = read_once("/proc");

    (void)state;
    assert_int_equal(host.cpus, sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(host.total > 0 && host.available > 0 && host.available <= host.total);
    assert_true(host.swap_total >= 0 && host.swap_used >= 0);
}

static void what_is_not_there_is_unknown(void **state)
{
    const struct tree *tree = *state;

    tree_put(tree, "meminfo", "MemTotal: 5 kB\nMemFree: 3 kB\nSwapTotal: 8 kB\nSwapFree: 9 kB\n");
    struct host host = read_once(tree->root);
    assert_int_equal(host.total, 5120);
    assert_int_equal(host.available, FACT_UNKNOWN); /* never MemFree */
    assert_int_equal(host.swap_total, 8192);
    assert_int_equal(host.swap_used, FACT_UNKNOWN); /* more free than there is */
    assert_int_equal(host.cpus, FACT_UNKNOWN);
    assert_true(host.psi.some_avg10 < 0);

    tree_put(tree, "meminfo",
             "MemTotal: 99999999999999999 kB\nMemAvailable: 7 MB\nSwapTotal: x kB\nSwapFree: 1 kB");
    host = read_once(tree->root);
    assert_int_equal(host.total, FACT_UNKNOWN);
    assert_int_equal(host.available, FACT_UNKNOWN);
    assert_int_equal(host.swap_total, FACT_UNKNOWN);
    assert_int_equal(host.swap_used, FACT_UNKNOWN);
    tree_put(tree, "meminfo", "");
    assert_int_equal(read_once(tree->root).total, FACT_UNKNOWN);
}

static void later_values_are_seen(void **state)
{
    const struct tree *tree = *state;
    struct host_reader *reader;
    struct host host;

    tree_put(tree, "meminfo", "MemTotal: 5 kB\nMemAvailable: 4 kB\n");
    assert_int_equal(host_open(tree->root, &reader, NULL), 0);
    tree_put(tree, "meminfo",
             "MemTotal: 5 kB\nMemAvailable: 3 kB\nSwapTotal: 2 kB\nSwapFree: 2 kB\n");
    assert_int_equal(host_read(reader, &host), 0);
    assert_int_equal(host.available, 3072);
    assert_int_equal(host.swap_used, 0); /* swap that was added later */
    host_close(reader);
    host_close(NULL);
}

static void refusals(void **state)
{
    const struct tree *tree = *state;
    struct host_reader *reader;
    struct error err = {0};

    assert_int_equal(host_open(tree->root, &reader, &err), -ENOENT);
    assert_non_null(strstr(err.message, tree->root));
    assert_non_null(strstr(err.message, "meminfo"));
    assert_int_equal(err.failure, FAILURE_UNREACHABLE);
    assert_int_equal(host_open("/nonexistent", &reader, NULL), -ENOENT);
}

static void every_call_may_fail(void **state)
{
    size_t files = open_files();
    struct host_reader *reader;
    struct host host;
    bool hit = true;

    (void)state;
    for (long n = 0; hit; n++) {
        fail_openat = (struct fail_call){n, EACCES};
        int r = host_open(FIXTURE, &reader, NULL);
        hit = fail_openat.at < 0;
        fail_openat = NOT_FAILING;
        assert_true(r == 0 || r == -EACCES);
        if (r < 0)
            continue;
        assert_int_equal(host_read(reader, &host), 0);
        assert_int_equal(host.total, 24682416 * 1024L);
        host_close(reader);
        assert_true(hit || n == 4); /* the root, meminfo, pressure, stat */
    }
    fail_malloc = (struct fail_call){0, ENOMEM};
    assert_int_equal(host_open(FIXTURE, &reader, NULL), -ENOMEM);
    assert_int_equal(open_files(), files);

    assert_int_equal(host_open(FIXTURE, &reader, NULL), 0);
    fail_pread = (struct fail_call){0, EIO};
    assert_int_equal(host_read(reader, &host), -EIO);
    fail_pread = (struct fail_call){1, EIO};
    assert_int_equal(host_read(reader, &host), 0);
    assert_true(host.total > 0 && host.psi.some_avg10 < 0);
    fail_pread = (struct fail_call){0, EINTR}; /* once: read again */
    assert_int_equal(host_read(reader, &host), 0);
    assert_true(host.psi.some_avg10 >= 0);
    host_close(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixture),
        cmocka_unit_test(this_host),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_unknown, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(later_values_are_seen, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(refusals, tree_make, tree_drop),
        cmocka_unit_test(every_call_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
