/* What happened: events, samples, what models were seen to take. A database of its own,
 * history.db in the state directory, so that a history that fills its disk or is corrupt costs no
 * intent (keep/keep.h): it may lose what it had, it is bounded in rows and in bytes, and it writes
 * nothing where little room is left. Many may read while one writes. Calls block; from the loop
 * they belong on a worker. One struct keep_history is used by one thread at a time. */
#ifndef SUPERVISOR_KEEP_HISTORY_H
#define SUPERVISOR_KEEP_HISTORY_H

#include "base/error.h"
#include "base/fact.h"
#include "judge/uses.h"
#include <stdbool.h>
#include <stddef.h>

enum {
    HISTORY_EVENTS_MAX = 20000,   /* of 300 to 700 bytes: months of a host with troubles */
    HISTORY_SECONDS_MAX = 120000, /* an hour of the 32 samples a second that are kept at most */
    HISTORY_MINUTES_MAX = 700000, /* 30 days of 16 containers; 70 bytes each */
    HISTORY_MODELS_MAX = 4096,    /* loads that were learned of, and models with a count of uses */
    HISTORY_LESSONS_MAX = 8,      /* the last loads of one model with the same settings */
    HISTORY_ROOM_BYTES = 4 << 20, /* less free on its disk, and nothing is written: that room is
                                     the intents' */
};

struct keep_history;

/* Opens DIRECTORY/history.db for writing, made where it is missing. max_bytes: its bound on disk,
 * at least 4 MiB; beside it lies a WAL of 1 MiB. -EUCLEAN: it is corrupt; repair sets such a file
 * aside (keep_history_set_aside) and begins a new one. -ENOSPC, -EROFS, … */
int keep_history_open(const char *directory, bool repair, fact max_bytes,
                      struct keep_history **ret_history, struct error *err);
/* For reading, also beside a writer and on a read-only disk. copy: only what was learned of models,
 * copied into memory: reading that never waits for a disk or for another process. -ENOENT: there is
 * none. */
int keep_history_read(const char *directory, bool copy, struct keep_history **ret_history,
                      struct error *err);
void keep_history_close(struct keep_history *history);
/* Where keep_history_open put a corrupt file; NULL: there was none. */
const char *keep_history_set_aside(const struct keep_history *history);

/* Something that happened. Texts are never NULL; "" where there is nothing to say. */
struct history_event {
    int64_t id; /* given when it is written; events are in the order of their ids */
    int64_t wall_ms;
    const char *boot_id;
    double boottime_s;
    const char *container, *name; /* 64-hex id; "" for the host, the engine, the supervisor */
    const char *kind;             /* "raised" "acting" "healed" "died" "engine-lost" … */
    const char *verdict, *step;   /* "idle-leak"; "restart" */
    const char *outcome;          /* one sentence */
    const char *numbers;          /* a JSON object, "{}": bytes, seconds */
};

struct history_subject {
    const char *id, *name;
};

/* One container's numbers; subject: index into the batch's subjects. Cpu: per cent of a core,
 * < 0 unknown. limit: FACT_NONE without one. */
struct history_sample {
    unsigned subject;
    int64_t wall_ms;
    double boottime_s;
    fact held, page_cache, limit, models;
    double cpu_percent;
};

/* A minute of them (or less, at an end): averages, and the most. */
struct history_minute {
    struct history_sample average;
    unsigned samples;
    fact held_max, page_cache_max, models_max;
    double cpu_percent_max;
};

/* What a model's runner held when its load had ended, by what that depends on. In a batch: of one
 * runner of the batch's boot; read: the least of the last HISTORY_LESSONS_MAX, for what came on top
 * in between (a request that came with the load) is no model's need. */
struct history_footprint {
    const char *digest;     /* 64 hex */
    fact context, parallel; /* unknown: as the server chose */
    const char *kv_type;    /* "f16" "q8_0" "q4_0" */
    const char *version;    /* Ollama's own word */
    bool gpu;               /* some of it in the VRAM of a GPU that was seen */
    const char *model;      /* the name it was loaded by last */
    fact held;    /* its runner's RssAnon + VmSwap, bytes; in a batch unknown: what this runner
                     taught is taken back */
    int64_t seen; /* loads; only read */
    int64_t last_wall_ms;
    fact pid, started_us; /* only in a batch */
};

struct history_use {
    const char *model;
    int64_t loads; /* in a batch: how many are new */
    int64_t last_used_wall_ms;
};

struct history_last_use { /* of a container's model, by the clock since boot */
    char container[CONTAINER_ID_SIZE];
    struct model_use use;
};

struct history_batch {
    int64_t now_wall_ms;
    double now_boottime_s;
    const char *boot_id;
    double keep_seconds_s, keep_minutes_s; /* how long samples stay */
    const struct history_event *events;
    const struct history_subject *subjects;
    const struct history_sample *samples;
    const struct history_minute *minutes;
    const struct history_footprint *footprints;
    const struct history_use *uses;
    const struct history_last_use *last_uses;
    size_t n_events, n_subjects, n_samples, n_minutes, n_footprints, n_uses, n_last_uses;
};

/* Writes all of it, or nothing, and lets the oldest go that are too old or too many: of samples at
 * most twice as many as came and 64 more, so that a clock that jumped ahead costs little. Age is
 * measured by the boot's own clock within this boot, by the wall clock across boots. -ENOSPC: the
 * disk has less than HISTORY_ROOM_BYTES; -EIO: the file was removed (open it anew); -EUCLEAN … */
int keep_history_write(struct keep_history *history, const struct history_batch *batch,
                       struct error *err);

struct history_filter {
    const char *container; /* its name, or how its id begins (12 digits or more); NULL: all */
    int64_t since_wall_ms; /* events since then; 0: all */
    int64_t after_id;      /* events behind that one; 0: all; below 0: all, from the first on */
    size_t limit;          /* at least 1: the newest so many, with after_id the next so many */
};
/* Calls each for the events that pass the filter, the oldest first; what it is given is valid
 * during the call. *ret_last (may be NULL): the after_id for those that follow: the newest id there
 * is, or that of the last one given where there may be more. */
int keep_history_events(struct keep_history *history, const struct history_filter *filter,
                        void (*each)(void *userdata, const struct history_event *event),
                        void *userdata, int64_t *ret_last, struct error *err);

/* The container's single samples since then, the oldest first. */
int keep_history_samples(struct keep_history *history, const char *id, int64_t since_wall_ms,
                         void (*each)(void *userdata, const struct history_sample *sample),
                         void *userdata, struct error *err);

/* The same of its minutes. */
int keep_history_minutes(struct keep_history *history, const char *id, int64_t since_wall_ms,
                         void (*each)(void *userdata, const struct history_minute *minute),
                         void *userdata, struct error *err);

/* What is known of a runner of that digest, context, parallel, KV type, version and GPU: held and
 * seen; -ENOENT: nothing. The texts of *footprint are those asked with. */
int keep_history_footprint(struct keep_history *history, struct history_footprint *footprint,
                           struct error *err);
/* When models were used last in that boot; *ret_uses is the caller's (free). */
int keep_history_last_uses(struct keep_history *history, const char *boot_id,
                           struct history_last_use **ret_uses, size_t *ret_n, struct error *err);
/* Loads and last use of a model; -ENOENT: it was never seen. */
int keep_history_use(struct keep_history *history, struct history_use *use, struct error *err);
/* The last use alone, for room_options (judge/room.h): history may be NULL; 0: it is not known. */
int64_t keep_history_last_used_ms(void *history, const char *model);

#endif
