/* Whether a runner works: by its CPU time, its memory, its state, and the time that Ollama gives
 * its model (docs/judgement.md, "Works"). Pure; private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_WORK_H
#define SUPERVISOR_JUDGE_WORK_H

#include "sense/world.h"

struct work {
    double first_s;  /* since when it is watched, monotonic; < 0: not yet */
    double used_s;   /* when it was last seen to work; < 0: never */
    double cpu_at_s; /* CPU is compared with what it was a second before, or in the last look */
    fact cpu_us;
    fact least_anon, least_file; /* the least since it worked last */
    int64_t expires_ms;          /* of its model; < 0: not known */
};

enum worked { WORKED_UNKNOWN, WORKED, WORKED_NOT };

void work_begin(struct work *work);
/* When it was used last, as far as that was seen; its first sight is a use. */
static inline double work_last_s(const struct work *work)
{
    return work->used_s > work->first_s ? work->used_s : work->first_s;
}
/* One look, in order of time. expires_at: of the model that the runner serves, "" where it is not
 * known. Seen first, it worked: it was being loaded. What it did while nobody looked shows in the
 * next look. */
enum worked work_take(struct work *work, const struct process *process, const char *expires_at,
                      double now_s);

#endif
