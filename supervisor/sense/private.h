/* What the files that follow the engine and look at its containers share. */
#ifndef SUPERVISOR_SENSE_PRIVATE_H
#define SUPERVISOR_SENSE_PRIVATE_H

#include "sense/gpu_watch.h"
#include "sense/host.h"
#include "sense/watch.h"

enum {
    INSPECTS_MAX = 256, /* under way at a time: a list may name as many containers as it likes */
    UNREAD_MAX = 64     /* containers whose being unreadable is remembered as told */
};

struct sense {
    struct sense_options o;
    struct sampler sampler;
    struct process_memory *processes;
    char procfs[256], cgroupfs[256]; /* copies: a reload does not move them */
    struct host_reader *host;
    struct gpu_watch *gpus;
    bool gpus_looked;             /* their first answer was there in a look */
    double gpus_until_s;          /* until when the first one is waited for */
    uv_timer_t tick, retry, soon; /* soon: the look that was asked for in this turn */
    unsigned timers;              /* of these that are not closed */
    bool changed;                 /* since the last look: what its world points to may be gone */
    bool up, lost_said, listed, closing, unsorted;
    size_t inspecting; /* inspects under way */
    bool listing, list_again;
    bool list_more;  /* some of it have to wait for their inspect: it is asked for again */
    size_t listed_n; /* how many were followed when it was asked for */
    unsigned lists_failed, streams_failed; /* in a row */
    size_t skipped_told;                   /* containers of the last list that could not be read */
    char unread[UNREAD_MAX][CONTAINER_ID_SIZE];
    size_t unread_at; /* the oldest */
    double reconcile_due_s;
    double stream_s; /* since when the events are followed without a gap; < 0: they are not */
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
    bool named;
    bool unsure; /* the list has its image by id alone: only inspect knows which it was */
};

/* NULL when memory is spent. */
struct inspection *sense_inspection_new(struct sense *sense, const char *id, bool named);

void sense_tell(struct sense *sense, enum sense_note n, const struct watch *w, const char *text);
struct watch *sense_find(const struct sense *sense, const char *id);
/* Ends a fresh look under way, if there is one, with this result. */
void sense_end_fresh(struct watch *w, int result);
void sense_remove(struct sense *sense, struct watch *w);

/* sense/look.c. A look: who is due, or never was, is sampled; the others have their last sample. */
void sense_look(struct sense *sense);
/* One in the next turn of the loop, however often it is asked for; this one (NULL: nobody) is
 * sampled for it. */
void sense_look_soon(struct sense *sense, struct watch *w);
/* The timer of looks and polls, where everybody is due; a question to Ollama. */
void sense_on_tick(uv_timer_t *timer);
void sense_ask_ollama(struct watch *w);

/* sense/engine.c: ping, list, events; one inspect of a container at a time, and a hint that comes
 * meanwhile asks once more. */
void sense_connect(struct sense *sense);
void sense_inspect(struct sense *sense, const char *id, bool named);
/* Takes the container's labels anew and tells the malformed ones. */
void sense_note_labels(struct sense *sense, struct watch *w);

/* Reconciliation by list even without an event (the engine drops events for slow readers; facts on
 * Docker, 1.9). */
static const double reconcile_s = 60;

#endif
