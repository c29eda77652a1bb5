/* How fast recorded worlds are judged again: read, parsed, judged, what changed written as JSON.
 *
 *     bench_replay [DIRECTORY]    with *.jsonl in it; tests/recordings/memory where none is named
 *
 * Seconds are of processor time. Prints lines of: what<TAB>bar<TAB>measured<TAB>ok|over */
#include "judge/judge.h"
#include "judge/verdict_json.h"
#include "sense/world_json.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BAR_PER_S = 15000, CONTAINERS = 1000, LOOKS = 100 };
static const double measure_s = 2; /* long enough that one slice of the scheduler does not show */

/* Processor time: what this takes, not what else runs beside it. */
static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One recording through a judge of its own, as `supervisor replay` does it. Worlds read, or -1. */
static long replay(const char *path, const struct config *config, FILE *sink)
{
    struct judge *judge = NULL;
    struct judgement judgement = {0};
    struct world world;
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    long worlds = 0;
    FILE *file = fopen(path, "re");
    if (!file || judge_new(config, &judge) < 0)
        worlds = -1;
    world_init(&world);
    while (worlds >= 0 && (n = getline(&line, &size, file)) > 0) {
        n -= line[n - 1] == '\n';
        if (world_from_json(line, (size_t)n, &world, NULL, 0) != WORLD_LINE_WORLD)
            continue;
        worlds++;
        if (judge_look(judge, &world, &judgement) < 0)
            worlds = -1;
        for (size_t i = 0; i < judgement.n_verdicts; i++) {
            if (!judgement.verdicts[i].changed)
                continue;
            json_t *json = verdict_to_json(&judgement.verdicts[i], NULL);
            json_dumpf(json, sink, JSON_COMPACT);
            json_decref(json);
        }
    }
    free(line);
    if (file)
        fclose(file);
    world_clear(&world);
    judgement_clear(&judgement);
    judge_free(judge);
    return worlds;
}

static int bench_recordings(const glob_t *found, const struct config *config)
{
    FILE *sink = fopen("/dev/null", "we");
    long worlds = 0;
    double begun_s = now_s(), took_s;
    if (!sink)
        return -1;
    do {
        for (size_t i = 0; i < found->gl_pathc; i++) {
            long n = replay(found->gl_pathv[i], config, sink);
            if (n <= 0) {
                fprintf(stderr, "bench_replay: %s: no world in it\n", found->gl_pathv[i]);
                fclose(sink);
                return -1;
            }
            worlds += n;
        }
        took_s = now_s() - begun_s;
    } while (took_s < measure_s);
    fclose(sink);
    double per_s = (double)worlds / took_s;
    printf("replay, recorded worlds\t%d/s\t%.0f/s\t%s\n", BAR_PER_S, per_s,
           per_s >= BAR_PER_S ? "ok" : "over");
    return 0;
}

/* The first recorded world's container, a thousand times under other names, looked at each second.
 */
static int bench_many(const char *path, const struct config *config)
{
    struct world one, many;
    struct judge *judge = NULL;
    struct judgement judgement = {0};
    char *line = NULL;
    size_t size = 0;
    int r = -1;
    FILE *file = fopen(path, "re");
    ssize_t n;
    world_init(&one);
    world_init(&many);
    while (file && !one.n_containers && (n = getline(&line, &size, file)) > 0)
        world_from_json(line, (size_t)(n - (line[n - 1] == '\n')), &one, NULL, 0);
    if (one.n_containers && judge_new(config, &judge) == 0) {
        many.host = one.host;
        r = 0;
    }
    for (int i = 0; r == 0 && i < CONTAINERS; i++) {
        struct container *c = world_add_container(&many);
        r = c ? container_copy(c, &one.containers[0]) : -1;
        if (r == 0)
            snprintf(c->id, sizeof c->id, "%064x", (unsigned)i * 2654435761u);
    }
    double begun_s = now_s();
    for (int i = 0; r == 0 && i < LOOKS; i++) {
        many.monotonic_s = 1000 + i;
        many.time_ms = 1000 * (int64_t)i;
        r = judge_look(judge, &many, &judgement);
    }
    if (r == 0)
        printf("one look at %d containers, judged\t-\t%.2f ms\tok\n", CONTAINERS,
               (now_s() - begun_s) * 1000 / LOOKS);
    else
        fprintf(stderr, "bench_replay: not enough memory, or no world in %s\n", path);
    free(line);
    if (file)
        fclose(file);
    world_clear(&one);
    world_clear(&many);
    judgement_clear(&judgement);
    judge_free(judge);
    return r;
}

int main(int argc, char **argv)
{
    char pattern[4096];
    struct config *config = NULL;
    struct error err = {0};
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/*.jsonl", argc > 1 ? argv[1] : "tests/recordings/memory");
    if (glob(pattern, 0, NULL, &found) != 0) {
        fprintf(stderr, "bench_replay: there is no %s\n", pattern);
        return 1;
    }
    int r = config_new(&config, &err);
    if (r < 0)
        fprintf(stderr, "bench_replay: %s\n", err.message);
    if (r == 0)
        r = bench_recordings(&found, config);
    if (r == 0)
        r = bench_many(found.gl_pathv[0], config);
    globfree(&found);
    config_free(config);
    return r == 0 ? 0 : 1;
}
