/* What the judge says: verdicts with their evidence, and what each container is doing. */
#ifndef SUPERVISOR_JUDGE_VERDICT_H
#define SUPERVISOR_JUDGE_VERDICT_H

#include "judge/pressure.h"
#include "sense/world.h"

/* The table of verdicts, in the order in which they are judged and stand in a judgement: of two
 * remedies of one container the first is tried first. Each has a file, judge/rules/NAME.c. */
#define VERDICTS(ROW)                                                                              \
    ROW(IDLE_LEAK, idle_leak)                                                                      \
    ROW(HELD_ELSEWHERE, held_elsewhere)                                                            \
    ROW(ORPHAN_RUNNER, orphan_runner)                                                              \
    ROW(STALLED_LOAD, stalled_load)                                                                \
    ROW(NO_LIMIT, no_limit)                                                                        \
    ROW(LIMIT_DRIFT, limit_drift)                                                                  \
    ROW(HIGH_DRIFT, high_drift)                                                                    \
    ROW(PAGE_CACHE, page_cache)                                                                    \
    ROW(TOO_MANY_MODELS, too_many_models)                                                          \
    ROW(GHOST_MODEL, ghost_model)                                                                  \
    ROW(OVERSIZE_MODEL, oversize_model)                                                            \
    ROW(IDLE_MODEL, idle_model)                                                                    \
    ROW(STUCK_STOPPING, stuck_stopping)                                                            \
    ROW(HUNG_RUNNER, hung_runner)                                                                  \
    ROW(PROMPT_CACHE, prompt_cache)                                                                \
    ROW(GROWTH_LEAK, growth_leak)                                                                  \
    ROW(OOM_KILL, oom_kill)                                                                        \
    ROW(UNREACHABLE, unreachable)                                                                  \
    ROW(LOW_PRIORITY, low_priority)                                                                \
    ROW(OVER_BUDGET, over_budget)                                                                  \
    ROW(SWAP_IN_USE, swap_in_use)                                                                  \
    ROW(BROKEN_HEALTHCHECK, broken_healthcheck)                                                    \
    ROW(STOPPED_BY_US, stopped_by_us)                                                              \
    ROW(THERMAL, thermal)                                                                          \
    ROW(HOST_PRESSURE, host_pressure)

enum verdict_kind {
#define ROW(KIND, name) VERDICT_##KIND,
    VERDICTS(ROW)
#undef ROW
        VERDICT_KINDS
};

enum verdict_state {
    VERDICT_SUSPECT,
    VERDICT_RAISED,
    VERDICT_CLEARED /* listed once, in the look that ends it */
};

enum remedy {
    REMEDY_NONE,
    REMEDY_UNLOAD,
    REMEDY_KILL_RUNNER,
    REMEDY_RESTART,
    REMEDY_LIMIT,
    REMEDY_RECLAIM,
    REMEDY_HIGH,
    REMEDY_THROTTLE,
    REMEDY_FLUSH, /* all models at once, without waiting for answers */
    REMEDY_STOP,
    REMEDY_WAIT /* of a ladder only: nothing yet, it may pass by itself; no verdict has it */
};
enum { REMEDIES = REMEDY_WAIT + 1 };

enum severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL };

enum unit { UNIT_BYTES, UNIT_SECONDS, UNIT_PERCENT, UNIT_COUNT, UNIT_BYTES_PER_SECOND };

enum { EVIDENCE_MAX = 14 };

struct evidence {
    const char *name; /* static */
    enum unit unit;
    double value; /* bytes are exact below 2^53 */
};

/* Why something is so, for a person; all zero: nothing was said. */
struct reason {
    const char *text;   /* static; each @ in it stands for the next of the numbers */
    const char *detail; /* static, behind a colon; NULL: none */
    struct number {
        enum unit unit : 8;
        double value;
    } __attribute__((packed)) numbers[3]; /* there are many of these */
    bool unknown;                         /* the text names what is not known */
    unsigned
        near; /* how many other conditions were true: of several subjects, whose reason it is */
};
struct verdict {
    /* Of the container; all "" for a verdict about the host. */
    char id[CONTAINER_ID_SIZE], name[CONTAINER_NAME_SIZE], started_at[48];
    enum container_mode mode;
    enum verdict_kind kind;
    enum verdict_state state;
    enum severity severity;
    bool changed;    /* state differs from the last look's, or a remedy came to it */
    bool confirmed;  /* raised, and every condition was known and true in this very look */
    double since_s;  /* monotonic: when the last of its conditions became true */
    double raised_s; /* monotonic: when it was raised; < 0: it is not */
    double hold_s;
    enum remedy remedy;
    enum remedy failed; /* the step of its ladder before the remedy: it was carried out and was not
                           enough; none */
    fact pid, started_us;            /* subject: a runner, else unknown */
    char model[CONTAINER_NAME_SIZE]; /* subject: a model, else "" */
    char blob[80];     /* of the model whose remedies are counted (judge/deeds.h), else "" */
    char why[256];     /* one sentence for a person */
    char missing[128]; /* what is unknown, "" if nothing is */
    struct evidence evidence[EVIDENCE_MAX];
    size_t n_evidence;
};

enum activity {
    ACTIVITY_UNKNOWN,
    ACTIVITY_STOPPED,
    ACTIVITY_IDLE,
    ACTIVITY_LOADED,
    ACTIVITY_LOADING,
    ACTIVITY_BUSY
};

/* What one container is doing, whether or not there is a verdict. */
struct assessment {
    char id[CONTAINER_ID_SIZE];
    enum activity activity;
    char why[128]; /* "cpu 43 %", "receiving 3.1 MiB/s", "the answer of /api/ps is 9 s old" … */
    fact held, baseline,
        floor; /* floor: the lowest limit that may be set (docs/judgement.md, acting 5) */
    fact learned_baseline;      /* in this life, as far as it is; unknown */
    fact held_with_model;       /* the most ever held with a model loaded, as far as seen */
    fact serve_held, threshold; /* the server's own, and how far above the baseline is a leak */
    size_t live_runners;        /* runners alive, listed or not */
    size_t unlisted_runners;    /* those of them that the list does not name, as far as it tells */
    bool answered;              /* /api/ps said something about now */
    bool not_busy;              /* known: for five seconds it has neither computed nor received */
    fact models_held;           /* by its live runners */
    enum pressure_level level;  /* of held against the limit, of its models against their budget;
                                   unknown without any */
    bool leaks_in_use;      /* the server itself holds what makes a leak, whoever uses it: all of
                               idle-leak but that nothing is loaded, busy or connected */
    bool wants_connections; /* every other condition of a verdict holds: read the connections with
                               the next sample */
    /* Of it, or of the host: 1 << kind of what stands or is suspected, and why the others do not,
     * as the very conditions say that were judged. */
    uint32_t stands;
    struct reason why_not[VERDICT_KINDS];
    /* When its models were used last (judge/uses.h), as it is remembered: the judge's. */
    const struct uses *uses; /* NULL: it does not run */
};

enum { JUDGEMENT_VERDICTS_MAX = 8192 };

struct judgement {
    struct verdict *verdicts;
    size_t n_verdicts, cap_verdicts;
    struct assessment *assessments; /* one for each container of the world, in its order */
    size_t n_assessments, cap_assessments;
    enum pressure_level host_level;
    fact models_held, models_budget; /* by all runners; FACT_NONE: no budget is set */
    enum pressure_level models_level;
    enum pressure_level level; /* all of them together */
};

void judgement_clear(struct judgement *judgement); /* frees; leaves it empty */

/* The first verdict of that container (64-hex id) and kind; any kind with VERDICT_KINDS. NULL if
 * there is none or it was cleared. */
const struct verdict *judgement_find(const struct judgement *judgement, const char *id,
                                     enum verdict_kind kind);
const struct assessment *judgement_assessment(const struct judgement *judgement, const char *id);

/* Why a verdict of that kind does not stand: one clause without a full stop. "": it does, or the
 * container does not run. Returns text. */
const char *why_not(const struct assessment *assessment, enum verdict_kind kind, char *text,
                    size_t size);

const char *verdict_kind_name(enum verdict_kind kind);    /* "idle-leak" … */
const char *verdict_state_name(enum verdict_state state); /* "suspect" "raised" "cleared" */
const char *remedy_name(enum remedy remedy); /* "none" "unload" "kill-runner" "restart" "limit"
                                                "reclaim" "high" "throttle" "flush" "stop" "wait" */
const char *severity_name(enum severity severity); /* "info" "warning" "critical" */
const char *activity_name(enum activity activity);

/* Adds a number to the evidence; unknown facts and what exceeds EVIDENCE_MAX are left out. */
void verdict_add(struct verdict *verdict, const char *name, enum unit unit, double value);
void verdict_add_fact(struct verdict *verdict, const char *name, enum unit unit, fact value);
/* The evidence's value, or -1. */
double verdict_evidence(const struct verdict *verdict, const char *name);

#endif
