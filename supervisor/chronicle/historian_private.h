/* What the historian's files share. */
#ifndef SUPERVISOR_CHRONICLE_HISTORIAN_PRIVATE_H
#define SUPERVISOR_CHRONICLE_HISTORIAN_PRIVATE_H

#include "base/repeats.h"
#include "chronicle/historian.h"
#include "keep/history.h"
#include "sense/sense.h"
#include <jansson.h>

enum {
    PENDING_EVENTS_MAX = 256,   /* that wait to be written; then the oldest are lost */
    PENDING_SAMPLES_MAX = 4096, /* a minute brings 1,920 at most */
    SAMPLED_AT_ONCE = 32,       /* more containers than that are sampled less often than once a
                                   second: so many samples a second there are at most */
    RUNNERS_KNOWN_MAX = 1024,
    SUBJECTS_MAX = 2 * SENSE_CONTAINERS_MAX, /* those that went are there until they are written */
};

struct pending_event {
    struct pending_event *next;
    struct history_event event; /* its texts lie behind it, but boot_id: the historian's */
    char text[];
};

/* A container between two writes. */
struct subject {
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE];
    bool here; /* met in the last sample */
    fact cpu_us;
    double cpu_at_s;                                /* < 0: not known */
    struct history_minute minute;                   /* of it, sums until it is written */
    unsigned held_n, page_cache_n, models_n, cpu_n; /* how many were known */
};

struct runner_seen {
    fact pid, started_us;
    bool here, is_new; /* is_new: its load has not been counted yet */
    bool leaked;       /* a growth-leak was raised of it: it teaches nothing, and did not */
    bool due;          /* `held` is to be written: */
    fact held;         /* what it teaches, when its load had ended; unknown: nothing */
    double loading_s;  /* not listed yet: the last time that is known; its start */
    fact last,
        loaded; /* while it is not listed: in the last look; since it grew no more, unknown */
    char model[CONTAINER_NAME_SIZE], digest[65], kv_type[16], version[32]; /* model "": unknown */
    bool gpu;
    fact context, parallel;
};

struct historian {
    struct historian_options o;
    char boot_id[40];
    double begun_s;
    bool stopping;
    struct pending_event *first_event, *last_event;
    size_t n_events;
    struct repeats repeats;
    struct subject *subjects;
    size_t n_subjects;
    struct history_sample *samples;
    size_t n_samples;
    struct runner_seen *runners;
    size_t n_runners;
    double sampled_s, written_s;       /* monotonic; < 0 never */
    const struct judgement *judgement; /* the flow's, of the last look; NULL: there was none */
    double packed_s;                   /* when uses were packed last */
    struct parcel *parcel;             /* under way */
    bool stopped;                      /* the last write failed, which was told */
    double retry_s;
    struct keep_history *db; /* the worker's while a parcel is under way */
};

/* Queues a copy of its texts, of which a NULL is ""; the times are now's. numbers: a new reference,
 * taken over, or NULL. */
void historian_add(struct historian *historian, const struct history_event *event, json_t *numbers);
/* Those beyond PENDING_EVENTS_MAX. */
void historian_drop_oldest(struct historian *historian);
/* The counts that are due of what happened too often to be taken down each time; as repeats_due. */
void historian_take_repeated(struct historian *historian, double now_s);
/* Of this look: the verdicts that changed. */
void historian_take_verdicts(struct historian *historian, const struct judgement *judgement);
/* Of this look, where a second has passed. */
void historian_take_samples(struct historian *historian, const struct world *world,
                            const struct judgement *judgement);
/* Closes the minutes and lets go what is no longer there, after all of it went into a parcel. */
void historian_forget_samples(struct historian *historian);
/* The subject's minute as it is written; false: there was no sample. */
bool historian_minute(const struct subject *subject, unsigned index,
                      struct history_minute *ret_minute);

/* Gives what is pending to the worker, unless it is busy; all: the samples too. */
void historian_write(struct historian *historian, bool all);

#endif
