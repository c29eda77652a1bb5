#include "sense/gpu_watch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A reading takes NVML some milliseconds: so seldom it costs less than 0.1 % of a core. What is
 * missing (a lost GPU, a driver that was updated) seldom comes back, and to ask costs a second. */
static const double again_s = 5, missing_again_s = 60;
/* Where there was none, a driver may have been loaded since: at boot nobody waits for it. */
static const double none_again_s = 600;

struct gpu_watch {
    uv_loop_t *loop;
    uv_work_t work;
    char nvml[256], sysfs[256];
    void (*changed)(void *);
    void *userdata;
    struct gpu_reader *reader; /* the worker's while it reads */
    struct gpu_list *reading;  /* the same */
    struct gpu_list *known;    /* the loop's */
    bool looked, busy, freed;
    double due_s; /* 0: the next look says from when on */
};

static void release(struct gpu_watch *watch)
{
    gpu_reader_free(watch->reader);
    free(watch->reading);
    free(watch->known);
    free(watch);
}

static void read_on_worker(uv_work_t *work)
{
    struct gpu_watch *watch = work->data;
    const struct gpu_options options = {.nvml = watch->nvml[0] != '\0' ? watch->nvml : NULL,
                                        .sysfs = watch->sysfs};

    if (watch->reader == NULL && gpu_reader_new(&options, &watch->reader) < 0) {
        memset(watch->reading, 0, sizeof *watch->reading);
        snprintf(watch->reading->missing, sizeof watch->reading->missing,
                 "no memory to look at the GPUs");
        return;
    }
    gpu_read(watch->reader, watch->reading);
}

static void on_read(uv_work_t *work, int status)
{
    struct gpu_watch *watch = work->data;

    watch->busy = false;
    if (watch->freed || status < 0) {
        release(watch);
        return;
    }
    *watch->known = *watch->reading; /* in place: the last look's world points there */
    watch->looked = true;
    watch->due_s = 0;
    if (watch->reader != NULL && !gpu_reader_any(watch->reader)) {
        gpu_reader_free(watch->reader); /* and with it the library that found nothing */
        watch->reader = NULL;
    }
    watch->changed(watch->userdata);
}

static int begin(struct gpu_watch *watch)
{
    int r = uv_queue_work(watch->loop, &watch->work, read_on_worker, on_read);
    watch->busy = r == 0;
    return r;
}

int gpu_watch_new(uv_loop_t *loop, const char *nvml, const char *sysfs, void (*changed)(void *),
                  void *userdata, struct gpu_watch **ret_watch)
{
    struct gpu_watch *watch = calloc(1, sizeof *watch);
    if (watch == NULL)
        return -ENOMEM;
    watch->loop = loop;
    watch->changed = changed;
    watch->userdata = userdata;
    watch->work.data = watch;
    snprintf(watch->nvml, sizeof watch->nvml, "%s", nvml);
    snprintf(watch->sysfs, sizeof watch->sysfs, "%s", sysfs);
    watch->reading = calloc(1, sizeof *watch->reading);
    watch->known = calloc(1, sizeof *watch->known);
    int r = watch->reading == NULL || watch->known == NULL ? -ENOMEM : begin(watch);
    if (r < 0) {
        release(watch);
        return r;
    }
    *ret_watch = watch;
    return 0;
}

void gpu_watch_free(struct gpu_watch *watch)
{
    if (watch == NULL)
        return;
    watch->freed = true;
    if (!watch->busy)
        release(watch);
    else
        uv_cancel((uv_req_t *)&watch->work); /* one that has begun goes on to its end */
}

bool gpu_watch_look(struct gpu_watch *watch, double now_s, struct world *world)
{
    world->gpus_known = watch != NULL && watch->looked;
    if (!world->gpus_known)
        return false;
    const struct gpu_list *known = watch->known;
    world->gpus = watch->known->gpus;
    world->n_gpus = known->n;
    snprintf(world->gpus_missing, sizeof world->gpus_missing, "%s", known->missing);
    if (watch->busy)
        return true;
    if (watch->due_s == 0)
        watch->due_s = now_s + (known->missing[0] != '\0' ? missing_again_s
                                : known->n > 0            ? again_s
                                                          : none_again_s);
    else if (now_s >= watch->due_s)
        begin(watch);
    return true;
}
