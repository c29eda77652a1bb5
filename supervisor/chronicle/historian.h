/* Takes down what happens into keep's history: looks, notes and the healer's events, on the loop;
 * the writing is a worker's. Samples go in memory first and are written once a minute; events are
 * written when they happen. A history that cannot be written stops, is said once, and comes back by
 * itself. */
#ifndef SUPERVISOR_CHRONICLE_HISTORIAN_H
#define SUPERVISOR_CHRONICLE_HISTORIAN_H

#include "act/healer.h"

struct historian;

struct historian_options {
    uv_loop_t *loop;
    const struct config *config; /* [history], paths.procfs */
    const char *state;           /* directory; outlives the historian */
    /* The daemon takes all down, and may set a corrupt file aside; a command only what it does. */
    bool daemon;
    struct keep *keep; /* borrowed: its directory is written to only while that is ours; or NULL */
    /* Once when it stops (err), once when it goes on (NULL), and when a corrupt file was set aside
     * (set_aside: its new name; else NULL). May be NULL. */
    void (*tell)(void *userdata, const struct error *err, const char *set_aside);
    void *userdata;
};

int historian_new(const struct historian_options *options, struct historian **ret_historian);

void historian_look(struct historian *historian, const struct world *world,
                    const struct judgement *judgement);
void historian_note(struct historian *historian, enum sense_note note,
                    const struct container *container, const char *text);
void historian_heal(struct historian *historian, const struct heal_event *event);

/* Somebody asked for that (`what`: "unload") by the API, or what came of it (over); text says who
 * it was, and how it ended. who: an address with its port, whose repetitions are counted; NULL: an
 * admin, of whom each is written down. */
void historian_asked(struct historian *historian, const char *what, bool over, const char *text,
                     const char *who);

/* Gives what is left to a worker; nothing is taken down after that. Then the loop turned until it
 * is empty; historian_free closes the file. */
void historian_stop(struct historian *historian);
void historian_free(struct historian *historian);

#endif
