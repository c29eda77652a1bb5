/* The loader of a command: with what was learned of models, and with its progress on the terminal.
 */
#ifndef SUPERVISOR_CLI_LOADING_H
#define SUPERVISOR_CLI_LOADING_H

#include "cli/load_say.h"
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

#endif
