/* The historian on a loop: how often it samples, minutes, learned runners; what waits while nothing
 * can be written, and what is told then. */
#include "base/clock.h"
#include "chronicle/historian.h"
#include "history_case.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct stage {
    struct place *place;
    uv_loop_t loop;
    struct config *config;
    struct historian *historian;
    struct world world;
    struct judgement judgement;
    double now_s;
    int stopped, again, set_aside;
};

static void on_tell(void *userdata, const struct error *err, const char *set_aside)
{
    struct stage *stage = userdata;
    if (set_aside)
        stage->set_aside++;
    else if (err)
        stage->stopped++;
    else
        stage->again++;
}

static void begin(struct stage *stage)
{
    struct historian_options options = {.loop = &stage->loop,
                                        .config = stage->config,
                                        .state = stage->place->state,
                                        .daemon = true,
                                        .tell = on_tell,
                                        .userdata = stage};
    assert_int_equal(historian_new(&options, &stage->historian), 0);
}

static void turn(struct stage *stage)
{
    uv_run(&stage->loop, UV_RUN_DEFAULT);
}

static void end(struct stage *stage)
{
    historian_stop(stage->historian);
    turn(stage);
    historian_free(stage->historian);
    stage->historian = NULL;
}

static int make(void **state)
{
    struct stage *stage = calloc(1, sizeof *stage);
    void *place = NULL;
    if (place_make(&place) < 0 || config_new(&stage->config, NULL) < 0)
        return -1;
    stage->place = place;
    stage->now_s = clock_boottime_s();
    uv_loop_init(&stage->loop);
    world_init(&stage->world);
    *state = stage;
    return 0;
}

static int drop(void **state)
{
    struct stage *stage = *state;
    void *place = stage->place;
    uv_loop_close(&stage->loop);
    world_clear(&stage->world);
    free(stage->judgement.assessments);
    config_free(stage->config);
    free(stage);
    return place_drop(&place);
}

static void set_containers(struct stage *stage, size_t n)
{
    stage->judgement.assessments = calloc(n, sizeof *stage->judgement.assessments);
    stage->judgement.n_assessments = n;
    for (size_t i = 0; i < n; i++) {
        struct container *c = world_add_container(&stage->world);
        snprintf(c->id, sizeof c->id, "%064zx", i + 1);
        snprintf(c->name, sizeof c->name, "ollama-%zu", i);
        c->status = STATUS_RUNNING;
        c->cgroup = (struct cgroup_memory){.version = 2,
                                           .anon = 1000,
                                           .file = 500,
                                           .shmem = 0,
                                           .swap = 0,
                                           .swapcached = 0,
                                           .limit = 9000,
                                           .cpu_us = 0};
        stage->judgement.assessments[i].models_held = 100;
    }
    stage->world.host.swap_total = 0;
}

/* A look after so long; each container holds 100 bytes more and has used a tenth of a core. */
static void look(struct stage *stage, double after_s)
{
    stage->now_s += after_s;
    stage->world.monotonic_s = stage->now_s;
    stage->world.time_ms = history_noon_ms + (int64_t)(stage->now_s * 1000);
    for (size_t i = 0; i < stage->world.n_containers; i++) {
        stage->world.containers[i].cgroup.anon += 100;
        stage->world.containers[i].cgroup.cpu_us += (fact)(after_s * 1e5);
    }
    historian_look(stage->historian, &stage->world, &stage->judgement);
}

static void test_one_sample_a_second(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 1);
    begin(stage);
    for (int i = 0; i < 41; i++)
        look(stage, 0.25);
    end(stage);
    const struct place *place = stage->place;
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM seconds"), 11);
    assert_int_equal(history_number_of(place, "SELECT max(held) FROM seconds"), 1000 + 41 * 100);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM seconds WHERE cpu = 10.0"), 10);
    assert_int_equal(history_number_of(place, "SELECT count(*) FROM minutes"), 1);
    assert_int_equal(history_number_of(place, "SELECT samples FROM minutes"), 11);
    assert_int_equal(history_number_of(place, "SELECT held_max FROM minutes"), 1000 + 41 * 100);
    assert_int_equal(history_number_of(place, "SELECT held FROM minutes"), 1100 + 20 * 100);
    assert_int_equal(history_number_of(place, "SELECT cpu FROM minutes"), 10);
}

static void test_many_containers_are_sampled_less_often(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 100);
    begin(stage);
    for (int i = 0; i < 41; i++)
        look(stage, 1);
    end(stage);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM seconds"), 11 * 100);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM minutes"), 100);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM containers"), 100);
}

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

static void test_runners_are_learned(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 1);
    struct container *c = &stage->world.containers[0];
    pairs_add(&c->env, &c->n_env, "OLLAMA_NUM_PARALLEL", "3");
    struct model *m = ollama_add_model(&c->ollama);
    snprintf(m->name, sizeof m->name, "small:latest");
    snprintf(m->digest, sizeof m->digest, "d1");
    snprintf(m->blob, sizeof m->blob, "sha256-1");
    m->context_length = 4096;
    begin(stage);
    add_runner(stage, 7, 1e9, 5000); /* started later than the historian, whatever the uptime */
    look(stage, 1);
    c->processes[0].rss_anon = 9000;
    c->processes[0].cpu_us = 500000; /* half a core */
    look(stage, 1);
    c->processes[0].rss_anon = 6000;
    look(stage, 1);
    end(stage);
    const struct place *place = stage->place;
    assert_int_equal(history_number_of(place, "SELECT held FROM footprints WHERE digest = 'd1' AND"
                                              " context = 4096 AND parallel = 3 AND"
                                              " kv_type = 'f16'"),
                     9000);
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

/* Once a growth-leak was raised of it, a runner teaches nothing any more, also when it was cleared.
 */
static void test_a_leak_is_not_learned(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 1);
    struct container *c = &stage->world.containers[0];
    struct model *m = ollama_add_model(&c->ollama);
    snprintf(m->name, sizeof m->name, "small:latest");
    snprintf(m->digest, sizeof m->digest, "d1");
    snprintf(m->blob, sizeof m->blob, "sha256-1");
    begin(stage);
    add_runner(stage, 7, 1e9, 5000);
    look(stage, 1);
    struct verdict v = {.kind = VERDICT_GROWTH_LEAK,
                        .state = VERDICT_RAISED,
                        .pid = 7,
                        .started_us = c->processes[0].started_us};
    memcpy(v.id, c->id, sizeof v.id);
    stage->judgement.verdicts = &v;
    stage->judgement.n_verdicts = 1;
    c->processes[0].rss_anon = 90000;
    look(stage, 1);
    stage->judgement.n_verdicts = 0;
    look(stage, 1);
    end(stage);
    stage->judgement.verdicts = NULL;
    assert_int_equal(history_number_of(stage->place, "SELECT held FROM footprints"), 5000);
}

static void died(struct stage *stage, int i)
{
    snprintf(stage->world.containers[0].name, sizeof stage->world.containers[0].name, "one-%d", i);
    historian_note(stage->historian, NOTE_DIED, &stage->world.containers[0], "exited");
}

static void test_events_wait_while_nothing_can_be_written(void **state)
{
    struct stage *stage = *state;
    set_containers(stage, 1);
    FILE *file = fopen(stage->place->state, "w"); /* where the directory should be */
    assert_non_null(file);
    fclose(file);
    begin(stage);
    turn(stage);
    assert_int_equal(stage->stopped, 1);
    for (int i = 0; i < 300; i++)
        died(stage, i);
    turn(stage);
    assert_int_equal(stage->stopped, 1); /* once */
    assert_int_equal(unlink(stage->place->state), 0);
    end(stage);
    assert_int_equal(stage->again, 1);
    /* The newest 256 of 302. */
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events"), 256);
    assert_int_equal(
        history_number_of(stage->place, "SELECT count(*) FROM events WHERE kind = 'died'"), 255);
    assert_int_equal(history_number_of(stage->place, "SELECT kind = 'supervisor-ended' FROM events"
                                                     " ORDER BY id DESC LIMIT 1"),
                     1);
}

/* An engine that comes and goes four times a second, and containers that crash as often, under one
 * name and under a new one each time: the history keeps what else happened, and how often it was.
 */
static void test_repetition_does_not_flush_it(void **state)
{
    struct stage *stage = *state;
    struct container *c;
    set_containers(stage, 1);
    c = &stage->world.containers[0];
    begin(stage);
    for (int i = 0; i < 10000; i++) {
        historian_note(stage->historian, i % 2 ? NOTE_ENGINE_BACK : NOTE_ENGINE_LOST, NULL, "");
        snprintf(c->name, sizeof c->name, "crashes");
        historian_note(stage->historian, i % 2 ? NOTE_STARTED : NOTE_DIED, c, "exited");
        died(stage, i);
        if (i % 64 == 63)
            turn(stage);
    }
    snprintf(c->name, sizeof c->name, "neighbour");
    historian_note(stage->historian, NOTE_OLLAMA_LOST, c, "");
    turn(stage);
    end(stage);
    assert_in_range(history_number_of(stage->place, "SELECT count(*) FROM events"), 500, 1200);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events WHERE kind ="
                                                     " 'supervisor-started'"),
                     1);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events WHERE kind ="
                                                     " 'ollama-lost' AND name = 'neighbour'"),
                     1);
    /* Each of the 5,000 times is there, or counted. */
    assert_int_equal(
        history_number_of(stage->place,
                          "SELECT sum(coalesce(json_extract(numbers, '$.repeated'), 1))"
                          " FROM events WHERE kind = 'engine-lost'"),
        5000);
}

static void test_file_that_vanishes_or_breaks_is_begun_anew(void **state)
{
    struct stage *stage = *state;
    char path[128], wal[140];
    set_containers(stage, 1);
    begin(stage);
    turn(stage);
    snprintf(path, sizeof path, "%s/history.db", stage->place->state);
    snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(unlink(path), 0);
    unlink(wal);
    died(stage, 0);
    turn(stage);
    assert_int_equal(stage->stopped, 0);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events"), 1);
    end(stage);

    FILE *file = fopen(path, "r+"); /* its header */
    assert_non_null(file);
    for (int i = 0; i < 4096; i++)
        fputc(0xa5, file);
    fclose(file);
    unlink(wal);
    begin(stage);
    turn(stage);
    assert_int_equal(stage->set_aside, 1);
    assert_int_equal(stage->stopped, 0);
    assert_int_equal(history_number_of(stage->place, "SELECT count(*) FROM events"), 1);
    end(stage);
}

#define test(f) cmocka_unit_test_setup_teardown(f, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(test_one_sample_a_second),
        test(test_many_containers_are_sampled_less_often),
        test(test_runners_are_learned),
        test(test_a_leak_is_not_learned),
        test(test_events_wait_while_nothing_can_be_written),
        test(test_repetition_does_not_flush_it),
        test(test_file_that_vanishes_or_breaks_is_begun_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
