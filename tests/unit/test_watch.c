/* What is known of a container while the engine is away. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/watch.h"
#include "tree.h"
#include <stdio.h>
#include <unistd.h>

enum { PID = 4711, TICKS = 500 };

static void put_main(const struct tree *tree, char state, long started_ticks)
{
    char text[256];
    snprintf(text, sizeof text, "%d (ollama) %c 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 %ld 1 1\n",
             PID, state, started_ticks);
    tree_put(tree, "4711/stat", text);
    tree_put(tree, "4711/status", "RssAnon:\t 4 kB\nVmSwap:\t 0 kB\n");
    tree_put(tree, "4711/cmdline", "/bin/ollama");
}

/* A running one whose main process was seen, as the tree of processes has it. */
static struct watch seen(const struct tree *tree, struct sampler *ret_sampler)
{
    struct watch w = {.container = {.status = STATUS_RUNNING, .pid = PID, .exit_code = 0}};
    put_main(tree, 'S', TICKS);
    w.main_started_us = (fact)TICKS * 1000000 / sysconf(_SC_CLK_TCK);
    *ret_sampler = (struct sampler){.procfs = tree->root};
    return w;
}

static void it_runs_while_its_main_process_does(void **state)
{
    struct sampler sampler;
    struct watch w = seen(*state, &sampler);
    assert_false(watch_left_alone(&w, &sampler));
    assert_int_equal(w.container.status, STATUS_RUNNING);
}

static void it_has_ended_with_its_main_process(void **state)
{
    struct sampler sampler;
    for (int how = 0; how < 3; how++) {
        struct watch w = seen(*state, &sampler);
        if (how == 0)
            tree_remove(*state, "4711");
        else if (how == 1)
            put_main(*state, 'Z', TICKS);
        else
            put_main(*state, 'S', TICKS + 1); /* another one has its pid */
        assert_true(watch_left_alone(&w, &sampler));
        assert_int_equal(w.container.status, STATUS_EXITED);
        assert_int_equal(w.container.exit_code, FACT_UNKNOWN);
        assert_false(watch_left_alone(&w, &sampler)); /* told once */
    }
}

static void one_whose_main_process_was_never_seen_is_unknown(void **state)
{
    struct sampler sampler;
    struct watch w = seen(*state, &sampler);
    w.main_started_us = 0;
    assert_false(watch_left_alone(&w, &sampler));
    assert_int_equal(w.container.status, STATUS_UNKNOWN);
}

static void one_that_cannot_be_read_is_left_as_it_was(void **state)
{
    struct sampler sampler;
    struct watch w = seen(*state, &sampler);
    tree_put(*state, "4711/stat", "nonsense\n");
    assert_false(watch_left_alone(&w, &sampler));
    assert_int_equal(w.container.status, STATUS_RUNNING);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, tree_make, tree_drop)
    const struct CMUnitTest tests[] = {
        TEST(it_runs_while_its_main_process_does),
        TEST(it_has_ended_with_its_main_process),
        TEST(one_whose_main_process_was_never_seen_is_unknown),
        TEST(one_that_cannot_be_read_is_left_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
