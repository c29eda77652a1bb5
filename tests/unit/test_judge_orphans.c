/* orphan-runner of a runner whose server is dead: an entrypoint has started the next one. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "worlds.h"
#include <stdio.h>
#include <string.h>

#define A "sha256-aaaa"

enum { SHELL_PID = 50, NEXT_PID = 300 };

/* An entrypoint starts the server, and the next one when that has died. */
static void begin_under(struct scene *s, const char *entrypoint)
{
    scene_begin(s, NULL);
    struct process *p = scene_add_process(s, SHELL_PID, PROCESS_OTHER, 0);
    snprintf(p->comm, sizeof p->comm, "%s", entrypoint);
    p->ppid = 2;
    scene_container(s)->pid = SHELL_PID;
    scene_serve(s)->ppid = SHELL_PID;
}

static void server_dies(struct scene *s)
{
    s->n_models = 0;
    scene_process(s, 200)->ppid = SHELL_PID;
    scene_remove_process(s, SERVE_PID);
    scene_step(s, 1);
    scene_add_process(s, NEXT_PID, PROCESS_SERVE, 10 * MIB)->ppid = SHELL_PID;
}

static void left_by_a_server_that_was_seen(void **state)
{
    struct scene s;
    (void)state;
    begin_under(&s, "anything");
    scene_list(&s, "a", A);
    scene_add_runner(&s, 200, A);
    scene_look(&s);
    scene_step(&s, 30);
    server_dies(&s);
    double died_s = s.now_s, raised_s = scene_until_raised(&s, VERDICT_ORPHAN_RUNNER, 120);
    assert_true(raised_s >= died_s + 60 && raised_s <= died_s + 63);
    assert_int_equal(scene_verdict(&s, VERDICT_ORPHAN_RUNNER)->pid, 200);
    scene_end(&s);
}

static void is_younger(struct scene *s)
{
    scene_process(s, 200)->started_us = scene_process(s, NEXT_PID)->started_us + 1;
}
static void has_no_port(struct scene *s)
{
    scene_process(s, 200)->port = FACT_UNKNOWN;
}
static void has_no_blob(struct scene *s)
{
    scene_process(s, 200)->blob[0] = '\0';
}
static void beside_another_server(struct scene *s)
{
    scene_container(s)->ollama.server = NEXT_PID;
    scene_add_process(s, 400, PROCESS_SERVE, 10 * MIB)->ppid = SHELL_PID;
}
static void below_its_own_program(struct scene *s)
{
    struct process *p = scene_add_process(s, 60, PROCESS_OTHER, 0);
    snprintf(p->comm, sizeof p->comm, "llama-swap");
    p->ppid = SHELL_PID;
    scene_process(s, 200)->ppid = p->pid;
}

/* Nobody saw whose child it was: by its arguments, its age and who is above it. */
static void found_without_its_server(void **state)
{
    static const struct {
        const char *entrypoint;
        void (*change)(struct scene *s);
        bool orphan;
    } of[] = {
        {"sh", NULL, true},
        {"tini", NULL, true},
        {"python3", NULL, false}, /* an entrypoint that may have started it */
        {"s6-svscan", NULL, false},
        {"sh", is_younger, false},
        {"sh", has_no_port, false},
        {"sh", has_no_blob, false},
        {"sh", beside_another_server, false},
        {"sh", below_its_own_program, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        struct scene s;
        begin_under(&s, of[i].entrypoint);
        scene_add_runner(&s, 200, A);
        s.now_s += 1;
        server_dies(&s); /* of which the judge sees nothing but the end */
        s.change = of[i].change;
        if (scene_never_raised(&s, VERDICT_ORPHAN_RUNNER, 200) == of[i].orphan)
            fail_msg("%zu", i);
        scene_end(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_by_a_server_that_was_seen),
        cmocka_unit_test(found_without_its_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
