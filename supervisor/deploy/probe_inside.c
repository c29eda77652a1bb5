#include "deploy/probe_inside.h"
#include "base/clock.h"
#include "sense/cgroup_parse.h"
#include "sense/host.h"
#include "sense/proc_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const fact step_bytes = 64 << 20; /* 10 to 50 ms; what may be too much at a time */
static const double tell_every_s = 0.1;  /* a line of progress */

struct own_cgroup {
    const char *root;
    char path[512]; /* below the root, of version 2 in the host's namespace; "" otherwise */
};

struct inside {
    struct host_reader *host;
    struct own_cgroup cgroup;
    fact limit, wanted, reserve, touched, available, peak;
    const char *stopped; /* why before all was touched; NULL */
};

/* One number of the container's own cgroup: version 2 by its path, version 2 with a namespace of
 * its own, version 1 (where engines mount the container's own as the root). */
static fact cgroup_number(const struct own_cgroup *cgroup, const char *v2, const char *v1)
{
    char path[1024], buffer[64];
    for (int i = 0; i < 3; i++) {
        if (i == 2)
            snprintf(path, sizeof path, "%s/memory/%s", cgroup->root, v1);
        else
            snprintf(path, sizeof path, "%s%s/%s", cgroup->root, i == 0 ? cgroup->path : "", v2);
        struct text text;
        fact number = proc_file_read_at(AT_FDCWD, path, buffer, sizeof buffer, &text) < 0
                          ? FACT_UNKNOWN
                          : cgroup_parse_limit(text);
        if (number != FACT_UNKNOWN)
            return number;
    }
    return FACT_UNKNOWN;
}

static void find_own_cgroup(const char *procfs, struct own_cgroup *cgroup)
{
    char path[300], line[512];
    cgroup->path[0] = '\0';
    snprintf(path, sizeof path, "%s/self/cgroup", procfs);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::/", 4) != 0 || strstr(line, ".."))
            continue;
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line + 3, "/") != 0)
            snprintf(cgroup->path, sizeof cgroup->path, "%s", line + 3);
    }
    if (file)
        fclose(file);
}

static void say_number(const char *name, fact value)
{
    if (fact_known(value))
        printf(",\"%s\":%" PRId64, name, value);
    else if (value == FACT_NONE)
        printf(",\"%s\":null", name);
}

/* Every line has all that is known: the one that comes before a kill may be the last. */
static void say_line(const struct inside *in)
{
    printf("{\"probe\":\"touching\",\"touched\":%" PRId64, in->touched);
    say_number("limit", in->limit);
    say_number("available", in->available);
    say_number("peak", in->peak);
    puts("}");
    fflush(stdout);
}

static bool room_for(struct inside *in, fact bytes)
{
    struct host host;
    in->available = host_read(in->host, &host) == 0 ? host.available : FACT_UNKNOWN;
    if (!fact_known(in->available))
        in->stopped = "unreadable";
    else if (in->available - bytes < in->reserve)
        in->stopped = "reserve";
    return !in->stopped;
}

static uint64_t pattern(fact at)
{
    return ((uint64_t)at + 1) * UINT64_C(0x9e3779b97f4a7c15); /* no two pages alike */
}

static void touch(struct inside *in, char *memory, fact page)
{
    double told_s = clock_boottime_s();
    while (in->touched < in->wanted) {
        fact step = in->wanted - in->touched < step_bytes ? in->wanted - in->touched : step_bytes;
        if (!room_for(in, step))
            return;
        for (fact at = in->touched; at < in->touched + step; at += page) {
            uint64_t word = pattern(at);
            memcpy(memory + at, &word, sizeof word);
        }
        in->touched += step;
        fact used = cgroup_number(&in->cgroup, "memory.current", "memory.usage_in_bytes");
        if (used > in->peak)
            in->peak = used;
        if (clock_boottime_s() - told_s < tell_every_s)
            continue;
        told_s = clock_boottime_s();
        say_line(in);
    }
}

/* How many pages do not hold what was written. */
static fact read_back(const struct inside *in, const char *memory, fact page)
{
    fact wrong = 0;
    for (fact at = 0; at < in->touched; at += page) {
        uint64_t word;
        memcpy(&word, memory + at, sizeof word);
        wrong += word != pattern(at);
    }
    return wrong;
}

static void say_end(const struct inside *in, double took_s, fact wrong)
{
    fact peak = cgroup_number(&in->cgroup, "memory.peak", "memory.max_usage_in_bytes");
    printf("{\"probe\":\"ended\",\"touched\":%" PRId64 ",\"wrong_pages\":%" PRId64
           ",\"seconds\":%.3f",
           in->touched, wrong, took_s);
    say_number("limit", in->limit);
    say_number("available", in->available);
    say_number("peak", peak > in->peak ? peak : in->peak);
    if (in->stopped)
        printf(",\"stopped\":\"%s\"", in->stopped);
    puts("}");
    fflush(stdout);
}

int probe_inside(fact wanted, fact reserve, const char *procfs, const char *cgroupfs)
{
    fact page = sysconf(_SC_PAGESIZE);
    struct inside in = {.cgroup.root = cgroupfs,
                        .wanted = wanted - wanted % page,
                        .reserve = reserve,
                        .available = FACT_UNKNOWN,
                        .peak = FACT_UNKNOWN};
    find_own_cgroup(procfs, &in.cgroup);
    in.limit = cgroup_number(&in.cgroup, "memory.max", "memory.limit_in_bytes");
    say_line(&in);
    struct error err;
    if (host_open(procfs, &in.host, &err) < 0) {
        fprintf(stderr, "supervisor: %s\n", err.message);
        return FAILURE_UNREACHABLE;
    }
    double began_s = clock_boottime_s();
    char *memory = mmap(NULL, (size_t)in.wanted, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    fact wrong = 0;
    if (memory == MAP_FAILED) {
        in.stopped = "overcommit"; /* vm.overcommit_memory = 2, or a ulimit */
    } else {
        touch(&in, memory, page);
        wrong = read_back(&in, memory, page);
    }
    say_end(&in, clock_boottime_s() - began_s, wrong);
    host_close(in.host);
    return 0;
}
