/* What the judge remembers of one container between looks. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_MEMORY_H
#define SUPERVISOR_JUDGE_MEMORY_H

#include "judge/deeds.h"
#include "judge/judge.h"
#include "judge/model.h"
#include "judge/runner.h"
#include "judge/uses.h"

enum idle_condition {
    IDLE_NOTHING_LOADED,
    IDLE_NO_RUNNER,
    IDLE_EXCESS,
    IDLE_NOT_BUSY,
    IDLE_UP,
    IDLE_CONDITIONS
};
/* Why the kernel killed. */
enum oom_cause { OOM_OWN_LIMIT, OOM_HOST, OOM_OTHER };

struct oom {
    fact seen;   /* the counter in the last look */
    double at_s; /* the last kill; < 0: none that still stands */
    fact kills;
    enum oom_cause cause;
    fact pid, held; /* the runner that it was; unknown */
    fact limit, peak, usage, available;
    double gone_s; /* when a runner was last found gone, and which; < 0 never */
    fact gone_pid, gone_held;
};

/* What the host's pressure asks of a container (docs/judgement.md, "Pressure"). */
struct relief {
    /* The model that is to go; "": none. */
    char model[CONTAINER_NAME_SIZE];
    fact pid, started_us; /* its runner; unknown */
    double chosen_s;
    struct standing unload, flush, stop, refused, stopped;
    double stop_skip_until_s;
    bool stopping;   /* by anybody, as it was told last */
    bool is_stopped; /* by the kill switch, in this life */
    double stopped_s;
};

/* That we stopped it, and that it does not start again. */
struct left {
    bool is;        /* in this life */
    double since_s; /* monotonic */
    size_t tries;
    char words[256]; /* the engine's */
};

/* What holds by labels that say otherwise: once for all containers of which the same holds. */
struct own_settings {
    struct settings are;
    size_t users; /* the last one frees it */
};

struct history {
    char id[CONTAINER_ID_SIZE], started_at[48];
    fact inode;
    bool alive;                      /* met in the current look */
    bool pulling;                    /* as of judge_tell_pulling */
    const struct settings *settings; /* as they hold for it: the configuration's, or by_labels */
    struct own_settings *by_labels;  /* NULL: they say nothing else */
    bool settings_known;
    double first_seen_s, first_uptime_s;
    bool uptime_known, start_seen;
    double last_s;   /* of the last sample */
    double looked_s; /* the last look; a sample that it had already is none */
    int64_t last_wall_ms;
    double last_runner_seen_s; /* < 0 never */
    struct window *window;     /* owned; NULL: nothing was ever known of its use */
    struct condition idle[IDLE_CONDITIONS];
    struct matter own[VERDICT_KINDS]; /* those that are about the container as a whole */
    double connections_at_s;          /* < 0 never read */
    fact connections;
    double idle_learned_s; /* idle time that went into the baseline */
    fact learned_baseline;
    fact held_with_model;
    char probed[80];        /* the blob of the runner in which we work ourselves; "": none */
    struct runner *runners; /* owned */
    size_t n_runners;
    struct known_model *models; /* owned */
    size_t n_models;
    bool list_seen;        /* since the holds began: what is on it now and was not, is new */
    struct growth *growth; /* of the server, owned; NULL: none was ever seen */
    struct oom oom;
    struct deeds *deeds;      /* owned; NULL: none */
    struct uses uses;         /* of its models, in any life of it */
    struct condition quiet;   /* nothing at all happens in it */
    fact disk_read;           /* as it was last known, for that */
    double relieved_s;        /* since when the host has had memory again; < 0: it has not */
    bool has_answered;        /* in this life */
    struct failures failures; /* of verdicts that name neither a runner nor a model */
    struct relief relief;
    struct left left;
};

/* The settings as own ones of one history more: those that one of the others has already, or a
 * copy. NULL: memory is spent. */
struct own_settings *settings_like(struct history *const *histories, size_t n,
                                   const struct settings *wanted);
/* Its own settings have one user less. */
void history_forget_settings(struct history *history);
/* As judge_tell_deeds. */
void history_tell_deeds(struct history *history, const struct deeds *deeds);
/* Every hold starts anew: a gap in time, another life. */
void history_reset_holds(struct history *history);
/* Those that led to the remedy which was just carried out: leaks, runners, models. How long a model
 * has been idle goes on: only of the one that the remedy was about ("": none) it begins anew. */
void history_restart(struct history *history, const char *model);
/* The verdict's remedy was not enough for its subject. */
void history_tell_failed(struct history *history, const struct verdict *verdict, double now_s);

#endif
