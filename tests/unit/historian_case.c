#include "historian_case.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>

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

void begin(struct stage *stage)
{
    struct historian_options options = {.loop = &stage->loop,
                                        .config = stage->config,
                                        .state = stage->place->state,
                                        .daemon = true,
                                        .tell = on_tell,
                                        .userdata = stage};
    assert_int_equal(historian_new(&options, &stage->historian), 0);
}

void turn(struct stage *stage)
{
    uv_run(&stage->loop, UV_RUN_DEFAULT);
}

void end(struct stage *stage)
{
    historian_stop(stage->historian);
    turn(stage);
    historian_free(stage->historian);
    stage->historian = NULL;
}

int stage_make(void **state)
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

int stage_drop(void **state)
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

void set_containers(struct stage *stage, size_t n)
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

void look(struct stage *stage, double after_s)
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
