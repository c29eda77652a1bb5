/* What a probe of `supervisor test` said, and what that means; and the probe itself, on a fixture
 * of procfs and cgroupfs. */
#include "deploy/probe_inside.h"
#include "deploy/probe_private.h"
#include "tree.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (INT64_C(1) << 20)

static void outcomes(void **state)
{
    static const struct {
        const char *said, *state;
        enum probe_end end;
        const char *words;
        fact missing;
    } cases[] = {
        {"{\"probe\":\"ended\",\"touched\":1000,\"wrong_pages\":0,\"seconds\":1.5,\"limit\":"
         "67108864,"
         "\"available\":5,\"peak\":7}\n",
         "{\"ExitCode\":0,\"OOMKilled\":false}", PROBE_HAD, "", FACT_UNKNOWN},
        {"{\"probe\":\"touching\",\"touched\":0,\"limit\":67108864}\nnoise\n"
         "{\"probe\":\"ended\",\"touched\":400,\"wrong_pages\":0,\"seconds\":1.5,\"limit\":"
         "67108864,"
         "\"available\":5000,\"stopped\":\"reserve\"}\n",
         "{\"ExitCode\":0,\"OOMKilled\":false}", PROBE_SHORT, "400 B of 1000 B touched", 600},
        {"{\"probe\":\"ended\",\"touched\":1000,\"wrong_pages\":0,\"seconds\":1,\"limit\":null}\n",
         "{\"ExitCode\":0}", PROBE_NOT_LIMITED, "the engine says 64.0 MiB, the cgroup none",
         FACT_UNKNOWN},
        {"{\"probe\":\"ended\",\"touched\":1000,\"wrong_pages\":0,\"seconds\":1}\n",
         "{\"ExitCode\":0}", PROBE_NOT_LIMITED, "the cgroup ?", FACT_UNKNOWN},
        {"{\"probe\":\"ended\",\"touched\":1000,\"wrong_pages\":3,\"seconds\":1,\"limit\":67108864}"
         "\n",
         "{\"ExitCode\":0}", PROBE_FAILED, "3 pages did not hold", FACT_UNKNOWN},
        {"{\"probe\":\"ended\",\"touched\":0,\"wrong_pages\":0,\"seconds\":0,\"limit\":67108864,"
         "\"stopped\":\"overcommit\"}\n",
         "{\"ExitCode\":0}", PROBE_FAILED, "vm.overcommit_memory", FACT_UNKNOWN},
        {"{\"probe\":\"touching\",\"touched\":500,\"limit\":67108864}\n",
         "{\"ExitCode\":137,\"OOMKilled\":true}", PROBE_KILLED,
         "the kernel killed it, out of memory, with 500 B of 1000 B", FACT_UNKNOWN},
        {"{\"probe\":\"touching\",\"touched\":500,\"limit\":67108864}\n",
         "{\"ExitCode\":137,\"OOMKilled\":false}", PROBE_KILLED, "it was killed with 500 B",
         FACT_UNKNOWN},
        {"exec format error\n", "{\"ExitCode\":1}", PROBE_FAILED,
         "the probe ended with 1: exec format error", FACT_UNKNOWN},
        {"", "{\"ExitCode\":2}", PROBE_FAILED, "it said nothing", FACT_UNKNOWN},
    };
    struct probe probe = {.reserve = 5000};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct probe_result r = {
            .size = 64 * MIB, .wanted = 1000, .limit_engine = 64 * MIB, .missing = FACT_UNKNOWN};
        json_t *json = json_loads(cases[i].state, 0, NULL);
        probe_answer_read(cases[i].said, &r.answer);
        probe_judge(&probe, json, cases[i].said, &r);
        json_decref(json);
        assert_int_equal(r.end, cases[i].end);
        assert_non_null(strstr(r.reason, cases[i].words));
        assert_int_equal(r.missing, cases[i].missing);
        assert_true((r.end == PROBE_HAD) == (r.reason[0] == '\0'));
    }
}

/* The probe's own words, with a fixture in place of the container's procfs and cgroupfs. */
static void touch(const char *procfs, const char *cgroupfs, fact wanted, fact reserve,
                  struct probe_answer *answer)
{
    int ends[2];
    char said[4096];
    size_t length = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        _exit(probe_inside(wanted, reserve, procfs, cgroupfs));
    }
    close(ends[1]);
    for (ssize_t got; (got = read(ends[0], said + length, sizeof said - 1 - length)) > 0;)
        length += (size_t)got;
    said[length] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(probe_answer_read(said, answer));
}

static void touches(void **state)
{
    struct probe_answer answer;
    const struct tree *tree = *state;
    char proc[96], v1[96], v2[96], host[96];
    snprintf(proc, sizeof proc, "%s/proc", tree->root);
    snprintf(v1, sizeof v1, "%s/v1", tree->root);
    snprintf(v2, sizeof v2, "%s/v2", tree->root);
    snprintf(host, sizeof host, "%s/host", tree->root);
    tree_put(tree, "proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 524288 kB\n");
    tree_put(tree, "proc/self/cgroup", "0::/a.slice/b.scope\n");
    tree_put(tree, "v1/memory/memory.limit_in_bytes", "134217728\n");
    tree_put(tree, "v1/memory/memory.max_usage_in_bytes", "120000000\n");
    tree_put(tree, "v2/memory.max", "max\n");
    tree_put(tree, "v2/memory.current", "1000\n");
    tree_put(tree, "host/memory.max", "max\n"); /* the root's, of another namespace */
    tree_put(tree, "host/a.slice/b.scope/memory.max", "268435456\n");
    tree_put(tree, "host/a.slice/b.scope/memory.peak", "2000\n");

    touch(proc, v1, 100 * MIB + 5, 100 * MIB, &answer); /* whole pages */
    assert_int_equal(answer.touched, 100 * MIB);
    assert_int_equal(answer.wrong_pages, 0);
    assert_int_equal(answer.limit, 134217728);
    assert_int_equal(answer.peak, 120000000);
    assert_int_equal(answer.available, 512 * MIB);
    assert_true(answer.seconds >= 0 && !answer.stopped[0]);

    touch(proc, v2, 80 * MIB, 448 * MIB, &answer); /* a step of 64 MiB is left, and no more */
    assert_int_equal(answer.limit, FACT_NONE);
    assert_int_equal(answer.peak, 1000);
    assert_int_equal(answer.touched, 80 * MIB); /* the fixture's MemAvailable does not fall */
    touch(proc, v2, 80 * MIB, 448 * MIB + 1, &answer);
    assert_int_equal(answer.touched, 0);
    assert_string_equal(answer.stopped, "reserve");

    touch(proc, host, 1 * MIB, 0, &answer);
    assert_int_equal(answer.limit, 268435456);
    assert_int_equal(answer.peak, 2000);
    touch(proc, tree->root, 1 * MIB, 0, &answer);
    assert_int_equal(answer.limit, FACT_UNKNOWN);
    assert_int_equal(answer.peak, FACT_UNKNOWN);

    tree_put(tree, "proc/meminfo", "MemTotal: 1048576 kB\n");
    touch(proc, v1, 1 * MIB, 0, &answer);
    assert_int_equal(answer.touched, 0);
    assert_string_equal(answer.stopped, "unreadable");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes), cmocka_unit_test_setup_teardown(touches, tree_make, tree_drop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
