/* What the judge remembers of one container between looks. Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_HISTORY_H
#define SUPERVISOR_JUDGE_HISTORY_H

#include "judge/failures.h"
#include "judge/judge.h"
#include "judge/tiers.h"
#include "judge/trend.h"
#include "judge/work.h"

enum tri { TRI_UNKNOWN, TRI_FALSE, TRI_TRUE };

/* One condition of a verdict over time. */
struct condition {
    enum tri now;
    double since_s;         /* when it became true and was not contradicted since; < 0: it is not */
    double unknown_since_s; /* < 0: it is known */
};

/* Takes one look's value. true_from_s: since when a true value has held at the latest (now, or
 * earlier if one look proves more). Unknown neither counts nor contradicts, for allowance_s;
 * longer, and the condition starts anew. */
void condition_take(struct condition *condition, enum tri value, double true_from_s, double now_s,
                    double allowance_s);
void condition_reset(struct condition *condition);

/* The last of them to become true; < 0 if one is not. *ret_all_now: all are true in this look.
 * *ret_contradicted: one is false now. */
double conditions_since(const struct condition *conditions, size_t n, bool *ret_all_now,
                        bool *ret_contradicted);

enum { WINDOW_SAMPLES = 64 };

/* The last five seconds of CPU time and received bytes. */
struct window {
    struct {
        double t_s;
        fact cpu_us, received;
    } samples[WINDOW_SAMPLES];
    size_t first, n;
};

void window_take(struct window *window, double now_s, fact cpu_us, fact received);

/* Use over the window. */
struct window_use {
    double span_s;                      /* how much the window really covers */
    double from_s;                      /* when it began */
    double cpu_percent, received_per_s; /* of one core; < 0 unknown */
    fact cpu_used_us, received_bytes;   /* in the window; unknown if not read */
};
struct window_use window_use(const struct window *window, double now_s);
/* Of a runner: busy when it has used more than busy_cpu_percent of a core in the window; one that
 * is not full yet is busy as soon as it has used what a full one may, else unknown. */
enum rest window_rest(const struct window *window, double busy_cpu_percent);

/* A verdict's memory between looks. */
struct standing {
    bool raised;
    double since_s;
    unsigned told; /* 1 << remedy: which it has been told to have since it was raised */
};

/* A verdict that rests on one condition. */
struct matter {
    struct condition condition;
    struct standing standing;
};

enum idle_condition {
    IDLE_UP,
    IDLE_NOTHING_LOADED,
    IDLE_NO_RUNNER,
    IDLE_NOT_BUSY,
    IDLE_EXCESS,
    IDLE_CONDITIONS
};
enum orphan_condition {
    ORPHAN_UNLISTED,
    ORPHAN_FLAT,
    ORPHAN_AWAKE,
    ORPHAN_CHILD,
    ORPHAN_CONDITIONS
};

/* One thing whose memory may grow: a runner, or the server. */
struct growth {
    struct trend recent, whole; /* of twice leak.growth_hold; of all since it began */
    double begun_s;             /* when its load was over, or the loaded models changed; < 0: not */
    fact begun;                 /* what it held then */
    uint64_t loaded;            /* the server's: which models, by a sum over their names */
    struct condition condition; /* it grows */
    struct trend_slope slope;   /* as it was last found to grow */
    struct standing leak, cache;
};
/* Begins anew with what is held now; what it began with is kept if there is something. */
void growth_forget(struct growth *growth);

struct runner { /* one live runner, by (pid, started_us) */
    fact pid, started_us;
    double first_s, seen_s;    /* when it was seen first, and last */
    double flat_from_s;        /* since when CPU, anon and file have been flat; < 0 not known */
    fact flat_anon, flat_file; /* what they were then */
    double flat_cpu_at_s;      /* CPU is compared with what it was at most five seconds before */
    fact flat_cpu_us;
    double used_s; /* when its CPU time advanced last; < 0 never seen to */
    fact used_cpu_us;
    struct work work;   /* what happens in it, and */
    enum worked worked; /* whether it did since the look before */
    struct window window;
    struct condition conditions[ORPHAN_CONDITIONS];
    struct standing orphan, stalled;
    fact held; /* as last seen */
    char blob[80];
    struct matter stuck; /* its model's time is over */
    struct growth growth;
    struct failures failures;
};

/* One listed model. */
struct known_model {
    char name[CONTAINER_NAME_SIZE];
    bool met; /* in the current look */
    struct matter ghost, oversize, idle;
    char expires_at[48];
    int64_t expires_ms; /* < 0 unknown */
    /* How much later than that its time may be over: what the wall clock jumped, or the machine
     * slept, since expires_at was set. */
    int64_t slip_ms;
    bool found_over;     /* its time was over when the list was seen first */
    double skip_until_s; /* its unload was asked for and it did not go: others come first */
    struct failures failures;
};
enum { MODELS_KNOWN_MAX = 32 }; /* of one container; more are not judged one by one */

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
    struct standing standing;
};

/* What the host's pressure asks of a container (docs/judgement.md, "Pressure"). */
struct relief {
    /* The model that is to go; "": none. */
    char model[CONTAINER_NAME_SIZE];
    fact pid, started_us; /* its runner; unknown */
    double chosen_s;
    struct standing unload, flush, stop, refused, stopped;
    double stop_skip_until_s;
    bool is_stopped; /* by the kill switch, in this life */
    double stopped_s;
};

/* That we stopped it, and that it does not start again. */
struct left {
    bool is;        /* in this life */
    double since_s; /* monotonic */
    size_t tries;
    char words[256]; /* the engine's */
    struct standing standing;
};

enum { RUNNERS_MAX = 64 }; /* of one container; more are not judged */

struct history {
    char id[CONTAINER_ID_SIZE], started_at[48];
    fact inode;
    bool alive; /* met in the current look */
    struct settings settings;
    bool settings_known;
    double first_seen_s, first_uptime_s;
    bool uptime_known, start_seen;
    double last_s;   /* of the last sample */
    double looked_s; /* the last look; a sample that it had already is none */
    int64_t last_wall_ms;
    double last_runner_seen_s; /* < 0 never */
    struct window window;
    struct condition idle[IDLE_CONDITIONS];
    struct matter own[VERDICT_KINDS]; /* those that are about the container as a whole */
    double connections_at_s;          /* < 0 never read */
    fact connections;
    double idle_learned_s; /* idle time that went into the baseline */
    fact learned_baseline;
    fact held_with_model;
    struct runner *runners; /* owned */
    size_t n_runners;
    struct known_model *models; /* owned */
    size_t n_models;
    bool list_seen;       /* since the holds began: what is on it now and was not, is new */
    struct growth growth; /* of the server */
    struct oom oom;
    struct condition quiet; /* nothing at all happens in it */
    double relieved_s;      /* since when the host has had memory again; < 0: it has not */
    bool has_answered;      /* in this life */
    struct {
        char model[CONTAINER_NAME_SIZE];
        struct condition condition;
        struct standing standing;
        bool met;
    } surplus[8]; /* loaded models that the single-model policy would unload */
    size_t n_surplus;
    struct failures failures; /* of verdicts that name neither a runner nor a model */
    struct relief relief;
    struct left left;
};

/* One look at one container, with what several rules need. */
struct look {
    const struct config *config; /* for tiers; the settings are the history's */
    const struct world *world;
    const struct container *container;
    struct history *history;
    struct judgement *judgement;
    struct assessment *assessment;
    double now_s, interval_s, poll_s, allowance_s;
    double before_s; /* the look before */
    double asked_s;  /* when Ollama was asked what it answered */
    bool repeated;   /* an earlier look had this sample: its time is now_s, and nothing is counted
                        twice */
    struct window_use use;
    const struct process *serve;
    fact held, serve_held, baseline, threshold;
    fact connections; /* unknown when not read within two polls */
    double connections_age_s;
    enum tri
        answered;  /* /api/ps is fresh and says something about now; false: it does not answer */
    enum tri busy; /* by CPU or received bytes */
    size_t live_runners;
    const char *unanswered; /* why answered is not true */
};

/* Adds a verdict about the look's container; NULL when memory or the cap is spent. */
struct verdict *look_verdict(struct look *look, enum verdict_kind kind);

/* Brings a standing up to date and writes the verdict if there is one: raised when since_s >= 0,
 * all are true now and the hold is over; stays raised until contradicted, or until the hold begins
 * anew or is made longer than what has passed of it; else suspect if suspicious. Returns the
 * verdict (to add evidence) or NULL; where memory is spent, the standing is as before. */
struct verdict *look_settle(struct look *look, enum verdict_kind kind, struct standing *standing,
                            double since_s, bool all_now, bool contradicted, bool suspicious,
                            double hold_s);

/* The same for a verdict about the container that rests on one condition, with its value in this
 * look and since when that has held. */
struct verdict *look_judge(struct look *look, enum verdict_kind kind, enum tri value,
                           double true_from_s, bool suspicious, double hold_s);
/* Gives a verdict that look_settle returned its remedy. One that it has for the first time since it
 * was raised is a change, which is told. */
void look_remedy(struct verdict *verdict, struct standing *standing, enum remedy remedy);
/* Asks for a reading of the connections, if the last one will be older than that in the next look.
 */
void look_want_connections(struct look *look, double patience_s);

/* Whether a foreign client is connected, from a reading that is at most so old. */
enum tri look_connected(const struct look *look, double within_s);

/* A gap of more than three intervals, in either clock, restarts every hold; fast looks are not held
 * to less than three seconds. */
double look_gap_s(const struct settings *settings);
bool clocks_jumped(double step_s, double wall_step_s, double gap_s);

bool process_is_live_runner(const struct process *process);
/* Whether the fresh answer of /api/ps lists the runner: by its blob; unknown where the blobs do not
 * tell. */
enum tri runner_listed(const struct look *look, const struct process *process);
struct runner *history_runner(struct history *history, const struct process *process);
/* The only live runner of the blob; NULL: none, or nobody can tell which. */
const struct process *runner_of_blob(const struct container *container, const char *blob);
/* The listed model of the runner's blob, if the list is fresh and the runner the only one of it. */
const struct model *model_of_runner(const struct look *look, const struct process *process);
/* Nothing happens in the runner, and nothing has for five seconds. */
enum tri runner_rests(const struct look *look, const struct runner *runner);
/* Nobody serves the listed model. One runner whose blob is unknown may be anybody's. */
enum tri model_haunted(const struct look *look, const struct model *model);
struct known_model *history_model(struct history *history, const char *name); /* NULL: none */

/* One look at a running container: takes the facts, then judges by every rule. */
void look_at(const struct config *config, const struct world *world,
             const struct container *container, struct judgement *judgement,
             struct assessment *assessment, struct history *history);

void judge_leak(struct look *look);
void judge_elsewhere(struct look *look);
void judge_runners(struct look *look);
void judge_limit(struct look *look);
void judge_high(struct look *look);
void judge_cache(struct look *look);
void judge_priority(struct look *look); /* after judge_high and judge_unreachable */
/* It is throttled, or about to be, by a verdict of the looks before this one. */
bool look_throttled(const struct look *look);
void judge_single(struct look *look);
void judge_models(struct look *look); /* ghost-, oversize- and idle-model; before judge_stuck */
/* Whether nobody serves the listed model. */
enum tri model_haunted(const struct look *look, const struct model *model);
/* idle-model of one known model. model: as it is listed, NULL if it is not. */
void judge_idle(struct look *look, struct known_model *known, const struct model *model,
                enum tri listed);
void judge_stuck(struct look *look);
void judge_growth(struct look *look);
void judge_oom(struct look *look);
void judge_unreachable(struct look *look);
void judge_budget(struct look *look);
void judge_swap(struct look *look);
void judge_health(struct look *look);

/* What is about one runner or one model, about the others' history: settled as over. */
void clear_stuck(struct look *look, struct runner *runner);
void clear_growth(struct look *look, struct growth *growth, const struct runner *runner);
void clear_models(struct look *look);
/* Each known model's expires_at may be that much earlier than its time is over. */
void models_slip(struct history *history, int64_t ms);
/* A runner was found gone: the kernel may have killed it. */
void oom_runner_gone(struct look *look, const struct runner *runner);

/* What the host's pressure had raised about the container: settled as over. The alert that it was
 * stopped stands on until its next life. */
void clear_relief(struct look *look);
/* What it asked for did not help: others come first for a while. No other rule's ladder climbs for
 * that, because the model may only have been busy. */
void relief_tell_failed(struct history *history, const struct verdict *verdict, double now_s);
void clear_stopped(struct look *look);

/* left.c: stopped-by-us. Its words are copied; since_s is monotonic. */
void left_tell(struct history *history, double since_s, size_t tries, const char *words);
void left_clear(struct look *look);
void judge_left(struct look *look);

/* The levels of pressure: of one container, into its assessment; then of all together. */
void judge_level(struct look *look);
void judge_levels(struct judgement *judgement, const struct host *host,
                  const struct settings *settings);

/* Writes what the runners, or the models too many, had raised as cleared: their life is over. */
void clear_runners(struct look *look);
void clear_surplus(struct look *look);

/* Every hold starts anew: a gap in time, another life. */
void history_reset_holds(struct history *history);
/* Those that led to the remedy which was just carried out: leaks, runners, models. How long a model
 * has been idle goes on: only of the one that the remedy was about ("": none) it begins anew. */
void history_restart(struct history *history, const char *model);
/* The verdict's remedy was not enough for its subject. */
void history_tell_failed(struct history *history, const struct verdict *verdict, double now_s);

#endif
