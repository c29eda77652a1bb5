/* Processes and what is kept of them, from fixture trees and from this machine; every call made to
 * fail in turn. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "fail_calls.h"
#include "sense/process.h"
#include "tree.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FIXTURE "tests/unit/fixtures/proc"
#define BLOB    "sha256-995e2708ead9c155436dbc51a5abb4dcc43745f0145009a54fa712baad981e33"

struct look {
    struct process_memory *memory;
    struct container container;
};

static void look_begin(struct look *look)
{
    assert_int_equal(process_memory_new(&look->memory), 0);
    container_init(&look->container);
    snprintf(look->container.id, sizeof look->container.id, "%064d", 1);
}

static void look_end(struct look *look)
{
    container_clear(&look->container);
    process_memory_free(look->memory);
}

#define LOOK(look, procfs, ...)                                                                    \
    processes_read(procfs, (look)->memory, (const int64_t[]){__VA_ARGS__},                         \
                   sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t), &(look)->container)

static void a_fixture(void **state)
{
    struct look look;

    (void)state;
    look_begin(&look);
    assert_int_equal(LOOK(&look, FIXTURE, 4711, 4720, 4725, 4730, 4740), 0);
    assert_true(look.container.processes_known);
    assert_int_equal(look.container.n_processes, 4); /* 4725 ended meanwhile */
    const struct process *p = look.container.processes;
    assert_int_equal(p[0].pid, 4711);
    assert_int_equal(p[0].ns_pid, 1);
    assert_int_equal(p[0].ppid, 4690);
    assert_int_equal(p[0].started_us, 1826920000);
    assert_int_equal(p[0].cpu_us, 1750000);
    assert_int_equal(p[0].kind, PROCESS_SERVE);
    assert_int_equal(p[0].state, 'S');
    assert_int_equal(p[0].rss_anon, 7804 * 1024);
    assert_int_equal(p[0].rss_file, 23660 * 1024);
    assert_int_equal(p[0].swap, 128 * 1024);
    assert_int_equal(p[1].kind, PROCESS_RUNNER);
    assert_int_equal(p[1].ns_pid, 57);
    assert_int_equal(p[1].port, 35171);
    assert_string_equal(p[1].blob, BLOB);
    assert_string_equal(p[1].comm, "llama-server");
    assert_int_equal(p[2].state, 'Z'); /* lost its argv: it is not the server */
    assert_int_equal(p[2].kind, PROCESS_OTHER);
    assert_int_equal(p[2].rss_anon, FACT_UNKNOWN);
    assert_int_equal(p[2].swap, FACT_UNKNOWN);
    assert_string_equal(p[3].comm, "a) S (b ");
    assert_int_equal(p[3].state, 'D');
    assert_int_equal(p[3].swap, 0); /* no VmSwap beside RssAnon: a kernel without swap */
    assert_int_equal(container_serve(&look.container)->pid, 4711);

    struct process one;
    assert_int_equal(process_read(FIXTURE, 4720, &one), 0);
    assert_memory_equal(&one, &p[1], sizeof one);
    assert_int_equal(process_read(FIXTURE, 4725, &one), -ESRCH);
    assert_int_equal(process_read(FIXTURE, 0, &one), -ESRCH);
    assert_int_equal(process_read("/nonexistent", 1, &one), -ENOENT);
    look_end(&look);
    process_memory_free(NULL);
}

/* A process in the tree; arguments end with |. */
static void put_process(const struct tree *tree, int pid, long started, const char *comm,
                        const char *argv)
{
    char path[64], text[512];

    snprintf(path, sizeof path, "%d/stat", pid);
    snprintf(text, sizeof text, "%d (%s) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 %ld 1 1\n", pid,
             comm, started);
    tree_put(tree, path, text);
    snprintf(path, sizeof path, "%d/status", pid);
    tree_put(tree, path, "RssAnon:\t 4 kB\nVmSwap:\t 0 kB\n");
    snprintf(path, sizeof path, "%d/cmdline", pid);
    size_t length = strlen(argv);
    for (size_t i = 0; i < length; i++)
        text[i] = argv[i] == '|' ? '\0' : argv[i];
    tree_put_bytes(tree, path, text, length);
}

/* Before Linux 4.5 only statm tells what of it is anonymous. */
static void an_old_kernel(void **state)
{
    const struct tree *tree = *state;
    fact page = sysconf(_SC_PAGESIZE);
    struct process p;

    put_process(tree, 7, 1, "ollama", "ollama|serve|");
    tree_put(tree, "7/status", "VmRSS:\t 40 kB\nVmSwap:\t 8 kB\n");
    tree_put(tree, "7/statm", "100 10 4 1 0 20 0\n");
    assert_int_equal(process_read(tree->root, 7, &p), 0);
    assert_int_equal(p.rss_anon, 6 * page);
    assert_int_equal(p.rss_file, 4 * page);
    assert_int_equal(p.swap, 8192);
    tree_put(tree, "7/statm", "100 10");
    assert_int_equal(process_read(tree->root, 7, &p), 0);
    assert_int_equal(p.rss_anon, FACT_UNKNOWN);
    tree_put(tree, "7/statm", "0 0 0 0 0 0 0\n"); /* one that ends: it has let its memory go */
    tree_put(tree, "7/status", "State:\tX\n");
    assert_int_equal(process_read(tree->root, 7, &p), 0);
    assert_int_equal(p.rss_anon, FACT_UNKNOWN);
}

static enum process_kind kind_at_next_look(struct look *look, const struct tree *tree)
{
    assert_int_equal(LOOK(look, tree->root, 7), 0);
    return look->container.processes[0].kind;
}

static void a_kind_is_kept(void **state)
{
    const struct tree *tree = *state;
    struct look look;

    look_begin(&look);
    put_process(tree, 7, 100, "ollama", ""); /* an empty argv decides nothing */
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_OTHER);
    put_process(tree, 7, 100, "ollama", "ollama|runner|--model|/" BLOB "|--port|5|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_RUNNER);
    put_process(tree, 7, 100, "ollama", ""); /* dying */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kind_at_next_look(&look, tree), PROCESS_RUNNER);
        assert_int_equal(look.container.processes[0].port, 5);
        assert_string_equal(look.container.processes[0].blob, BLOB);
    }
    /* The same pid, another process. */
    put_process(tree, 7, 101, "ollama", "ollama|serve|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_SERVE);
    assert_string_equal(look.container.processes[0].blob, "");

    /* Read in two looks it stands, and is not read a third time … */
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_SERVE);
    put_process(tree, 7, 101, "ollama", "ollama|list|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_SERVE);
    /* … until the name changes. */
    put_process(tree, 7, 101, "ollama2", "ollama|list|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_OTHER);
    look_end(&look);
}

static void between_fork_and_exec(void **state)
{
    const struct tree *tree = *state;
    struct look look;

    look_begin(&look);
    put_process(tree, 7, 100, "ollama", "ollama|serve|"); /* its parent's */
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_SERVE);
    put_process(tree, 7, 100, "ollama", "ollama|runner|--model|m|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_RUNNER);
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_RUNNER);
    put_process(tree, 7, 100, "ollama", "ollama|serve|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_RUNNER);

    put_process(tree, 7, 200, "entry.sh", "/bin/sh|/entry.sh|"); /* a script that ends in exec */
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_OTHER);
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_OTHER);
    put_process(tree, 7, 200, "ollama", "/bin/ollama|serve|");
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_SERVE);
    look_end(&look);
}

static void what_is_gone_is_forgotten(void **state)
{
    const struct tree *tree = *state;
    struct look look;
    struct container other;

    look_begin(&look);
    container_init(&other);
    snprintf(other.id, sizeof other.id, "%064d", 2);
    put_process(tree, 7, 100, "ollama", "ollama|serve|");
    put_process(tree, 8, 100, "ollama", "ollama|runner|--model|m|");
    assert_int_equal(LOOK(&look, tree->root, 7), 0);
    assert_int_equal(processes_read(tree->root, look.memory, (int64_t[]){8}, 1, &other), 0);
    put_process(tree, 7, 100, "ollama", "");
    put_process(tree, 8, 100, "ollama", "");
    assert_int_equal(LOOK(&look, tree->root, ), 0); /* none in the one container */
    assert_true(look.container.processes_known);
    assert_int_equal(look.container.n_processes, 0);
    assert_int_equal(kind_at_next_look(&look, tree), PROCESS_OTHER); /* forgotten */
    assert_int_equal(processes_read(tree->root, look.memory, (int64_t[]){8}, 1, &other), 0);
    assert_int_equal(other.processes[0].kind, PROCESS_RUNNER); /* the other's is kept */
    processes_forget(look.memory, look.container.id);
    assert_int_equal(processes_read(tree->root, look.memory, (int64_t[]){8}, 1, &other), 0);
    assert_int_equal(other.processes[0].kind, PROCESS_RUNNER);
    processes_forget(look.memory, other.id); /* until its container has gone, without a last look */
    assert_int_equal(processes_read(tree->root, look.memory, (int64_t[]){8}, 1, &other), 0);
    assert_int_equal(other.processes[0].kind, PROCESS_OTHER);
    container_clear(&other);
    look_end(&look);
}

static void a_list_that_would_lack_some_is_unknown(void **state)
{
    static int64_t many[WORLD_PROCESSES_MAX + 1];
    const struct tree *tree = *state;
    struct look look;

    look_begin(&look);
    put_process(tree, 7, 100, "ollama", "ollama|serve|");
    assert_int_equal(LOOK(&look, tree->root, 7), 0);
    assert_int_equal(LOOK(&look, tree->root, 7, 0), -ENOENT); /* of another pid namespace */
    assert_false(look.container.processes_known);
    assert_int_equal(look.container.n_processes, 0);
    assert_int_equal(LOOK(&look, "/nonexistent", 7), -ENOENT);
    assert_int_equal(LOOK(&look, tree->root, 9, 10), -ESRCH); /* none of them is there */
    assert_false(look.container.processes_known);
    for (size_t i = 0; i < WORLD_PROCESSES_MAX + 1; i++)
        many[i] = 7;
    assert_int_equal(
        processes_read(tree->root, look.memory, many, WORLD_PROCESSES_MAX, &look.container), 0);
    assert_int_equal(
        processes_read(tree->root, look.memory, many, WORLD_PROCESSES_MAX + 1, &look.container),
        -E2BIG);
    assert_false(look.container.processes_known);
    tree_put(tree, "8/stat", "8 (torn) S 1"); /* not understood is not ended */
    tree_put(tree, "8/status", "");
    assert_int_equal(LOOK(&look, tree->root, 7, 8), -EIO);
    if (geteuid() == 0) {
        assert_int_equal(chmod(tree_path(tree, "8"), 0700), 0);
        assert_int_equal(seteuid(65534), 0);
        int r = LOOK(&look, tree->root, 7, 8);
        assert_int_equal(seteuid(0), 0);
        assert_int_equal(r, -EACCES);
        assert_false(look.container.processes_known);
    }
    look_end(&look);
}

static void every_call_may_fail(void **state)
{
    struct fail_call *const calls[] = {&fail_openat, &fail_pread, &fail_malloc};
    static const int codes[] = {EMFILE, EIO, ENOMEM};
    size_t files = open_files();

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        bool hit = true;
        for (long n = 0; hit; n++) {
            struct look look;
            look_begin(&look);
            *calls[c] = (struct fail_call){n, codes[c]};
            int r = LOOK(&look, FIXTURE, 4711, 4720);
            hit = calls[c]->at < 0;
            *calls[c] = NOT_FAILING;
            assert_true(r == 0 || (hit && r == -codes[c]));
            assert_true(look.container.processes_known == (r == 0));
            assert_int_equal(look.container.n_processes, r == 0 ? 2 : 0);
            /* A command line that cannot be read decides nothing; the next look does. */
            assert_int_equal(LOOK(&look, FIXTURE, 4711, 4720), 0);
            assert_int_equal(look.container.processes[0].kind, PROCESS_SERVE);
            assert_int_equal(look.container.processes[1].kind, PROCESS_RUNNER);
            look_end(&look);
        }
        assert_int_equal(open_files(), files);
    }
    fail_malloc = (struct fail_call){0, ENOMEM};
    assert_int_equal(process_memory_new(&(struct process_memory *){0}), -ENOMEM);
    fail_malloc = NOT_FAILING;
}

static void a_real_process_and_its_end(void **state)
{
    struct process process;
    struct timespec boot;

    (void)state;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(process_read("/proc", child, &process), 0);
    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &boot), 0);
    assert_int_equal(process.ppid, getpid());
    assert_int_equal(process.kind, PROCESS_OTHER);
    assert_true(process.rss_anon > 0 && process.swap >= 0 && process.ns_pid > 0);
    double age_s =
        (double)boot.tv_sec + (double)boot.tv_nsec / 1e9 - (double)process.started_us / 1e6;
    assert_true(age_s > -0.1 && age_s < 30);
    assert_int_equal(kill(child, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(process_read("/proc", child, &process), 0);
    assert_int_equal(process.state, 'Z');
    assert_int_equal(process.rss_anon, FACT_UNKNOWN);
    assert_int_equal(process.swap, FACT_UNKNOWN);
    assert_int_equal(process_held(&process), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(process_read("/proc", child, &process), -ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fixture),
        cmocka_unit_test_setup_teardown(an_old_kernel, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_kind_is_kept, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(between_fork_and_exec, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(what_is_gone_is_forgotten, tree_make, tree_drop),
        cmocka_unit_test_setup_teardown(a_list_that_would_lack_some_is_unknown, tree_make,
                                        tree_drop),
        cmocka_unit_test(every_call_may_fail),
        cmocka_unit_test(a_real_process_and_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
