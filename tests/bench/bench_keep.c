/* What the memory costs: latency of a durable commit, resident memory of an open database.
 *
 *     bench_keep [DIRECTORY]    a place on the disk in question; /var/tmp where none is named
 *
 * Prints lines of: what<TAB>bar<TAB>measured<TAB>ok|over */
#include "keep/keep.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { COMMITS = 201, RSS_BAR_KIB = 600 };

static long rss_anon_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "re");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "RssAnon: %ld kB", &kib) == 1)
            break;
    if (status)
        fclose(status);
    return kib;
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void rss_line(const char *what, long kib)
{
    printf("%s\t%d KiB\t%ld KiB\t%s\n", what, RSS_BAR_KIB, kib, kib <= RSS_BAR_KIB ? "ok" : "over");
}

static int measure(const char *directory)
{
    static double begin_ms[COMMITS];
    struct keep *keep = NULL;
    struct error err = {0};
    long before_kib = rss_anon_kib();
    int r = keep_open(directory, true, true, &keep, &err); /* makes and preallocates all of it */
    if (r == 0)
        keep_close(keep);
    double open_ms = now_ms();
    if (r == 0)
        r = keep_open(directory, true, true, &keep, &err);
    open_ms = now_ms() - open_ms;
    if (r < 0) {
        fprintf(stderr, "bench_keep: %s\n", err.message);
        return 1;
    }
    long opened_kib = rss_anon_kib();
    for (int i = 0; i < COMMITS; i++) {
        struct intent intent = {.container = "c",
                                .key = "ollama",
                                .verdict = "idle-leak",
                                .step = "restart",
                                .grace_s = 10,
                                .begun_wall_ms = i};
        double start_ms = now_ms();
        r = keep_intent_begin(keep, &intent, &err);
        begin_ms[i] = now_ms() - start_ms;
        if (r < 0 || keep_intent_end(keep, intent.id, INTENT_DONE, 0, 1, "", &err) < 0) {
            fprintf(stderr, "bench_keep: %s\n", err.message);
            keep_close(keep);
            return 1;
        }
    }
    long worked_kib = rss_anon_kib();
    keep_close(keep);
    qsort(begin_ms, COMMITS, sizeof begin_ms[0], ascending);
    printf("intent begin commit latency p50\t-\t%.2f ms\tok\n", begin_ms[COMMITS / 2]);
    printf("keep_open of what is there\t-\t%.2f ms\tok\n", open_ms);
    rss_line("RssAnon added by keep_open", opened_kib - before_kib);
    rss_line("RssAnon added by keep_open and 201 intents", worked_kib - before_kib);
    return 0;
}

int main(int argc, char **argv)
{
    char directory[4096], command[4200];
    snprintf(directory, sizeof directory, "%s/bench-keep-XXXXXX", argc > 1 ? argv[1] : "/var/tmp");
    if (!mkdtemp(directory)) {
        fprintf(stderr, "bench_keep: cannot make a directory like %s\n", directory);
        return 1;
    }
    int r = measure(directory);
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command) == 0 ? r : 1;
}
