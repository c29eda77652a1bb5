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
#include "sense/cgroup_parse.h"
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
    assert_int_equal(m.frozen, FACT_NONE);
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
    assert_int_equal(m.frozen, 1);
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
    assert_int_equal(m.frozen, FACT_UNKNOWN);
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
    tree_put(tree, V2 "/cgroup.events", "populated 1\n"); /* Linux 4.15 to 5.1 */
    assert_int_equal(read_once(tree_path(tree, "cg"), ID3, 0).frozen, FACT_NONE);
    tree_put(tree, V2 "/cgroup.events", "populated 1\nfrozen 1\n");
    m = read_once(tree_path(tree, "cg"), ID3, 0);
    assert_int_equal(m.frozen, 1);
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
    tree_put(tree, "cg1/memory/docker/" ID1 "/memory.stat", /* Linux 4.4 */
             "total_cache 20\ntotal_rss 7\ntotal_inactive_anon 5\ntotal_active_anon 8\n");
    m = read_once(tree_path(tree, "cg1"), ID1, 0);
    assert_true(m.anon == 7 && m.shmem == 6 && m.file == 14);
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

/* One limit for a whole stack: on the group above its containers. */
static void the_limits_above_count(void **state)
{
    static const struct {
        const char *own, *above;
        fact bound;
    } cases[] = {
        {"max\n", "700000\n", 700000},      {"900000\n", "700000\n", 700000},
        {"600000\n", "700000\n", 600000},   {"600000\n", "max\n", 600000},
        {"max\n", "max\n", FACT_NONE},      {"600000\n", NULL, 600000},
        {"600000\n", "torn", FACT_UNKNOWN}, {"torn", "700000\n", FACT_UNKNOWN},
    };
    const struct tree *tree = *state;

    tree_copy(tree, FIXTURES "v2", "cg");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tree_put(tree, V2 "/memory.max", cases[i].own);
        if (cases[i].above)
            tree_put(tree, "cg/system.slice/memory.max", cases[i].above);
        else
            tree_remove(tree, "cg/system.slice/memory.max");
        struct cgroup_memory m = read_once(tree_path(tree, "cg"), ID3, 0);
        if (m.bound != cases[i].bound)
            fail_msg("case %zu: %lld", i, (long long)m.bound);
    }
    tree_copy(tree, FIXTURES "v1", "cg1");
    tree_put(tree, "cg1/memory/docker/" ID1 "/memory.stat",
             "hierarchical_memory_limit 700000\ntotal_rss 7\n");
    struct cgroup_memory m = read_once(tree_path(tree, "cg1"), ID1, 0);
    assert_int_equal(m.bound, 700000);
    assert_int_equal(m.limit, 6442450944);
    tree_put(tree, "cg1/memory/docker/" ID1 "/memory.stat",
             "hierarchical_memory_limit 9223372036854771712\n");
    assert_int_equal(read_once(tree_path(tree, "cg1"), ID1, 0).bound, FACT_NONE);
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

static void reads_by_table(void **state)
{
    static const struct {
        const char *text;
        fact bytes;
    } cases[] = {
        {"", 0},
        {"8:0 rbytes=4096 wbytes=7 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=100 wbytes=0\n",
         4196},
        {"8:0 Read 512\n8:0 Write 9\n8:0 Total 521\n8:16 Read 1\nTotal 522\n", 513},
        {"8:0 rbytes=9223372036854775807\n8:16 rbytes=1\n", FACT_UNKNOWN},
        {"8:0 Read\n8:0\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(cgroup_parse_reads(text_of(cases[i].text, strlen(cases[i].text))),
                         cases[i].bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_1_takes_the_totals),
        cmocka_unit_test(a_hybrid_has_its_pressure_elsewhere),
        cmocka_unit_test(version_2_by_its_keys),
        cmocka_unit_test_setup_teardown(what_is_not_there_is_unknown, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(numbers_by_table, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(the_limits_above_count, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(keyed_files_by_table, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(pressure_by_table, tree_make, tree_drop),
        cmocka_unit_test(reads_by_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
