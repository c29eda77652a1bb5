/* Cgroups: what is read from fixture trees of both versions and from trees with something wrong in
 * them. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/cgroup.h"
#include "tree.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FIXTURES "tests/unit/fixtures/cgroup/"
#define ID1      "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a"
#define ID2      "2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b"
#define ID3      "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c"
#define V2       "cg/system.slice/docker-" ID3 ".scope"

/* Opens and reads once. */
static struct cgroup_memory read_once(const char *root, const char *id, int64_t pid)
{
    struct cgroup *cgroup;
    struct error err = {0};
    struct cgroup_memory memory;

    if (cgroup_open(root, id, pid, &cgroup, &err) < 0)
        fail_msg("%s", err.message);
    assert_int_equal(cgroup_read(cgroup, &memory), 0);
    cgroup_close(cgroup);
    return memory;
}

static ino_t inode(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void version_1_takes_the_totals(void **state)
{
    struct cgroup_memory m = read_once(FIXTURES "v1", ID1, 4720);

    (void)state;
    assert_int_equal(m.version, 1);
    assert_int_equal(m.inode, inode(FIXTURES "v1/memory/docker/" ID1));
    assert_int_equal(m.anon, 60248064);
    assert_int_equal(m.shmem, 13082624);
    assert_int_equal(m.file, 751194112 - 13082624);
    assert_int_equal(m.swap, 4194304);
    assert_int_equal(m.swapcached, FACT_UNKNOWN);
    assert_int_equal(m.inactive_file, 317321216);
    assert_int_equal(m.kernel, 782336);
    assert_int_equal(m.usage, 812345344);
    assert_int_equal(m.peak, 912345344);
    assert_int_equal(m.limit, 6442450944);
    assert_int_equal(m.swap_limit, FACT_NONE);
    assert_int_equal(m.high, FACT_UNKNOWN);
    assert_int_equal(m.oom_kills, 3);
    assert_int_equal(m.cpu_us, 1709713);
    assert_true(m.psi.some_avg10 < 0 && m.psi.full_avg10 < 0);
    assert_int_equal(m.psi.some_total_us, FACT_UNKNOWN);
}

static void a_hybrid_has_its_pressure_elsewhere(void **state)
{
    struct cgroup_memory m = read_once(FIXTURES "hybrid", ID2, 4711);

    (void)state;
    assert_int_equal(m.version, 1);
    assert_int_equal(m.cpu_us, 5000);
    assert_true(m.psi.some_avg10 == 12.5 && m.psi.full_avg10 == 4.05);
    assert_int_equal(m.psi.some_total_us, 7654321);
    assert_int_equal(m.psi.full_total_us, 1234567);
}

static void version_2_by_its_keys(void **state)
{
    struct cgroup_memory m = read_once(FIXTURES "v2", ID3, 130); /* in a child, as systemd's */

    (void)state;
    assert_int_equal(m.version, 2);
    assert_int_equal(m.anon, 214958080);
    assert_int_equal(m.file, 47243264 - 32768);
    assert_int_equal(m.shmem, 32768);
    assert_int_equal(m.kernel, 1323008);
    assert_int_equal(m.swap, 306184192);
    assert_int_equal(m.swapcached, 251658240);
    assert_int_equal(m.inactive_file, 7532544);
    assert_int_equal(m.usage, 270000128);
    assert_int_equal(m.peak, 593657856);
    assert_int_equal(m.limit, 1073741824);
    assert_int_equal(m.swap_limit, FACT_NONE);
    assert_int_equal(m.high, FACT_NONE);
    assert_int_equal(m.oom_kills, 2);
    assert_int_equal(m.cpu_us, 107551157);
    assert_true(m.psi.some_avg10 == 0.07 && m.psi.full_avg10 == 0);
    assert_int_equal(m.psi.some_total_us, 99);
}

static void what_is_not_there_is_unknown(void **state)
{
    const struct tree *tree = *state;
    struct cgroup_memory m;

    tree_copy(tree, FIXTURES "v2", "cg");
    tree_put(tree, V2 "/memory.stat", "anon 1\nfile 3\nshmem 2\ninactive_file 1\n"); /* 5.10 */
    const char *missing[] = {V2 "/memory.peak",     V2 "/memory.swap.current", V2 "/cpu.stat",
                             V2 "/memory.pressure", V2 "/memory.events",       V2 "/memory.high"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        tree_remove(tree, missing[i]);
    m = read_once(tree_path(tree, "cg"), ID3, 0);
    assert_int_equal(m.anon, 1);
    assert_int_equal(m.file, 1);
    assert_int_equal(m.kernel, FACT_UNKNOWN);
    assert_int_equal(m.swapcached, FACT_UNKNOWN);
    assert_int_equal(m.swap, FACT_NONE); /* the kernel does not count it */
    assert_int_equal(m.peak, FACT_UNKNOWN);
    assert_int_equal(m.cpu_us, FACT_UNKNOWN);
    assert_int_equal(m.oom_kills, FACT_UNKNOWN);
    assert_int_equal(m.high, FACT_UNKNOWN);
    assert_int_equal(m.limit, 1073741824);
    assert_int_equal(m.psi.full_total_us, FACT_UNKNOWN);

    tree_copy(tree, FIXTURES "v1", "cg1"); /* without swap accounting */
    tree_put(tree, "cg1/memory/docker/" ID1 "/memory.stat",
             "cache 5\ntotal_cache 2\ntotal_rss 7\ntotal_shmem 3\n");
    m = read_once(tree_path(tree, "cg1"), ID1, 0);
    assert_int_equal(m.anon, 7);
    assert_int_equal(m.swap, FACT_UNKNOWN);
    assert_int_equal(m.file, 0); /* counters that disagree by a page are not a negative size */
    assert_int_equal(m.inactive_file, FACT_UNKNOWN);
}

static void numbers_by_table(void **state)
{
    static const struct {
        const char *text;
        fact number, limit;
    } cases[] = {
        {"0\n", 0, 0},
        {"123\n", 123, 123},
        {"max\n", FACT_UNKNOWN, FACT_NONE},
        {"1152921504606846975\n", 1152921504606846975, 1152921504606846975},
        {"1152921504606846976\n", 1152921504606846976, FACT_NONE},
        {"9223372036854771712\n", 9223372036854771712, FACT_NONE},
        {"9223372036854775807\n", INT64_MAX, FACT_NONE},
        {"9223372036854775808\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"18446744073709551615\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"99999999999999999999999999\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"123", FACT_UNKNOWN, FACT_UNKNOWN}, /* torn */
        {"max", FACT_UNKNOWN, FACT_UNKNOWN},
        {"", FACT_UNKNOWN, FACT_UNKNOWN},
        {"\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"-1\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"12x\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"1 2\n", FACT_UNKNOWN, FACT_UNKNOWN},
        {"maximum\n", FACT_UNKNOWN, FACT_UNKNOWN},
    };
    const struct tree *tree = *state;

    tree_copy(tree, FIXTURES "v2", "cg");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tree_put(tree, V2 "/memory.current", cases[i].text);
        tree_put(tree, V2 "/memory.max", cases[i].text);
        struct cgroup_memory m = read_once(tree_path(tree, "cg"), ID3, 0);
        if (m.usage != cases[i].number || m.limit != cases[i].limit)
            fail_msg("\"%s\": %lld, %lld", cases[i].text, (long long)m.usage, (long long)m.limit);
    }
}

static void keyed_files_by_table(void **state)
{
    static const struct {
        const char *stat;
        fact anon;
    } cases[] = {
        {"anon 5\n", 5},
        {"anonymous 4\nanon 5\n", 5},
        {"anon_thp 4\n", FACT_UNKNOWN},
        {"anon 5", FACT_UNKNOWN}, /* torn: it may have been 50 */
        {"anon\nanon 6\n", 6},
        {"anon 5 6\n", FACT_UNKNOWN},
        {"anon 99999999999999999999\n", FACT_UNKNOWN},
        {"anon -5\n", FACT_UNKNOWN},
        {"\n\n \nanon 7\n", 7},
        {"", FACT_UNKNOWN},
    };
    const struct tree *tree = *state;

    tree_copy(tree, FIXTURES "v2", "cg");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tree_put(tree, V2 "/memory.stat", cases[i].stat);
        struct cgroup_memory m = read_once(tree_path(tree, "cg"), ID3, 0);
        if (m.anon != cases[i].anon)
            fail_msg("\"%s\": %lld", cases[i].stat, (long long)m.anon);
    }
    char *large = malloc(65536); /* more than is read: what came whole counts */
    assert_non_null(large);
    snprintf(large, 65536, "anon 5\n");
    memset(large + 7, 'x', 65536 - 8);
    large[65535] = '\0';
    tree_put(tree, V2 "/memory.stat", large);
    free(large);
    assert_int_equal(read_once(tree_path(tree, "cg"), ID3, 0).anon, 5);
}

static void pressure_by_table(void **state)
{
    static const struct {
        const char *text;
        double some;
        fact total;
    } cases[] = {
        {"some avg10=99.99 avg60=1.00 avg300=0.00 total=5\n", 99.99, 5},
        {"some total=6 avg10=0.01\n", 0.01, 6},
        {"some avg10=1.5 total=x\n", -1, FACT_UNKNOWN},
        {"some avg10=.50 total=18446744073709551615\n", -1, FACT_UNKNOWN},
        {"some avg10=1.00", -1, FACT_UNKNOWN},
        {"full avg10=1.00 total=1\n", -1, FACT_UNKNOWN},
        {"something avg10=1.00 total=1\n", -1, FACT_UNKNOWN},
        {"", -1, FACT_UNKNOWN},
    };
    const struct tree *tree = *state;

    tree_copy(tree, FIXTURES "v2", "cg");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tree_put(tree, V2 "/memory.pressure", cases[i].text);
        struct cgroup_memory m = read_once(tree_path(tree, "cg"), ID3, 0);
        if (m.psi.some_avg10 != cases[i].some || m.psi.some_total_us != cases[i].total)
            fail_msg("\"%s\": %f", cases[i].text, m.psi.some_avg10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_takes_the_totals),
        cmocka_unit_test(a_hybrid_has_its_pressure_elsewhere),
        cmocka_unit_test(version_2_by_its_keys),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_unknown, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(numbers_by_table, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(keyed_files_by_table, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(pressure_by_table, tree_make, tree_drop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
