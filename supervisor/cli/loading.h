/* The loader of a command: with what was learned of models, its progress on the terminal, and what
 * the commands that load models say. */
#ifndef SUPERVISOR_CLI_LOADING_H
#define SUPERVISOR_CLI_LOADING_H

#include "act/load.h"
#include "act/wanted.h"
#include "cli/say.h"
#include "cli/task.h"

struct loading {
    struct loader *loader;        /* owned; NULL before loading_begin */
    struct keep_history *history; /* owned; NULL: there is none */
    struct progress progress;
    /* The end of each load; set by the command. */
    void (*done)(void *userdata, const struct load_report *report);
    void *userdata;
};

/* These three are called by the task: before its begin (0 or -ENOMEM); with every event of the
 * healer; at Ctrl-C, to say what Ollama does about the load that is under way. */
int loading_begin(struct loading *loading, struct task *task);
void loading_heal(struct loading *loading, const struct heal_event *event);
void loading_interrupted(struct loading *loading);
void loading_end(struct loading *loading); /* after task_run */

/* "loaded in 1.2 s; …": one sentence for a person. text: at least 800 bytes. */
const char *load_say(const struct load_report *report, char *text, size_t size);
/* The same with every number; a new reference. */
json_t *load_json(const struct load_report *report);
/* --keep-alive: "10m", "forever" or "-1"; absent: as the server has it. -EINVAL with a sentence. */
int load_keep_alive(const char *text, int64_t *ret_keep_alive_s, struct error *err);

/* ---- what is wanted at hand, loaded one after another: the tiers in their order, then what is
 * pinned. Only what fits: nothing is unloaded for it. For the commands preload and
 * emergency-restart. */

enum { PRELOAD_MAX = 256 }; /* rows; of one container TIERS_MAX lists of models and the pins */

struct preload {
    struct task *task;
    struct loading loading;
    struct wanted_model *items; /* owned */
    size_t n, at, short_of;     /* short_of: rows that were refused or failed */
    bool over, row_open, titled;
    json_t *rows; /* owned */
};

/* In a task's begin, whose `loading` is this one's: which models. 0 or -ENOMEM. */
int preload_begin(struct preload *preload, struct task *task, int64_t keep_alive_s);
/* In each look; over is set when all rows are done. */
void preload_look(struct preload *preload);
void preload_end(struct preload *preload); /* after task_run */

#endif
