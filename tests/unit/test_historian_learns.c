/* What the historian learns of runners: what they hold when their load has ended. */
#include "base/clock.h"
#include "historian_case.h"
#include "judge/uses.h"
#include "recorded_models.h"
#include "sense/world_json.h"
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_runner(struct stage *stage, fact pid, double started_s, fact held)
{
    struct container *c = &stage->world.containers[0];
    struct process *p = container_add_process(c);
    *p = (struct process){.pid = pid,
                          .started_us = (fact)(started_s * 1e6),
                          .state = 'S',
                          .kind = PROCESS_RUNNER,
                          .blob = "sha256-1",
                          .rss_anon = held,
                          .swap = 0,
                          .cpu_us = 0};
    c->processes_known = true;
}

/* A server with one model of one runner, which began just now. */
static struct container *set_model(struct stage *stage)
{
    set_containers(stage, 1);
    struct container *c = &stage->world.containers[0];
    pairs_add(&c->env, &c->n_env, "OLLAMA_NUM_PARALLEL", "3");
    snprintf(c->ollama.version, sizeof c->ollama.version, "0.33.0");
    c->ollama.reachable = true;
    struct model *m = ollama_add_model(&c->ollama);
    snprintf(m->name, sizeof m->name, "small:latest");
    snprintf(m->digest, sizeof m->digest, "d1");
    snprintf(m->blob, sizeof m->blob, "sha256-1");
    m->context_length = 4096;
    add_runner(stage, 7, stage->now_s + 0.5, 5000);
    return c;
}

#define LEARNED                                                                                    \
    "SELECT held FROM footprints WHERE digest = 'd1' AND context = 4096 AND "                      \
    "parallel = 3 AND kv_type = 'f16' AND version = '0.33.0' AND gpu = 0"

static void test_runners_are_learned(void **state)
{
    struct stage *stage = *state;
    struct container *c = set_model(stage);
    const struct place *place = stage->place;
    struct model_use use = {.use = USE_WORK, .pid = 7, .started_us = 8, .cpu_us = 9, .seen_s = 4};
    struct uses uses = {.all = &use, .n = 1}; /* as the judge has it */
    snprintf(use.model, sizeof use.model, "small:latest");
    begin(stage);
    look(stage, 1);
    c->processes[0].rss_anon = 90000; /* requests */
    look(stage, 1);
    use.from_s = use.to_s = clock_boottime_s();
    use.expires_ms = 77;
    stage->judgement.assessments[0].uses = &uses;
    end(stage);
    stage->judgement.assessments[0].uses = NULL;
    struct keep_history *history = history_open_reader(place);
    struct history_last_use *last;
    size_t n;
    assert_ok(keep_history_last_uses(history, "no boot", &last, &n, &history_err), history_err);
    assert_int_equal(n, 0);
    free(last);
    char boot_id[40];
    clock_boot_id("/proc", boot_id, sizeof boot_id);
    assert_ok(keep_history_last_uses(history, boot_id, &last, &n, &history_err), history_err);
    assert_int_equal(n, 1);
    assert_string_equal(last->container, stage->judgement.assessments[0].id);
    assert_string_equal(last->use.model, "small:latest");
    assert_true(last->use.from_s == use.from_s && last->use.to_s == use.to_s &&
                last->use.use == USE_WORK && last->use.pid == 7 && last->use.started_us == 8 &&
                last->use.cpu_us == 9 && last->use.expires_ms == 77 && last->use.seen_s == 4);
    free(last);
    keep_history_close(history);
    assert_int_equal(history_number_of(place, LEARNED), 5000);
    assert_int_equal(history_number_of(place, "SELECT seen FROM footprints"), 1);
    assert_int_equal(history_number_of(place, "SELECT loads FROM uses WHERE"
                                              " model = 'small:latest' AND last_used_wall_ms > 0"),
                     1);
    /* The next supervisor finds one that is older than itself: no load of its time. */
    c->processes[0].started_us = 1;
    begin(stage);
    look(stage, 1);
    end(stage);
    assert_int_equal(history_number_of(place, "SELECT loads FROM uses"), 1);
    assert_int_equal(history_number_of(place, "SELECT seen FROM footprints"), 1);
}

/* Nor is a use lost when it could not be written. */
static void test_a_use_is_due_until_it_is_written(void **state)
{
    struct stage *stage = *state;
    struct model_use use = {.use = USE_WORK};
    struct uses uses = {.all = &use, .n = 1};
    set_model(stage);
    snprintf(use.model, sizeof use.model, "small:latest");
    FILE *file = fopen(stage->place->state, "w"); /* where the directory should be */
    assert_non_null(file);
    fclose(file);
    begin(stage);
    turn(stage);
    look(stage, 1);
    stage->historian->packed_s -= 100;
    use.from_s = use.to_s = clock_boottime_s() - 30;
    stage->judgement.assessments[0].uses = &uses;
    historian_write(stage->historian, true);
    turn(stage);
    assert_int_equal(stage->stopped, 1);
    assert_int_equal(unlink(stage->place->state), 0);
    end(stage);
    stage->judgement.assessments[0].uses = NULL;
    struct keep_history *history = history_open_reader(stage->place);
    assert_true(keep_history_last_used_ms(history, "small:latest") > 0);
    keep_history_close(history);
}

/* While it loads it is not listed. What came between its load and the first list that has it is a
 * request's; where more came, or where lists failed to come for long, nobody can tell. */
static void test_what_came_with_the_load_is_apart(void **state)
{
    static const struct {
        fact held[6]; /* in each look; listed in the last one */
        double after_s;
        fact learned;
    } cases[] = {
        {{2000, 5000, 5000, 5300, 5300, 5400}, 1, 5000},
        {{2000, 2000, 5000, 7000, 8000, 8000}, 1, 8000}, /* the disk was slow */
        {{2000, 5000, 5000, 5300, 5300, 5400}, 60, 0},
    };
    struct stage *stage = *state;
    struct container *c = set_model(stage);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        c->processes[0].pid = 20 + (fact)i;
        c->processes[0].started_us = (fact)((stage->now_s + 0.5) * 1e6);
        snprintf(c->ollama.models[0].digest, sizeof c->ollama.models[0].digest, "d%zu", i);
        begin(stage);
        for (size_t k = 0; k < 6; k++) {
            c->processes[0].rss_anon = cases[i].held[k];
            c->ollama.n_models = k == 5;
            look(stage, k == 5 ? cases[i].after_s : 1);
        }
        end(stage);
        char sql[96];
        snprintf(sql, sizeof sql, "SELECT sum(held) FROM footprints WHERE digest = 'd%zu'", i);
        assert_int_equal(history_number_of(stage->place, sql), cases[i].learned);
    }
}

/* A list of before a runner began is of the one that it follows. */
static void test_an_older_list_teaches_nothing(void **state)
{
    struct stage *stage = *state;
    struct container *c = set_model(stage);
    begin(stage);
    c->ollama.age_ms = 1000;
    look(stage, 1);
    c->processes[0].rss_anon = 8000;
    c->ollama.age_ms = 0;
    look(stage, 1);
    end(stage);
    assert_int_equal(history_number_of(stage->place, LEARNED), 8000);
}

/* Once a growth-leak was raised of it, a runner teaches nothing any more, also when it was cleared;
 * and what it taught before, which was written already, is taken back: by the next supervisor too.
 */
static void test_a_leak_is_not_learned(void **state)
{
    struct stage *stage = *state;
    struct container *c = set_model(stage);
    struct verdict v = {.kind = VERDICT_GROWTH_LEAK,
                        .state = VERDICT_RAISED,
                        .pid = 7,
                        .started_us = c->processes[0].started_us};
    memcpy(v.id, c->id, sizeof v.id);
    for (int next = 0; next < 2; next++) {
        stage->judgement.n_verdicts = 0;
        c->processes[0].rss_anon = 5000;
        v.pid = c->processes[0].pid = 7 + next;
        v.started_us = c->processes[0].started_us = (fact)((stage->now_s + 0.5) * 1e6);
        begin(stage);
        look(stage, 1);
        turn(stage);
        historian_write(stage->historian, true);
        turn(stage);
        assert_int_equal(history_number_of(stage->place, LEARNED), 5000);
        if (next) {
            end(stage);
            begin(stage);
        }
        stage->judgement.verdicts = &v;
        stage->judgement.n_verdicts = 1;
        c->processes[0].rss_anon = 90000;
        look(stage, 1);
        stage->judgement.n_verdicts = 0;
        look(stage, 1);
        end(stage);
        stage->judgement.verdicts = NULL;
        assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM footprints"), 0);
    }
}

/* The recordings, each as a life of its own: what was learned is within 5 % of what the same load
 * holds without a request (recorded_models.c). */
static void learn_from(struct stage *stage, const char *path)
{
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    begin(stage);
    while ((n = getline(&line, &size, file)) > 0) {
        if (world_from_json(line, (size_t)(n - (line[n - 1] == '\n')), &stage->world, NULL, 0) !=
            WORLD_LINE_WORLD)
            continue;
        struct container *c = &stage->world.containers[0];
        for (size_t i = 0; i < c->ollama.n_models; i++) { /* they name no blob: by its beginning */
            static const char *const blobs[][2] = {{"small:latest", "sha256-995e"},
                                                   {"small:latest", "sha256-bd57"},
                                                   {"medium:latest", "sha256-5eba"},
                                                   {"medium:latest", "sha256-b15e"}};
            for (size_t k = 0; k < c->n_processes * 4; k++)
                if (!strcmp(c->ollama.models[i].name, blobs[k % 4][0]) &&
                    !strncmp(c->processes[k / 4].blob, blobs[k % 4][1], 11))
                    snprintf(c->ollama.models[i].blob, sizeof c->ollama.models[i].blob, "%s",
                             c->processes[k / 4].blob);
        }
        historian_look(stage->historian, &stage->world, &stage->judgement);
    }
    end(stage);
    free(line);
    fclose(file);
}

static void test_recordings_are_learned(void **state)
{
    struct stage *stage = *state;
    glob_t found;
    int64_t loads = 0;
    stage->judgement.assessments = calloc(1, sizeof *stage->judgement.assessments);
    stage->judgement.n_assessments = 1;
    assert_int_equal(glob("tests/recordings/memory/*.jsonl", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (!strstr(found.gl_pathv[i],
                    "v2-swapped")) /* of another machine, which took 16 MiB more */
            learn_from(stage, found.gl_pathv[i]);
    globfree(&found);
    for (const struct recorded_load *r = recorded_loads; r->model; r++) {
        char sql[320];
        snprintf(sql, sizeof sql,
                 "SELECT total(abs(held / 1048576.0 - %f) > %f) * 1000 + count(*) FROM lessons"
                 " WHERE version = '%s' AND model = '%s:latest' AND context = %lld",
                 r->held, r->held / 20, r->version, r->model, (long long)r->context);
        int64_t n = history_number_of(stage->place, sql);
        if (n >= 1000)
            fail_msg("%s of %s at %lld: %lld", r->model, r->version, (long long)r->context,
                     (long long)n);
        loads += n;
    }
    print_message("          %lld loads\n", (long long)loads);
    assert_int_equal(loads, history_number_of(stage->place, "SELECT count(*) FROM lessons"));
    assert_true(loads > 15);
}

#define test(f) cmocka_unit_test_setup_teardown(f, stage_make, stage_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_runners_are_learned),
        test(test_a_use_is_due_until_it_is_written),
        test(test_what_came_with_the_load_is_apart),
        test(test_an_older_list_teaches_nothing),
        test(test_a_leak_is_not_learned),
        test(test_recordings_are_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
