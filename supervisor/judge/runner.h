/* What the judge remembers of one runner, and what a look says of it. Private to the judge's room.
 */
#ifndef SUPERVISOR_JUDGE_RUNNER_H
#define SUPERVISOR_JUDGE_RUNNER_H

#include "judge/failures.h"
#include "judge/hold.h"
#include "judge/trend.h"
#include "judge/window.h"
#include "judge/work.h"

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
    fact rose_to;               /* what it held rose_to_s, ten seconds ago at most; unknown */
    fact most;                  /* and the most since it began, when that was reached */
    double most_s;
    double rose_to_s, rose_s;   /* and when it had last risen by a MiB above that; < 0: never */
    uint64_t loaded;            /* the server's: which models, by a sum over their names */
    struct condition condition; /* it grows */
    struct trend_slope slope;   /* as it was last found to grow */
};
/* Begins anew with what is held now; what it began with is kept if there is something. */
void growth_forget(struct growth *growth);

/* Since when nothing at all happens in it, though it may: no more CPU time than two ticks a minute,
 * no memory that moves, nothing read from disk; and nobody held it: no debugger, no frozen cgroup,
 * and stopped (state T) all the time or never. */
struct still {
    double from_s, minute_s, known_s; /* < 0: not known */
    const char *unknown;              /* what was not known in the last look; NULL: all was */
    bool stopped;
    fact cpu_us, anon, file, disk_read; /* as last known */
    struct condition condition;
};

struct runner { /* one live runner, by (pid, started_us) */
    fact pid, started_us;
    double first_s;            /* when it was seen first */
    double flat_from_s;        /* since when CPU, anon and file have been flat; < 0 not known */
    fact flat_anon, flat_file; /* what they were then */
    double flat_cpu_at_s;      /* CPU is compared with what it was at most five seconds before */
    fact flat_cpu_us;
    struct work work;   /* what happens in it, and */
    enum worked worked; /* whether it did since the look before */
    struct still still;
    struct window window;
    struct condition conditions[ORPHAN_CONDITIONS];
    const struct process *now; /* as it is in this look; NULL: the processes cannot be seen */
    struct matter own[VERDICT_KINDS];
    fact held;    /* as last seen */
    fact clients; /* of its own port, when connections were last read; unknown */
    fact serve_pid,
        serve_started_us; /* of the server whose child it was last seen to be; unknown */
    char blob[80];
    struct growth growth;
    struct failures failures;
};

enum { RUNNERS_MAX = 64 }; /* of one container; more are not judged */

struct look;
struct history;

bool process_is_live_runner(const struct process *process);
/* Whether the fresh answer of /api/ps lists the runner: by its blob; unknown where the blobs do not
 * tell. */
enum tri runner_listed(const struct look *look, const struct process *process);
/* It is added where it is not known; NULL: there are too many, or memory is spent. */
struct runner *history_runner(struct history *history, const struct process *process);
/* The only live runner of the blob; NULL: none, or nobody can tell which. */
const struct process *runner_of_blob(const struct container *container, const char *blob);
/* The listed model of the runner's blob, if the list is fresh and the runner the only one of it. */
const struct model *model_of_runner(const struct look *look, const struct process *process);
/* Nothing happens in the runner, and nothing has for five seconds. */
enum tri runner_rests(const struct look *look, const struct runner *runner);

#endif
