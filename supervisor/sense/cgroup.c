#include "sense/cgroup.h"
#include "sense/cgroup_find.h"
#include "sense/cgroup_parse.h"
#include "sense/proc_file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum file {
    FILE_STAT, /* the first: the only one that must be there */
    FILE_USAGE,
    FILE_PEAK,
    FILE_LIMIT,
    FILE_SWAP,
    FILE_SWAP_LIMIT,
    FILE_HIGH,
    FILE_EVENTS,
    FILE_KERNEL,
    FILE_CPU,
    FILE_PRESSURE,
    FILE_DISK,
    FILE_FROZEN,
    FILES
};

/* Each one's name in the container's directory, by version; NULL: that version has none, or has it
 * in another hierarchy. What is one number, or a limit, and whose. */
#define NUMBER(m) .number = true, .offset = offsetof(struct cgroup_memory, m)
#define LIMIT(m)  .limit = true, .offset = offsetof(struct cgroup_memory, m)
static const struct {
    const char *names[2];
    bool number, limit;
    size_t offset;
} contents[FILES] = {
    [FILE_STAT] = {.names = {"memory.stat", "memory.stat"}},
    [FILE_USAGE] = {.names = {"memory.usage_in_bytes", "memory.current"}, NUMBER(usage)},
    [FILE_PEAK] = {.names = {"memory.max_usage_in_bytes", "memory.peak"},
                   NUMBER(peak)}, /* from 5.19 */
    [FILE_LIMIT] = {.names = {"memory.limit_in_bytes", "memory.max"}, LIMIT(limit)},
    [FILE_SWAP] = {.names = {NULL, "memory.swap.current"}, NUMBER(swap)},
    [FILE_SWAP_LIMIT] = {.names = {"memory.memsw.limit_in_bytes", "memory.swap.max"},
                         LIMIT(swap_limit)},
    [FILE_HIGH] = {.names = {NULL, "memory.high"}, LIMIT(high)},
    [FILE_EVENTS] = {.names = {"memory.oom_control", "memory.events"}},
    [FILE_KERNEL] = {.names = {"memory.kmem.usage_in_bytes", NULL}, NUMBER(kernel)},
    [FILE_CPU] = {.names = {NULL, "cpu.stat"}},
    [FILE_PRESSURE] = {.names = {NULL, "memory.pressure"}},
    [FILE_DISK] = {.names = {NULL, "io.stat"}},
    [FILE_FROZEN] = {.names = {NULL, "cgroup.events"}},
};

enum { READS_OF_ONE_ABOVE = 60 };
enum { STAT_SIZE = 16 * 1024 }; /* memory.stat has 2 KiB on 6.18 */

struct cgroup {
    int version, directory;
    int files[FILES]; /* descriptors; -errno of the opening where it failed */
    fact above;       /* version 2: the least limit of those above it, as last read, */
    unsigned reads;   /* before so many readings */
    char path[];      /* the directory's */
};

static int open_in(const char *root, const char *hierarchy, const char *relative, const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s/%s/%s", root, hierarchy, relative, name);
    return n < 0 || (size_t)n >= sizeof path ? -ENAMETOOLONG : proc_file_open(AT_FDCWD, path);
}

/* On version 1 CPU time, disks and pressure are in hierarchies of their own, where the container
 * mostly has the same path, but need not. */
static void open_elsewhere(struct cgroup *cgroup, const char *root, const char *id,
                           const char *relative)
{
    static const char *const accounts[] = {"cpuacct", "cpu,cpuacct", "cpuacct,cpu"};
    char by_cgroupfs[128], by_systemd[128];
    const char *const places[] = {relative, by_cgroupfs, by_systemd};

    snprintf(by_cgroupfs, sizeof by_cgroupfs, "docker/%s", id);
    snprintf(by_systemd, sizeof by_systemd, "system.slice/docker-%s.scope", id);
    for (size_t p = 0; p < sizeof places / sizeof places[0]; p++) {
        for (size_t a = 0; a < sizeof accounts / sizeof accounts[0]; a++)
            if (cgroup->files[FILE_CPU] < 0)
                cgroup->files[FILE_CPU] = open_in(root, accounts[a], places[p], "cpuacct.usage");
        if (cgroup->files[FILE_DISK] < 0)
            cgroup->files[FILE_DISK] =
                open_in(root, "blkio", places[p], "blkio.throttle.io_service_bytes");
        if (cgroup->files[FILE_PRESSURE] < 0)
            cgroup->files[FILE_PRESSURE] = open_in(root, "unified", places[p], "memory.pressure");
        if (cgroup->files[FILE_FROZEN] < 0)
            cgroup->files[FILE_FROZEN] = open_in(root, "unified", places[p], "cgroup.events");
    }
}

static int refuse(struct error *err, const struct cgroup *cgroup, int code, const char *file)
{
    const char *remedy = code == -EACCES   ? ": run as root"
                         : code == -EMFILE ? ": raise the limit of open files (ulimit -n)"
                         : code == -ENOENT && cgroup->version == 2
                             ? ": the memory controller is not on there (cgroup.subtree_control of "
                               "the directory above)"
                             : "";
    return error_set(err, FAILURE_UNREACHABLE, code, "%.300s%s%s cannot be read (%s)%s",
                     cgroup->path, file[0] != '\0' ? "/" : "", file, strerror(-code), remedy);
}

int cgroup_open(const char *root, const char *id, int64_t pid, struct cgroup **ret_cgroup,
                struct error *err)
{
    struct cgroup_place place;
    int r = cgroup_find(root, id, pid, &place, err);
    if (r < 0)
        return r;

    size_t path_size = strlen(place.hierarchy) + strlen(place.relative) + sizeof "/";
    struct cgroup *cgroup = calloc(1, sizeof *cgroup + path_size);
    if (cgroup == NULL)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory for a container's cgroup");
    cgroup->version = place.version;
    cgroup->directory = -1;
    for (int i = 0; i < FILES; i++)
        cgroup->files[i] = -ENOENT;
    snprintf(cgroup->path, path_size, "%s/%s", place.hierarchy, place.relative);
    r = cgroup->directory = proc_directory_open(AT_FDCWD, cgroup->path);
    if (r < 0) {
        refuse(err, cgroup, r, "");
        cgroup_close(cgroup);
        return r;
    }
    for (int i = 0; i < FILES; i++) {
        const char *name = contents[i].names[place.version - 1];
        if (name != NULL)
            cgroup->files[i] = proc_file_open(cgroup->directory, name);
        if (cgroup->files[i] == -EMFILE || (i == FILE_STAT && cgroup->files[i] < 0)) {
            r = refuse(err, cgroup, cgroup->files[i], name);
            cgroup_close(cgroup);
            return r;
        }
    }
    if (place.version == 1)
        open_elsewhere(cgroup, root, id, place.relative);
    *ret_cgroup = cgroup;
    return 0;
}

void cgroup_close(struct cgroup *cgroup)
{
    if (cgroup == NULL)
        return;
    for (int i = 0; i < FILES; i++)
        proc_file_close(&cgroup->files[i]);
    proc_file_close(&cgroup->directory);
    free(cgroup);
}

static void take(const struct cgroup *cgroup, enum file file, struct text text,
                 struct cgroup_memory *memory)
{
    fact *place = (fact *)((char *)memory + contents[file].offset);
    if (contents[file].number)
        *place = cgroup_parse_number(text);
    else if (contents[file].limit)
        *place = cgroup_parse_limit(text);
    else if (file == FILE_STAT)
        cgroup_parse_stat(text, cgroup->version, memory);
    else if (file == FILE_EVENTS)
        memory->oom_kills = cgroup_parse_key(text, "oom_kill");
    else if (file == FILE_DISK)
        memory->disk_read = cgroup_parse_reads(text);
    else if (file == FILE_FROZEN) {
        memory->frozen = cgroup_parse_key(text, "frozen");
        if (memory->frozen == FACT_UNKNOWN && fact_known(cgroup_parse_key(text, "populated")))
            memory->frozen = FACT_NONE; /* before Linux 5.2 nothing can be frozen there */
    } else if (file == FILE_PRESSURE)
        psi_parse(text, &memory->psi);
    else if (cgroup->version == 2)
        memory->cpu_us = cgroup_parse_key(text, "usage_usec");
    else if ((memory->cpu_us = cgroup_parse_number(text)) >= 0)
        memory->cpu_us /= 1000; /* nanoseconds there */
}

static fact least(fact a, fact b)
{
    return a == FACT_NONE || (fact_known(a) && b != FACT_NONE && b < a) ? b : a;
}

/* The directories above it, up to the root, which has no limit. They change rarely. */
static fact read_above(int directory)
{
    enum { LEVELS_MAX = 32 };
    char path[3 * LEVELS_MAX + sizeof "memory.max"], buffer[64];
    struct text text;
    fact limit = FACT_NONE;

    for (int level = 1, length = 0; level <= LEVELS_MAX && limit != FACT_UNKNOWN; level++) {
        length += snprintf(path + length, sizeof path - (size_t)length, "../");
        snprintf(path + length, sizeof path - (size_t)length, "memory.max");
        int r = proc_file_read_at(directory, path, buffer, sizeof buffer, &text);
        if (r == -ENOENT)
            break;
        limit = r < 0 ? FACT_UNKNOWN : least(limit, cgroup_parse_limit(text));
    }
    return limit;
}

int cgroup_read(struct cgroup *cgroup, struct cgroup_memory *ret_memory)
{
    char buffer[STAT_SIZE];
    struct text text;
    struct stat st;

    cgroup_memory_init(ret_memory);
    /* A removed directory has no links on most file systems; on cgroupfs the reads say -ENODEV. */
    if (fstat(cgroup->directory, &st) < 0 || st.st_nlink == 0)
        return -ENOENT;
    for (enum file file = FILE_STAT; file < FILES; file++) {
        if (cgroup->files[file] < 0)
            continue;
        int r = proc_file_read(cgroup->files[file], buffer, sizeof buffer, &text);
        if (r == -ENODEV && file != FILE_CPU && file != FILE_PRESSURE && file != FILE_FROZEN) {
            cgroup_memory_init(ret_memory);
            return -ENODEV;
        }
        if (r == 0)
            take(cgroup, file, text, ret_memory);
    }
    if (cgroup->version == 2) {
        if (cgroup->reads++ % READS_OF_ONE_ABOVE == 0)
            cgroup->above = read_above(cgroup->directory);
        ret_memory->bound = least(ret_memory->limit, cgroup->above);
    }
    if (cgroup->version == 1 && cgroup->files[FILE_FROZEN] < 0)
        ret_memory->frozen = FACT_NONE;
    ret_memory->version = cgroup->version;
    ret_memory->inode = (fact)st.st_ino;
    if (cgroup->version == 2 && cgroup->files[FILE_SWAP] == -ENOENT)
        ret_memory->swap = FACT_NONE; /* the kernel does not count it */
    return 0;
}

const char *cgroup_path(const struct cgroup *cgroup)
{
    return cgroup->path;
}

bool cgroup_writable(const struct cgroup *cgroup)
{
    return cgroup->version == 2 &&
           faccessat(cgroup->directory, "memory.high", W_OK, AT_EACCESS) == 0;
}

int cgroup_pids(struct cgroup *cgroup, int64_t *pids, size_t max)
{
    return cgroup_procs(cgroup->directory, pids, max);
}
