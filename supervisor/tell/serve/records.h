/* Questions to the history. Reading it waits for a disk, so a worker does it, one question at a
 * time: the other workers are those who write intents. */
#ifndef SUPERVISOR_TELL_SERVE_RECORDS_H
#define SUPERVISOR_TELL_SERVE_RECORDS_H

#include "keep/history.h"
#include "tell/serve/serve_private.h"

enum { EVENTS_DEFAULT = 50, EVENTS_MAX = 1000, POINTS_DEFAULT = 300, POINTS_MAX = 2000 };

/* What fell into one stretch of time. */
struct bucket {
    int64_t at, samples;
    double held, page_cache, cpu, n_held, n_page_cache, n_cpu;
    fact held_max, limit, models;
};

struct job {
    uv_work_t work;
    struct serve *serve;
    struct api_call *call;               /* NULL: who asked has left */
    char container[CONTAINER_NAME_SIZE]; /* "": all; of samples its id */
    /* In the worker: reads into list; 0, or what keep_history_* returned, with err. */
    int (*read)(struct job *job, struct keep_history *history);
    /* On the loop, where that succeeded: takes list over. */
    void (*answer)(struct job *job, json_t *list);
    struct history_filter filter;
    int64_t from_ms, to_ms, width_ms, points,
        after;          /* points: at most so many; after: that event */
    bool minutes, anew; /* anew: of alerts, the history is another than that of their mark */
    struct bucket bucket;
    json_t *list;
    int64_t last;
    int result;
    struct error err;
    STAILQ_ENTRY(job) link;
};

/* One for a call, which is answered where there is none (NULL). job_queue follows. */
struct job *job_new(struct serve *serve, struct api_call *call,
                    int (*read)(struct job *job, struct keep_history *history),
                    void (*answer)(struct job *job, json_t *list));
void job_queue(struct job *job);

api_serve records_events, records_samples;

#endif
