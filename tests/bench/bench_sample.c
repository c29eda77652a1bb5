/* The bars of sampling (cgroup files alone; processes and connections are read when a verdict
 * asks), and of reading worlds:
 *
 *   one sample of one container                         <= 25 us
 *   1,000 containers each second, of one core           <= 3 %
 *   worlds of the recordings read from their lines      >= 15,000 a second
 *
 * A real cgroup where one can be made, else the fixture tree; the 1,000 are fixture trees, and the
 * real cgroup's cost a thousand times is printed beside them. Lines of what, bar, measured, ok or
 * over, with tabs between. */
#include "sense/cgroup.h"
#include "sense/world_json.h"
#include <errno.h>
#include <ftw.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CONTAINERS = 1000, SAMPLES = 2000, ROUNDS = 10 };

#define V1_FIXTURE                                                                                 \
    "tests/unit/fixtures/cgroup/v1/memory/docker/"                                                 \
    "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a/"

static _Noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench_sample: %s: %s\n", what, why);
    exit(1);
}

static double cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void report(const char *what, const char *bar, double limit, double measured,
                   const char *unit, bool at_least)
{
    bool ok = at_least ? measured >= limit : measured <= limit;
    printf("%s\t%s\t%.*f %s\t%s\n", what, bar, measured < 100 ? 2 : 0, measured, unit,
           ok ? "ok" : "over");
}

static struct cgroup *open_one(const char *root, const char *id)
{
    struct cgroup *cgroup;
    struct error err = {0};
    if (cgroup_open(root, id, 0, &cgroup, &err) < 0)
        give_up("a cgroup", err.message);
    return cgroup;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Microseconds of CPU for one sample: the median of some rounds, so that a neighbour's noise in one
 * of them does not count. */
static double sample_us(struct cgroup *const *cgroups, size_t n, int samples)
{
    struct cgroup_memory memory;
    double rounds[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        double from = cpu_us();
        for (int s = 0; s < samples; s++)
            for (size_t i = 0; i < n; i++)
                if (cgroup_read(cgroups[i], &memory) < 0 || memory.anon < 0)
                    give_up(cgroup_path(cgroups[i]), "cannot be sampled");
        rounds[round] = (cpu_us() - from) / (double)n / samples;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], compare);
    return rounds[ROUNDS / 2];
}

/* A cgroup of our own; false where none can be made. */
static bool make_real(char *path, size_t size, char *id, size_t id_size)
{
    bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0;
    char file[512];

    snprintf(id, id_size, "%064x", (unsigned)getpid());
    snprintf(path, size, "/sys/fs/cgroup/%ssupervisor-bench-%s", v2 ? "" : "memory/", id);
    if (mkdir(path, 0755) < 0)
        return false;
    snprintf(file, sizeof file, "%s/memory.stat", path);
    if (access(file, R_OK) == 0)
        return true;
    rmdir(path);
    return false;
}

/* A process in that cgroup that goes on touching memory, so that its counters move. */
static pid_t start_worker(const char *path)
{
    enum { BYTES = 16 * 1024 * 1024 };
    char procs[512];

    snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
    pid_t worker = fork();
    if (worker != 0)
        return worker;
    FILE *file = fopen(procs, "w");
    if (file == NULL || fprintf(file, "%d\n", (int)getpid()) < 0 || fclose(file) != 0)
        _exit(1);
    for (;;) {
        char *bytes = malloc(BYTES);
        if (bytes != NULL)
            memset(bytes, 1, BYTES);
        usleep(20000);
        free(bytes);
    }
}

static void copy_file(const char *from, const char *to)
{
    char bytes[8192];
    FILE *in = fopen(from, "r"), *out = fopen(to, "w");
    size_t n;

    if (in == NULL || out == NULL)
        give_up(in == NULL ? from : to, strerror(errno));
    n = fread(bytes, 1, sizeof bytes, in);
    if (fwrite(bytes, 1, n, out) != n || fclose(out) != 0)
        give_up(to, strerror(errno));
    fclose(in);
}

static void make_directory(const char *path)
{
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        give_up(path, strerror(errno));
}

/* ROOT/memory/docker/<id> and ROOT/cpuacct/docker/<id>, as version 1 has them. */
static void make_container(const char *root, const char *id)
{
    static const char *const files[] = {
        "memory.stat",
        "memory.usage_in_bytes",
        "memory.max_usage_in_bytes",
        "memory.limit_in_bytes",
        "memory.memsw.limit_in_bytes",
        "memory.kmem.usage_in_bytes",
        "memory.oom_control",
        "cgroup.procs",
    };
    char directory[256], to[512], from[512];

    snprintf(directory, sizeof directory, "%s/memory/docker/%s", root, id);
    make_directory(directory);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(from, sizeof from, V1_FIXTURE "%s", files[i]);
        snprintf(to, sizeof to, "%s/%s", directory, files[i]);
        copy_file(from, to);
    }
    static const char *const others[][2] = {{"cpuacct", "cpuacct.usage"},
                                            {"unified", "memory.pressure"}};
    for (size_t i = 0; i < 2; i++) {
        snprintf(directory, sizeof directory, "%s/%s/docker/%s", root, others[i][0], id);
        make_directory(directory);
        snprintf(to, sizeof to, "%s/%s", directory, others[i][1]);
        copy_file(i == 0 ? V1_FIXTURE "memory.usage_in_bytes"
                         : "tests/unit/fixtures/proc/pressure/memory",
                  to);
    }
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *place)
{
    (void)st, (void)kind, (void)place;
    return remove(path);
}

static void bench_thousand(void)
{
    static struct cgroup *cgroups[CONTAINERS];
    char root[] = "/tmp/supervisor-bench-XXXXXX", path[256], id[65];
    struct rlimit files = {0};

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (mkdtemp(root) == NULL)
        give_up(root, strerror(errno));
    static const char *const above[] = {"memory",         "memory/docker", "cpuacct",
                                        "cpuacct/docker", "unified",       "unified/docker"};
    for (size_t i = 0; i < sizeof above / sizeof above[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", root, above[i]);
        make_directory(path);
    }
    for (unsigned i = 0; i < CONTAINERS; i++) {
        snprintf(id, sizeof id, "%064x", i);
        make_container(root, id);
        cgroups[i] = open_one(root, id);
    }
    double us = sample_us(cgroups, CONTAINERS, 1);
    report("1,000 containers each second (fixture trees), of one core", "<= 3 %", 3,
           us * CONTAINERS / 1e6 * 100, "%", false);
    for (size_t i = 0; i < CONTAINERS; i++)
        cgroup_close(cgroups[i]);
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void bench_one(void)
{
    char path[256], id[65];

    if (make_real(path, sizeof path, id, sizeof id)) {
        struct cgroup *cgroup = open_one("/sys/fs/cgroup", id);
        pid_t worker = start_worker(path);
        usleep(200000);
        double us = sample_us(&cgroup, 1, SAMPLES);
        if (worker > 0) {
            kill(worker, SIGKILL);
            waitpid(worker, NULL, 0);
        }
        report("one sample of one container (a real cgroup)", "<= 25 us", 25, us, "us", false);
        report("1,000 such samples each second, of one core", "<= 3 %", 3, us / 10, "%", false);
        cgroup_close(cgroup);
        rmdir(path);
    } else {
        struct cgroup *cgroup =
            open_one("tests/unit/fixtures/cgroup/v1",
                     "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a");
        report("one sample of one container (fixture tree)", "<= 25 us", 25,
               sample_us(&cgroup, 1, SAMPLES), "us", false);
        cgroup_close(cgroup);
    }
}

/* Every line of the recordings, read from memory as often as fills some seconds. */
static void bench_worlds(void)
{
    enum { LINES_MAX = 4096, TURNS = 5 };
    static char *lines[LINES_MAX];
    static size_t lengths[LINES_MAX];
    struct world world;
    glob_t files;
    size_t n = 0, worlds = 0, room = 0;

    if (glob("tests/recordings/memory/*.jsonl", 0, NULL, &files) != 0)
        give_up("tests/recordings/memory", "no recordings");
    for (size_t i = 0; i < files.gl_pathc; i++) {
        FILE *file = fopen(files.gl_pathv[i], "r");
        char *line = NULL;
        ssize_t length;
        while (file != NULL && n < LINES_MAX && (length = getline(&line, &room, file)) > 0) {
            lines[n] = line;
            lengths[n++] = (size_t)length - 1;
            line = NULL, room = 0;
        }
        free(line);
        if (file != NULL)
            fclose(file);
    }
    globfree(&files);
    world_init(&world);
    double from = cpu_us();
    for (int turn = 0; turn < TURNS; turn++)
        for (size_t i = 0; i < n; i++)
            worlds += world_from_json(lines[i], lengths[i], &world, NULL, 0) == WORLD_LINE_WORLD;
    double per_s = (double)worlds / (cpu_us() - from) * 1e6;
    world_clear(&world);
    for (size_t i = 0; i < n; i++)
        free(lines[i]);
    report("worlds read from lines of the recordings", ">= 15,000/s", 15000, per_s, "/s", true);
}

int main(void)
{
    bench_one();
    bench_thousand();
    bench_worlds();
    return 0;
}
