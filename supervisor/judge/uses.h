/* When each model was used last, and by what that is known: of a loaded one what its runner shows,
 * less what our own loads did; of one whose runner went, or was loaded by us since, what was known
 * before. Private to the judge's room, but for struct model_use, which outlives the daemon (keep's
 * history). */
#ifndef SUPERVISOR_JUDGE_USES_H
#define SUPERVISOR_JUDGE_USES_H

#include "judge/work.h"

enum { USES_KEPT = 8 }; /* of one container; beyond it the one used longest ago is forgotten */

struct model_use {
    char model[CONTAINER_NAME_SIZE];
    /* Its last use lies between them, monotonic; from_s is -HUGE_VAL where nobody knows how long
     * ago it may have been. */
    double from_s, to_s;
    enum use use;
    /* Its runner, and how that was when it was looked at last: what is the same when it is found
     * again tells that it was not used meanwhile. Unknown: it has none. */
    fact pid, started_us, cpu_us;
    int64_t expires_ms;
    double seen_s;
    bool earlier;  /* an earlier supervisor's word, not compared with what is found yet */
    bool outdated; /* it was used since; that becomes its last use when it is settled */
};

/* A load of ours: what a model shows meanwhile is no use of it. */
struct own_load {
    char model[CONTAINER_NAME_SIZE];
    double begun_s, ended_s; /* monotonic; ended_s < 0: it is under way */
};
enum { OWN_LOADS_MAX = 16 }; /* of one container, the newest */

struct uses {
    struct model_use *all; /* owned */
    size_t n;
    struct own_load *loads; /* owned */
    size_t n_loads;
    bool told; /* what an earlier supervisor saw */
};
void uses_clear(struct uses *uses);
/* What is remembered of the model; NULL: nothing. */
struct model_use *uses_find(const struct uses *uses, const char *model);

void uses_tell(struct uses *uses, const struct model_use *use);
void uses_tell_loads(struct uses *uses, const struct own_load *loads, size_t n);

struct look;
struct runner;

/* After the runners and models of a look. */
void uses_look(struct look *look);
/* Of a loaded model and its runner. */
struct model_use uses_of(const struct look *look, const char *model, const struct runner *runner);
/* "its load" "its work" "its expires_at" "before our own load". */
const char *use_name(enum use use);

#endif
