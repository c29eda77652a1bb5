/* The loader of a command: with what was learned of models, its progress on the terminal, and what
 * the commands that load models say. */
#ifndef SUPERVISOR_CLI_LOADING_H
#define SUPERVISOR_CLI_LOADING_H

#include "act/load.h"
#include "cli/progress.h"
#include "cli/task.h"

struct loading {
    struct loader *loader;        /* owned; NULL before loading_begin */
    struct keep_history *history; /* owned; NULL: there is none */
    struct progress progress;
    /* The end of each load; set by the command. */
    void (*done)(void *userdata, const struct load_report *report);
    void *userdata;
};

/* In a task's begin. 0 or -ENOMEM. */
int loading_begin(struct loading *loading, struct task *task);
/* Every event of the healer. */
void loading_heal(struct loading *loading, const struct heal_event *event);
/* Ctrl-C: what Ollama does about the load that is under way. */
void loading_interrupted(struct loading *loading);
void loading_end(struct loading *loading); /* after task_run */

/* "loaded in 1.2 s; …": one sentence for a person. text: at least 800 bytes. */
const char *load_say(const struct load_report *report, char *text, size_t size);
/* The same with every number; a new reference. */
json_t *load_json(const struct load_report *report);
/* --keep-alive: "10m", "forever" or "-1"; absent: as the server has it. -EINVAL with a sentence. */
int load_keep_alive(const char *text, int64_t *ret_keep_alive_s, struct error *err);

#endif
