#include "ledger_case.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

struct ledger ledger;

static fact signed_bytes(const struct ledger_part *p)
{
    return p->negative ? -p->bytes : p->bytes;
}

fact sum_held(void)
{
    fact sum = 0;
    for (size_t i = 0; i < ledger.n_parts; i++)
        sum += ledger_is_held(ledger.parts[i].kind) ? signed_bytes(&ledger.parts[i]) : 0;
    return sum;
}

/* The part of that kind, the n-th; fails where there is none. */
const struct ledger_part *part(enum ledger_kind kind, size_t n)
{
    for (size_t i = 0; i < ledger.n_parts; i++)
        if (ledger.parts[i].kind == kind && n-- == 0)
            return &ledger.parts[i];
    fail_msg("there is no %s", ledger_kind_name(kind));
    return NULL;
}

bool has(enum ledger_kind kind)
{
    for (size_t i = 0; i < ledger.n_parts; i++)
        if (ledger.parts[i].kind == kind)
            return true;
    return false;
}

/* A server of 20 MiB with one llama-server of `runner` bytes for one model of 4.3 GiB. */
struct container *server(struct world *world, fact runner)
{
    world_init(world);
    world->host.swap_total = 0;
    struct container *c = world_add_container(world);
    c->status = STATUS_RUNNING;
    c->processes_known = true;
    c->cgroup = (struct cgroup_memory){.version = 2,
                                       .anon = 20 * MIB + runner,
                                       .file = 5 * GIB,
                                       .shmem = 0,
                                       .kernel = 30 * MIB,
                                       .swap = 0,
                                       .swapcached = 0,
                                       .limit = 28 * GIB};
    struct process *p = container_add_process(c);
    *p = (struct process){
        .pid = 1, .kind = PROCESS_SERVE, .state = 'S', .rss_anon = 20 * MIB, .swap = 0};
    p = container_add_process(c);
    *p = (struct process){.pid = 2,
                          .kind = PROCESS_RUNNER,
                          .state = 'S',
                          .rss_anon = runner,
                          .rss_file = 20 * MIB,
                          .swap = 0,
                          .comm = "llama-server",
                          .blob = "sha256-1"};
    c->ollama.asked = c->ollama.reachable = true;
    struct model *m = ollama_add_model(&c->ollama);
    snprintf(m->name, sizeof m->name, "llama3.1:8b");
    snprintf(m->blob, sizeof m->blob, "sha256-1");
    m->size = 5632 * MIB;
    m->size_vram = 0;
    m->context_length = 4096;
    m->parameters = FACT_UNKNOWN;
    m->shape = SHAPE_UNKNOWN;
    return c;
}

size_t ledger_gpus;

void take(struct container *c)
{
    struct world of = {.n_gpus = ledger_gpus};
    host_init(&of.host);
    ledger_of(&of, c, NULL, NULL, &ledger);
    assert_int_equal(sum_held(), ledger.held);
}

size_t ledger_recorded(ledger_line *check)
{
    glob_t found;
    size_t models = 0;
    struct world world;
    world_init(&world);
    assert_int_equal(glob("tests/recordings/memory/*.jsonl", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char *line = NULL;
        size_t size = 0;
        ssize_t n;
        FILE *file = fopen(found.gl_pathv[i], "re");
        assert_non_null(file);
        while ((n = getline(&line, &size, file)) > 0)
            models += check(line, (size_t)(n - (line[n - 1] == '\n')), &world);
        free(line);
        fclose(file);
    }
    globfree(&found);
    world_clear(&world);
    return models;
}
