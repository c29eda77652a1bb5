#include "sense/process.h"
#include "sense/proc_file.h"
#include "sense/process_memory.h"
#include "sense/process_parse.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    STATUS_SIZE = 8192, /* 1.5 KiB on 6.18; longer only with hundreds of groups */
    ARGV_SIZE = 8192,   /* --model and --port stand at its beginning */
};

/* What says that a process ended while it was looked at. */
static bool ended(int r)
{
    return r == -ENOENT || r == -ESRCH;
}

/* All but the kind. 0; -ESRCH: it ended; -EIO: not understood; another -errno. */
static int read_facts(int directory, int64_t pid, struct process *process)
{
    char buffer[STATUS_SIZE];
    struct text text;

    process_init(process);
    process->pid = pid;
    int r = proc_file_read_at(directory, "stat", buffer, sizeof buffer, &text);
    if (r == 0)
        r = process_parse_stat(text, sysconf(_SC_CLK_TCK), process);
    if (r == 0)
        r = proc_file_read_at(directory, "status", buffer, sizeof buffer, &text);
    if (r < 0)
        return ended(r) ? -ESRCH : r;
    if (process_parse_status(text, process) &&
        proc_file_read_at(directory, "statm", buffer, sizeof buffer, &text) == 0)
        process_parse_statm(text, sysconf(_SC_PAGESIZE), process);
    if (fact_known(process->rss_anon) && process->swap == FACT_UNKNOWN)
        process->swap = 0; /* a kernel without swap has the one line and not the other */
    return 0;
}

/* Its argv; empty where it has none (a zombie, a kernel thread) or none can be read. */
static struct text read_argv(int directory, char *buffer, size_t size)
{
    struct text argv;
    return proc_file_read_at(directory, "cmdline", buffer, size, &argv) == 0 ? argv
                                                                             : text_of(buffer, 0);
}

int process_read(const char *procfs, int64_t pid, struct process *ret_process)
{
    char buffer[ARGV_SIZE];
    struct process process;

    CLOSE_FD int directory = proc_process_open(procfs, pid);
    int r = directory < 0 ? directory : read_facts(directory, pid, &process);
    if (r < 0)
        return r;
    struct text argv = read_argv(directory, buffer, sizeof buffer);
    process_classify(process.comm, argv.at, text_left(&argv), &process);
    *ret_process = process;
    return 0;
}

static uint64_t hash_of(struct text text) /* FNV-1a, 64 bits */
{
    uint64_t hash = 0xcbf29ce484222325;
    for (; text.at < text.end; text.at++)
        hash = (hash ^ (unsigned char)*text.at) * 0x100000001b3;
    return hash;
}

/* Kind, blob and port: as they were kept, or from its argv. The argv is read at the first two looks
 * (between fork and exec a runner has its parent's) and when the name changed (a shell that
 * became Ollama by exec keeps its pid and start time). */
static void decide_kind(struct process_memory *memory, int directory, const char *container,
                        struct process *process)
{
    char buffer[ARGV_SIZE];
    struct kept_kind *kept = process_memory_find(memory, process);

    if (kept == NULL || !kept->settled || strcmp(kept->comm, process->comm) != 0) {
        struct text argv = read_argv(directory, buffer, sizeof buffer);
        uint64_t hash = hash_of(argv);
        if (text_left(&argv) > 0 && kept == NULL)
            kept = process_memory_add(memory, process);
        else if (text_left(&argv) > 0 && kept->argv_hash == hash)
            kept->settled = true;
        else if (text_left(&argv) > 0)
            kept->settled = false;
        if (text_left(&argv) > 0) {
            process_classify(process->comm, argv.at, text_left(&argv), process);
            if (kept == NULL) /* no memory to keep it */
                return;
            kept->argv_hash = hash;
            kept->kind = process->kind;
            kept->port = process->port;
            memcpy(kept->comm, process->comm, sizeof kept->comm);
            memcpy(kept->blob, process->blob, sizeof kept->blob);
            snprintf(kept->container, sizeof kept->container, "%s", container);
        }
    }
    if (kept == NULL)
        return;
    kept->seen = true;
    process->kind = kept->kind;
    process->port = kept->port;
    memcpy(process->blob, kept->blob, sizeof process->blob);
}

static int read_one(const char *procfs, struct process_memory *memory, int64_t pid,
                    struct container *container)
{
    struct process process;

    CLOSE_FD int directory = proc_process_open(procfs, pid);
    int r = directory < 0 ? directory : read_facts(directory, pid, &process);
    if (r < 0)
        return r;
    decide_kind(memory, directory, container->id, &process);
    struct process *added = container_add_process(container);
    if (added == NULL)
        return container->n_processes == WORLD_PROCESSES_MAX ? -E2BIG : -ENOMEM;
    *added = process;
    return 0;
}

int processes_read(const char *procfs, struct process_memory *memory, const int64_t *pids,
                   size_t n_pids, struct container *container)
{
    int r = 0;

    container->n_processes = 0;
    container->processes_known = false;
    process_memory_unsee(memory, container->id);
    for (size_t i = 0; i < n_pids && r == 0; i++) {
        /* 0: of another pid namespace (cgroups(7)); the list would lack it. */
        r = pids[i] > 0 ? read_one(procfs, memory, pids[i], container) : -ENOENT;
        if (r == -ESRCH)
            r = 0;
    }
    if (r == 0 && n_pids > 0 && container->n_processes == 0)
        r = -ESRCH;
    if (r < 0) {
        container->n_processes = 0;
        return r;
    }
    process_memory_forget(memory, container->id);
    container->processes_known = true;
    return 0;
}

void processes_forget(struct process_memory *memory, const char *container)
{
    process_memory_unsee(memory, container);
    process_memory_forget(memory, container);
}
