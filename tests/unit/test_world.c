/* The world's memory and what follows from its facts. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include "sense/world.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations are counted down; the one at 0 fails. Linked by --wrap (flags.mk). */
static long fail_at = -1;
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *block, size_t size);

static bool fails(void)
{
    return fail_at >= 0 && fail_at-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

static void starts_unknown(void **state)
{
    struct world world;
    struct container container;

    (void)state;
    memset(&world, 0x55, sizeof world);
    memset(&container, 0x55, sizeof container);
    world_init(&world);
    container_init(&container);
    assert_true(world.monotonic_s < 0 && world.time_ms < 0 && world.n_containers == 0);
    const fact *facts[] = {
        &world.host.total,        &world.host.swap_total, &world.host.psi.some_total_us,
        &container.restart_count, &container.exit_code,   &container.pid,
        &container.oom_killed,    &container.auto_remove, &container.swarm_task,
        &container.baseline,      &container.connections, &container.received,
        &container.cgroup.inode,  &container.cgroup.anon, &container.cgroup.swap,
        &container.cgroup.limit,  &container.cgroup.high, &container.cgroup.oom_kills,
        &container.cgroup.cpu_us, &container.cgroup.peak, &container.cgroup.swapcached,
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        assert_int_equal(*facts[i], FACT_UNKNOWN);
    assert_int_equal(container.cgroup.version, 0);
    assert_int_equal(container.mode, MODE_OBSERVE);
    assert_true(container.uptime_s < 0 && container.cgroup.psi.some_avg10 < 0);
    assert_false(container.processes_known || container.ollama.asked);
    assert_int_equal(container_held(&container, &world.host), FACT_UNKNOWN);
    assert_null(container_serve(&container));
}

struct held_case {
    const char *name;
    int version;
    fact anon, shmem, swap, swapcached, host_swap;
    bool processes_known;
    fact rss_anon, process_swap;
    fact held;
};

static void held_by_table(void **state)
{
    enum { U = FACT_UNKNOWN, N = FACT_NONE };
    static const struct held_case cases[] = {
        {"v1", 1, 100, 10, 5, U, 1000, true, 90, 4, 115},
        {"v1, swapcached does not overlap there", 1, 100, 10, 50, 40, 1000, true, 90, 4, 160},
        {"v1, no swap on the host", 1, 100, 10, U, U, 0, false, U, U, 110},
        {"v1, no swap accounting", 1, 100, 10, U, U, 1000, true, 90, 7, 117},
        {"v1, no swap accounting, processes unknown", 1, 100, 10, U, U, 1000, false, 90, 7, U},
        {"v1, no swap accounting, a process unknown", 1, 100, 10, U, U, 1000, true, 90, U, U},
        {"v1, anon failed", 1, U, 10, 5, U, 0, true, 90, 4, U},
        {"v1, shmem failed", 1, 100, U, 5, U, 0, true, 90, 4, U},
        {"v2", 2, 205, 0, 292, 240, 1000, true, 90, 4, 257},
        {"v2, more cached than swapped", 2, 205, 0, 30, 40, 1000, true, 90, 4, 205},
        {"v2, nothing swapped, no swapcached", 2, 205, 3, 0, U, 1000, false, U, U, 208},
        {"v2, before 5.12", 2, 205, 3, 292, U, 1000, true, 100, 198, 301},
        {"v2, before 5.12, processes unknown", 2, 205, 3, 292, U, 1000, false, 100, 198, U},
        {"v2, swap failed", 2, 205, 3, U, 0, 1000, true, 100, 198, U},
        {"v2, swap failed, host unknown", 2, 205, 3, U, 0, U, true, 100, 198, U},
        {"v2, swap failed, but the host has none", 2, 205, 3, U, U, 0, true, 100, 0, 208},
        {"v2, swap not counted", 2, 205, 3, N, U, 1000, true, 100, 198, 301},
        {"v2, swap not counted, none used", 2, 205, 3, N, U, 1000, true, 100, 0, 208},
        {"v2, swap not counted, processes unknown", 2, 205, 3, N, 0, 1000, false, 100, 0, U},
        {"no cgroup", 0, 205, 3, 0, 0, 0, true, 100, 0, U},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct held_case *c = &cases[i];
        struct host host;
        struct container container;
        host_init(&host);
        container_init(&container);
        host.swap_total = c->host_swap;
        container.cgroup.version = c->version;
        container.cgroup.anon = c->anon;
        container.cgroup.shmem = c->shmem;
        container.cgroup.swap = c->swap;
        container.cgroup.swapcached = c->swapcached;
        container.processes_known = c->processes_known;
        struct process *process = container_add_process(&container);
        process->rss_anon = c->rss_anon;
        process->swap = c->process_swap;
        container_add_process(&container)->state = 'Z'; /* holds nothing, whatever is unknown */
        fact held = container_held(&container, &host);
        if (held != c->held)
            fail_msg("%s: %lld, not %lld", c->name, (long long)held, (long long)c->held);
        container_clear(&container);
    }
    struct container bare;
    container_init(&bare);
    bare.cgroup = (struct cgroup_memory){.version = 2, .anon = 5, .shmem = 1, .swap = FACT_UNKNOWN};
    assert_int_equal(container_held(&bare, NULL), FACT_UNKNOWN);
}

static void held_of_a_process(void **state)
{
    struct process process;

    (void)state;
    process_init(&process);
    assert_int_equal(process_held(&process), FACT_UNKNOWN);
    process.rss_anon = 7;
    assert_int_equal(process_held(&process), FACT_UNKNOWN);
    process.swap = 2;
    assert_int_equal(process_held(&process), 9);
    process.rss_anon = process.swap = FACT_UNKNOWN;
    process.state = 'Z';
    assert_int_equal(process_held(&process), 0);
}

static void serve_is_the_main_process_or_the_oldest(void **state)
{
    static const struct {
        fact pid, started_us;
        enum process_kind kind;
    } seen[] = {
        {10, 5, PROCESS_OTHER},   {11, 900, PROCESS_SERVE}, {12, FACT_UNKNOWN, PROCESS_SERVE},
        {13, 100, PROCESS_SERVE}, {14, 50, PROCESS_RUNNER},
    };
    struct container container;

    (void)state;
    container_init(&container);
    for (size_t i = 0; i < sizeof seen / sizeof seen[0]; i++) {
        struct process *p = container_add_process(&container);
        p->pid = seen[i].pid;
        p->started_us = seen[i].started_us;
        p->kind = seen[i].kind;
    }
    assert_int_equal(container_serve(&container)->pid, 13);
    container.pid = 10; /* an init: not serve */
    assert_int_equal(container_serve(&container)->pid, 13);
    container.pid = 11;
    assert_int_equal(container_serve(&container)->pid, 11);
    container_clear(&container);
}

static void pairs_are_copied_and_capped(void **state)
{
    struct container container;
    char key[32];

    (void)state;
    container_init(&container);
    for (int i = 0; i < WORLD_PAIRS_MAX; i++) {
        snprintf(key, sizeof key, "key%d", i);
        assert_int_equal(pairs_add(&container.labels, &container.n_labels, key, key + 3), 0);
    }
    assert_int_equal(pairs_add(&container.labels, &container.n_labels, "one", "more"), -E2BIG);
    assert_int_equal(container.n_labels, WORLD_PAIRS_MAX);
    assert_string_equal(container_label(&container, "key0"), "0");
    assert_string_equal(container_label(&container, "key511"), "511");
    assert_null(container_label(&container, "key"));
    assert_null(container_env(&container, "key0"));
    container_clear(&container);
    assert_null(container_label(&container, "key0"));
}

static void arrays_are_capped(void **state)
{
    struct container container;
    size_t n = 0;

    (void)state;
    container_init(&container);
    while (container_add_process(&container) != NULL)
        n++;
    assert_int_equal(n, WORLD_PROCESSES_MAX);
    for (n = 0; ollama_add_model(&container.ollama) != NULL;)
        n++;
    assert_int_equal(n, WORLD_MODELS_MAX);
    const struct process *kept = container.processes;
    container_reset(&container);
    assert_int_equal(container.n_processes + container.ollama.n_models, 0);
    assert_ptr_equal(container_add_process(&container), kept); /* the memory is used again */
    assert_int_equal(container.processes[0].pid, FACT_UNKNOWN);
    container_clear(&container);

    struct world world;
    world_init(&world);
    for (n = 0; world_add_container(&world) != NULL;)
        n++;
    assert_int_equal(n, WORLD_CONTAINERS_MAX);
    world_clear(&world);
    assert_null(world.containers);
}

static void fill(struct container *container)
{
    container_init(container);
    snprintf(container->name, sizeof container->name, "ollama");
    container->pid = 42;
    container->processes_known = true;
    assert_non_null(container_add_process(container));
    container->processes[0].pid = 43;
    container->ollama.asked = true;
    assert_non_null(ollama_add_model(&container->ollama));
    container->ollama.models[0].size = 44;
    for (int i = 0; i < 3; i++) {
        char key[] = {(char)('a' + i), '\0'};
        assert_int_equal(pairs_add(&container->labels, &container->n_labels, key, "label"), 0);
        assert_int_equal(pairs_add(&container->env, &container->n_env, key, "env"), 0);
    }
}

static void a_copy_is_deep(void **state)
{
    struct container from, copy;

    (void)state;
    fill(&from);
    assert_int_equal(container_copy(&copy, &from), 0);
    container_clear(&from);
    assert_string_equal(copy.name, "ollama");
    assert_int_equal(copy.pid, 42);
    assert_int_equal(copy.processes[0].pid, 43);
    assert_int_equal(copy.ollama.models[0].size, 44);
    assert_string_equal(container_label(&copy, "c"), "label");
    assert_string_equal(container_env(&copy, "b"), "env");
    container_add_process(&copy)->pid = 45; /* it grows from where it is */
    assert_int_equal(copy.processes[0].pid, 43);
    container_clear(&copy);
}

static void every_allocation_may_fail(void **state)
{
    struct container from, copy;
    long n = 0;
    int r;

    (void)state;
    fill(&from);
    do {
        memset(&copy, 0x55, sizeof copy);
        fail_at = n++;
        r = container_copy(&copy, &from);
        fail_at = -1;
        assert_true(r == 0 || r == -ENOMEM);
        if (r < 0) {
            assert_null(copy.processes);
            assert_int_equal(copy.n_labels + copy.n_env + copy.ollama.n_models, 0);
            assert_int_equal(copy.pid, FACT_UNKNOWN);
        }
    } while (r < 0);
    assert_true(n > 10); /* two arrays, six pairs, their lists */
    container_clear(&copy);

    fail_at = 0;
    assert_int_equal(pairs_add(&from.labels, &from.n_labels, "k", "v"), -ENOMEM);
    assert_int_equal(from.n_labels, 3);
    size_t processes = from.n_processes;
    from.processes_room = processes;
    fail_at = 0;
    assert_null(container_add_process(&from));
    assert_int_equal(from.n_processes, processes);
    struct world world;
    world_init(&world);
    fail_at = 0;
    assert_null(world_add_container(&world));
    fail_at = -1;
    container_clear(&from);
}

static void names_go_both_ways(void **state)
{
    (void)state;
    for (int i = 0; i <= STATUS_DEAD; i++)
        assert_int_equal(container_status_parse(container_status_name((enum container_status)i)),
                         i);
    for (int i = 0; i <= HEALTH_UNHEALTHY; i++)
        assert_int_equal(container_health_parse(container_health_name((enum container_health)i)),
                         i);
    for (int i = 0; i <= PROCESS_HELPER; i++)
        assert_int_equal(process_kind_parse(process_kind_name((enum process_kind)i)), i);
    assert_int_equal(container_status_parse("Running"), STATUS_UNKNOWN);
    assert_int_equal(container_health_parse(""), HEALTH_UNKNOWN);
    assert_int_equal(process_kind_parse("server"), PROCESS_OTHER);
    assert_string_equal(container_status_name((enum container_status)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_unknown),
        cmocka_unit_test(held_by_table),
        cmocka_unit_test(held_of_a_process),
        cmocka_unit_test(serve_is_the_main_process_or_the_oldest),
        cmocka_unit_test(pairs_are_copied_and_capped),
        cmocka_unit_test(arrays_are_capped),
        cmocka_unit_test(a_copy_is_deep),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
