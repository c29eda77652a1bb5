/* A throttle in the files of a cgroup: what is planned, set and given back; and the texts of CPU
 * quotas. The files are a tree of the test's own. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "act/throttle_files.h"
#include "sense/cpu_quota.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ID  "00000000000000000000000000000000000000000000000000000000000000ab"
#define MIB ((fact)1 << 20)
static const char boot[] = "this-boot";

static char root[64];
static struct error err;

static void path_to(const char *name, char path[256])
{
    assert_in_range(snprintf(path, 256, "%s/%s", root, name), 1, 255);
}

static void make(const char *name)
{
    char path[256];
    path_to(name, path);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void put(const char *name, const char *text)
{
    char path[256];
    path_to(name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void check(const char *name, const char *wanted)
{
    char path[256], text[64] = "";
    path_to(name, path);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, wanted);
}

#define V2 "docker/" ID
#define M1 "memory/docker/" ID
#define C1 "cpu,cpuacct/docker/" ID

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/test-throttle-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int drop_root(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static void tree_v2(const char *high, const char *quota)
{
    make("docker");
    make(V2);
    put("cgroup.controllers", "cpu memory\n");
    put(V2 "/memory.high", high);
    put(V2 "/cpu.max", quota);
}

static void tree_v1(const char *quota, const char *period)
{
    make("memory");
    make("memory/docker");
    make(M1);
    make("cpu,cpuacct");
    make("cpu,cpuacct/docker");
    make(C1);
    put(C1 "/cpu.cfs_quota_us", quota);
    put(C1 "/cpu.cfs_period_us", period);
}

static int plan(int version, fact in_use, fact limit, struct throttle *t, char why[128])
{
    char path[256];
    struct stat st;
    path_to(version == 2 ? V2 : M1, path);
    assert_int_equal(stat(path, &st), 0);
    *t = (struct throttle){.container = ID, .version = version, .inode = (fact)st.st_ino};
    snprintf(t->boot_id, sizeof t->boot_id, "%s", boot);
    return throttle_plan(root, path, in_use, limit, 50, t, why, 128);
}

static void undo(const struct throttle *t, const char *part)
{
    char text[160];
    assert_int_equal(throttle_undo(root, boot, t, text, sizeof text, &err), 0);
    if (*part)
        assert_non_null(strstr(text, part));
    else
        assert_string_equal(text, "");
}

/* ---- texts ---- */

static struct cpu_quota parsed(const char *text)
{
    return cpu_quota_parse(text_of(text, strlen(text)));
}

static void quotas_are_read_as_the_kernel_writes_them(void **state)
{
    static const char *const torn[] = {"",
                                       "max",
                                       "max 100000",
                                       "max \n",
                                       "50000",
                                       "50000 100000",
                                       "-1 100000\n",
                                       "max 100000 1\n",
                                       "min 100000\n"};
    (void)state;
    struct cpu_quota q = parsed("max 100000\n");
    assert_true(q.quota_us == FACT_NONE && q.period_us == 100000);
    q = parsed("50000 250000\n");
    assert_true(q.quota_us == 50000 && q.period_us == 250000);
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        q = parsed(torn[i]);
        assert_true(q.quota_us == FACT_UNKNOWN && q.period_us == FACT_UNKNOWN);
    }
    assert_true(cpu_quota_parse_v1(text_of("-1\n", 3)) == FACT_NONE);
    assert_true(cpu_quota_parse_v1(text_of("50000\n", 6)) == 50000);
    assert_true(cpu_quota_parse_v1(text_of("50000", 5)) == FACT_UNKNOWN);
    assert_true(cpu_quota_parse_v1(text_of("-2\n", 3)) == FACT_UNKNOWN);
    assert_true(cpu_quota_parse_v1(text_of("", 0)) == FACT_UNKNOWN);
}

/* ---- version 2 ---- */

static void both_are_set_and_given_back(void **state)
{
    struct throttle t;
    char why[128], text[96];
    (void)state;
    tree_v2("max\n", "max 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_true(t.high_before == FACT_NONE && t.high_set == 1100 * MIB);
    assert_true(t.quota_before_us == FACT_NONE && t.quota_set_us == 50000);
    assert_string_equal(throttle_format(&t, text, sizeof text),
                        "50 % of a core, memory.high 1.1 GiB");
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    check(V2 "/memory.high", "1153433600\n");
    check(V2 "/cpu.max", "50000 100000\n");
    undo(&t, "");
    check(V2 "/memory.high", "max\n");
    check(V2 "/cpu.max", "max 100000\n");
    undo(&t, ""); /* again: harmless */
    check(V2 "/cpu.max", "max 100000\n");
}

static void looser_bounds_come_back_exactly(void **state)
{
    struct throttle t;
    char why[128];
    (void)state;
    tree_v2("8589934592\n", "30000 40000\n");
    assert_int_equal(plan(2, 100 * MIB, 9000 * MIB, &t, why), 0);
    assert_true(t.high_set == 164 * MIB); /* 64 MiB at least are left above what is in use */
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    check(V2 "/memory.high", "171966464\n");
    check(V2 "/cpu.max", "20000 40000\n");
    undo(&t, "");
    check(V2 "/memory.high", "8589934592\n");
    check(V2 "/cpu.max", "30000 40000\n");
}

static void tighter_bounds_are_left_alone(void **state)
{
    struct throttle t;
    char why[128];
    (void)state;
    tree_v2("1073741824\n", "50000 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), -EALREADY);
    assert_non_null(strstr(why, "tightly"));
    put(V2 "/cpu.max", "50001 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_true(t.high_set == FACT_UNKNOWN && t.quota_set_us == 50000);
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    check(V2 "/memory.high", "1073741824\n");
    undo(&t, "");
    check(V2 "/cpu.max", "50001 100000\n");
    put(V2 "/memory.high", "max\n"); /* a limit that is tighter makes it needless */
    assert_int_equal(plan(2, 1000 * MIB, 1024 * MIB, &t, why), 0);
    assert_true(t.high_set == FACT_UNKNOWN);
    assert_int_equal(plan(2, FACT_UNKNOWN, FACT_NONE, &t, why), 0); /* nobody knows what is held */
    assert_true(t.high_set == FACT_UNKNOWN && t.quota_set_us == 50000);
}

/* A crash between the row and the writes, after each of them, and amid the undoing. */
static void whatever_stands_of_it_is_given_back(void **state)
{
    static const char *const highs[] = {"max\n", "1153433600\n"};
    static const char *const quotas[] = {"max 100000\n", "50000 100000\n"};
    struct throttle t;
    char why[128];
    (void)state;
    tree_v2("max\n", "max 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    for (int high = 0; high < 2; high++)
        for (int quota = 0; quota < 2; quota++) {
            put(V2 "/memory.high", highs[high]);
            put(V2 "/cpu.max", quotas[quota]);
            undo(&t, "");
            check(V2 "/memory.high", "max\n");
            check(V2 "/cpu.max", "max 100000\n");
        }
}

static void what_somebody_set_meanwhile_stays(void **state)
{
    struct throttle t;
    char why[128];
    (void)state;
    tree_v2("max\n", "max 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    put(V2 "/cpu.max", "80000 100000\n");
    undo(&t, "its CPU quota changed meanwhile");
    check(V2 "/memory.high", "max\n");
    check(V2 "/cpu.max", "80000 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    put(V2 "/memory.high", "5368709120\n");
    put(V2 "/cpu.max", "50000 200000\n"); /* another period is another quota */
    undo(&t, "its CPU quota and memory.high changed");
    check(V2 "/memory.high", "5368709120\n");
    check(V2 "/cpu.max", "50000 200000\n");
}

static void what_changed_since_the_plan_is_not_overwritten(void **state)
{
    struct throttle t;
    char why[128];
    (void)state;
    tree_v2("max\n", "max 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    put(V2 "/memory.high", "5368709120\n");
    assert_int_equal(throttle_apply(root, &t, &err), -ESTALE);
    check(V2 "/memory.high", "5368709120\n");
    undo(&t, "memory.high");
    check(V2 "/cpu.max", "max 100000\n");
    check(V2 "/memory.high", "5368709120\n");
}

static void another_life_is_left_alone(void **state)
{
    struct throttle t, other;
    char why[128], text[160], path[256];
    (void)state;
    tree_v2("max\n", "max 100000\n");
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    other = t;
    other.inode++;
    undo(&other, "gone");
    assert_int_equal(throttle_undo(root, "other-boot", &t, text, sizeof text, &err), 0);
    assert_non_null(strstr(text, "gone"));
    check(V2 "/cpu.max", "50000 100000\n");
    snprintf(other.directory, sizeof other.directory, "docker/none");
    undo(&other, "gone");
    /* Where no cgroups are mounted nothing can be told: it is kept. */
    path_to("nowhere", path);
    assert_int_equal(throttle_undo(path, boot, &t, text, sizeof text, &err), -ENOENT);
    assert_non_null(strstr(err.message, path));
}

static void a_tree_without_cpu_max_gets_memory_high_alone(void **state)
{
    struct throttle t;
    char why[128], path[256], text[96];
    (void)state;
    tree_v2("max\n", "max 100000\n");
    path_to(V2 "/cpu.max", path);
    unlink(path);
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_string_equal(throttle_format(&t, text, sizeof text), "memory.high 1.1 GiB");
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    check(V2 "/memory.high", "1153433600\n");
    undo(&t, "");
    check(V2 "/memory.high", "max\n");
    path_to(V2 "/memory.high", path);
    unlink(path);
    assert_int_equal(plan(2, 1000 * MIB, FACT_NONE, &t, why), -ENOENT);
    assert_non_null(strstr(why, "neither"));
}

/* ---- version 1 ---- */

static void version_1_has_a_quota_in_another_hierarchy(void **state)
{
    struct throttle t;
    char why[128], text[96];
    (void)state;
    tree_v1("-1\n", "50000\n");
    assert_int_equal(plan(1, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_string_equal(t.directory, M1);
    assert_string_equal(t.cpu_directory, C1);
    assert_true(t.high_set == FACT_UNKNOWN && t.quota_before_us == FACT_NONE);
    assert_string_equal(throttle_format(&t, text, sizeof text), "50 % of a core");
    assert_int_equal(throttle_apply(root, &t, &err), 0);
    check(C1 "/cpu.cfs_quota_us", "25000\n");
    check(C1 "/cpu.cfs_period_us", "50000\n");
    undo(&t, "");
    check(C1 "/cpu.cfs_quota_us", "-1\n");
    put(C1 "/cpu.cfs_period_us", "1000\n"); /* the kernel takes no quota below 1 ms */
    assert_int_equal(plan(1, 1000 * MIB, FACT_NONE, &t, why), 0);
    assert_true(t.quota_set_us == 1000);
    put(C1 "/cpu.cfs_quota_us", "1000\n");
    assert_int_equal(plan(1, 1000 * MIB, FACT_NONE, &t, why), -EALREADY);
    put(C1 "/cpu.cfs_quota_us", "nonsense\n");
    assert_int_equal(plan(1, 1000 * MIB, FACT_NONE, &t, why), -ENOENT);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, make_root, drop_root)
    const struct CMUnitTest tests[] = {
        TEST(quotas_are_read_as_the_kernel_writes_them),
        TEST(both_are_set_and_given_back),
        TEST(looser_bounds_come_back_exactly),
        TEST(tighter_bounds_are_left_alone),
        TEST(whatever_stands_of_it_is_given_back),
        TEST(what_somebody_set_meanwhile_stays),
        TEST(what_changed_since_the_plan_is_not_overwritten),
        TEST(another_life_is_left_alone),
        TEST(a_tree_without_cpu_max_gets_memory_high_alone),
        TEST(version_1_has_a_quota_in_another_hierarchy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
