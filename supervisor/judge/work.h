/* Whether a runner works: by its CPU time, its memory, its state, and the time that Ollama gives
 * its model (docs/judgement.md, "Works"). Pure; private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_WORK_H
#define SUPERVISOR_JUDGE_WORK_H

#include "sense/world.h"

/* How Ollama says how long it keeps a model. */
struct lease {
    int64_t expires_ms; /* wall time */
    double left_s;      /* until then, when the list was asked for */
    double asked_s;     /* when the list was asked for, monotonic */
    double ended_s;     /* when its last request ended, if that had the server's own keep_alive */
};

/* By what its last use is known. */
enum use { USE_START, USE_WORK, USE_LEASE, USE_NONE /* that is known: only our own load */ };

struct work {
    double first_s; /* since when it is watched, monotonic; < 0: not yet */
    double used_s;  /* when it was last seen to work; < 0: never */
    /* Its last use lies between them; its start is one. */
    double from_s, to_s;
    enum use use;
    double cpu_at_s; /* CPU is compared with what it was a second before, or in the last look */
    fact cpu_us;
    fact least_anon, least_file; /* the least since it worked last */
    struct lease lease;          /* as it was last; expires_ms < 0: not known */
    double after_s, leased_s;    /* between which lists it became as it is */
    bool changed; /* between two lists that are near, not before the first; or it is believed */
    bool told;    /* by it the last use is known */
    /* Since when a request is known to be under way in that very model; < 0: none is. It is where
     * it worked after a rest, or a minute after, without a new lease since; or where the lease is
     * new in each list from its first on and always ends in the same time, which the first
     * request's does: of a client in step with the lists that may be so by chance, later or for a
     * while. */
    double request_s;
    bool rested, slides, may_slide;
};

enum worked { WORKED_UNKNOWN, WORKED, WORKED_NOT };

void work_begin(struct work *work);
/* Whether its CPU time tells of work between two looks, also where it is not known. */
bool work_between(fact from_us, double from_s, fact to_us, double to_s);
/* One look, in order of time. lease: of the model that the runner serves, NULL where it is not
 * known; once: its ended_s is believed in the first list too. Seen first, it worked: it was being
 * loaded. What it did while nobody looked shows in the next look. */
enum worked work_take(struct work *work, const struct process *process, const struct lease *lease,
                      bool once, double now_s);
/* The same while what happens in it is our own doing, which is no use. */
enum worked work_take_ours(struct work *work, const struct process *process,
                           const struct lease *lease, bool once, double now_s);

#endif
