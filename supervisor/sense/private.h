/* What the files that follow the engine and look at its containers share. */
#ifndef SUPERVISOR_SENSE_PRIVATE_H
#define SUPERVISOR_SENSE_PRIVATE_H

#include "sense/adopted.h"
#include "sense/gpu_watch.h"
#include "sense/host.h"
#include "sense/roster.h"
#include "sense/watch.h"

enum {
    INSPECTS_MAX = 8, /* under way at a time, beside those for remedies: each may have half a MiB */
    INSPECTS_HERE = 2, /* of these: for those alone that run here */
    STATS_MAX = 16,    /* statistics under way at a time: 64 KiB each */
    POLLS_MAX = 16,    /* Ollamas that are asked at a time; of those that do not answer half */
    UNREAD_MAX = 64    /* containers whose being unreadable is remembered as told */
};

struct sense {
    struct sense_options o;
    struct sampler sampler;
    struct process_memory *processes;
    char procfs[256], cgroupfs[256]; /* copies: a reload does not move them */
    char state[256];                 /* the same: where adopted is */
    struct adopted adopted;
    struct { /* sense/adoptions.c: what a worker reads, because the disk may hang */
        uv_work_t work;
        struct adopted fresh;
        bool under_way, changed;
        double due_s; /* boottime */
    } adoptions;
    struct host_reader *host;
    struct gpu_watch *gpus;
    bool gpus_looked;             /* their first answer was there in a look */
    double gpus_until_s;          /* until when the first one is waited for */
    uv_timer_t tick, retry, soon; /* soon: the look that was asked for in this turn */
    unsigned timers;              /* of these that are not closed, and workers under way */
    bool changed;                 /* since the last look: what its world points to may be gone */
    bool up, lost_said, listed, closing, unsorted;
    size_t inspecting, inspecting_new; /* inspects under way; of those that are not followed yet */
    uint64_t inspect_turn;             /* so many were asked for of those that are followed */
    bool known_last;                   /* the last one was of one that is followed */
    double hints, hints_s;             /* how many inspects may follow events, as of when */
    struct roster roster;
    bool listing, list_again;
    double list_begun_s, list_ok_s; /* boottime: the last list; not before that another one */
    double first_look_s;            /* boottime: when the first look waits no longer */
    size_t stats;                   /* statistics under way */
    size_t turn;                    /* whose turn it is to be asked first */
    bool polls_wait;                /* more Ollamas are to be asked than can be at a time */
    unsigned lists_failed, streams_failed; /* in a row */
    size_t skipped_told;                   /* containers of the last list that could not be read */
    char unread[UNREAD_MAX][CONTAINER_ID_SIZE];
    size_t unread_at; /* the oldest */
    double reconcile_due_s;
    double stream_s; /* since when the events are followed without a gap; < 0: they are not */
    bool probing;    /* a ping is under way, because of an inspect without an answer: */
    char probed_for[CONTAINER_ID_SIZE], probed_why[sizeof((struct error *)NULL)->message];
    struct error error;
    struct watch **watches;
    size_t n;
    struct world world; /* its containers are shallow copies */
    size_t cap;
};

struct inspection { /* a question about one container; by id, because it may be gone when the answer
                       comes */
    struct sense *sense;
    char id[CONTAINER_ID_SIZE];
    bool named, is_new;
    bool unsure;        /* of a new one: whether it is chosen only the answer says */
    unsigned char rank; /* the same */
};

/* NULL when memory is spent. */
struct inspection *sense_inspection_new(struct sense *sense, const char *id, bool named);

void sense_tell(struct sense *sense, enum sense_note n, const struct watch *w, const char *text);
struct watch *sense_find(const struct sense *sense, const char *id);
/* Ends a fresh look under way, if there is one, with this result. */
void sense_end_fresh(struct watch *w, int result);
void sense_remove(struct sense *sense, struct watch *w, const char *why); /* why "": it is gone */

/* sense/look.c. A look: who is due, or never was, is sampled; the others have their last sample. */
void sense_look(struct sense *sense);
/* One in the next turn of the loop, however often it is asked for; this one (NULL: nobody) is
 * sampled for it. */
void sense_look_soon(struct sense *sense, struct watch *w);
/* The timer of looks and polls, where everybody is due; a question to Ollama. */
void sense_on_tick(uv_timer_t *timer);
void sense_ask_ollama(struct watch *w);

/* sense/engine.c: ping, list, events; sense/inspects.c: one inspect of a container at a time, and a
 * hint that comes meanwhile asks once more. */
void sense_connect(struct sense *sense);
void sense_inspect(struct sense *sense, struct watch *w);
/* Asks about those that wait for it, as far as there is room. */
void sense_inspect_next(struct sense *sense);
/* The engine cannot be reached: told once, and tried again. */
void sense_engine_lost(struct sense *sense, const struct error *err);
/* What the engine says of one container cannot be read: told once. */
void sense_tell_unread(struct sense *sense, const char *id, const char *why);
/* Some have not been answered yet, or not even asked about. */
bool sense_awaits_inspects(const struct sense *sense);
/* Takes the container's labels anew and tells the malformed ones. */
void sense_note_labels(struct sense *sense, struct watch *w);
/* Its mode by its settings, by who named it and by who is adopted. */
void sense_set_mode(struct sense *sense, struct watch *w);
/* sense/adoptions.c: every two seconds, by a worker, whether others are adopted. */
void sense_ask_adoptions(struct sense *sense, double now_s);
/* What lives as long as the last timer and worker. */
void sense_let_go(struct sense *sense);

/* Reconciliation by list even without an event (the engine drops events for slow readers). */
static const double reconcile_s = 60;

#endif
