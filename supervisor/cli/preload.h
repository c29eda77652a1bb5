/* What is wanted at hand, loaded one after another: the tiers in their order, then what is pinned
 * (row C14). Only what fits: nothing is unloaded for it. For the commands preload and
 * emergency-restart. */
#ifndef SUPERVISOR_CLI_PRELOAD_H
#define SUPERVISOR_CLI_PRELOAD_H

#include "act/wanted.h"
#include "cli/loading.h"

enum { PRELOAD_MAX = 256 }; /* rows; of one container TIERS_MAX lists of models and the pins */

struct preload {
    struct task *task;
    struct loading loading;
    struct wanted_model *items; /* owned */
    size_t n, at, short_of;     /* short_of: rows that were refused or failed */
    bool over, row_open, titled;
    json_t *rows; /* owned */
};

/* After targets were chosen: which models, and the loader. 0 or -ENOMEM. */
int preload_begin(struct preload *preload, struct task *task, int64_t keep_alive_s);
/* In each look; for each event of the healer: loading_heal. over is set when all rows are done. */
void preload_look(struct preload *preload, const struct world *world,
                  const struct judgement *judgement);
void preload_end(struct preload *preload); /* after task_run */

#endif
