/* Models that are wanted (models.pull) and not there are pulled when supervision of their container
 * begins, one at a time and never again. For the daemon. No lock is held: a pull takes hours, and
 * changes nothing that a remedy rests on. docs/judgement.md, "Pulling". */
#ifndef SUPERVISOR_ACT_PULLER_H
#define SUPERVISOR_ACT_PULLER_H

#include "act/healer.h"
#include "base/model_name.h"

struct puller;

enum wanted_pull_state {
    WANTED_PULL_WAITS,   /* for its turn, or (tries > 0) for its next try */
    WANTED_PULL_RUNS,    /* from the first question to the end of the try */
    WANTED_PULL_THERE,   /* it was there, or came from elsewhere */
    WANTED_PULL_DONE,    /* it was pulled */
    WANTED_PULL_GIVEN_UP /* told; a person's turn */
};
extern const char *const wanted_pull_states[]; /* "waits" "runs" "there" "done" "given-up" */

struct wanted_pull {
    char id[CONTAINER_ID_SIZE], container[CONTAINER_NAME_SIZE];
    char model[MODEL_NAME_SIZE];
    enum wanted_pull_state state;
    int tries;           /* that failed */
    bool unwanted;       /* the settings do not have it any more: it goes */
    double due_s;        /* boottime: not tried before */
    fact current, total; /* bytes: of the layers that Ollama has told so far */
    char text[300];      /* why the last try failed; "" */
};

/* progress (may be NULL): of the pull under way, at most every 30 s. NULL when memory is spent. */
struct puller *puller_new(struct healer *healer,
                          void (*progress)(void *userdata, const struct wanted_pull *pull),
                          void *userdata);
void puller_free(struct puller *puller); /* when the flow has ended */

/* After every look's healer_consider. Each try and its end is told as step "pull" of the healer. */
void puller_look(struct puller *puller);
/* Lists are taken anew: what is new in them is wanted too. */
void puller_settings_changed(struct puller *puller);
/* The container in which one is under way; "": none is. puller may be NULL. */
const char *puller_pulling(const struct puller *puller);
/* The daemon ends: the pull under way is ended, and nothing begins. true: it has not ended yet. */
bool puller_end(struct puller *puller);

/* The next one of that container behind `before` (NULL: the first); NULL: there is none. Valid
 * until the loop turns. */
const struct wanted_pull *puller_next(const struct puller *puller, const char *id,
                                      const struct wanted_pull *before);

#endif
