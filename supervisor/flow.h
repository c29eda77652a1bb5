/* The flow wired to one event loop: sense -> judge -> act. The daemon and the commands differ only
 * in what they do with what it tells. */
#ifndef SUPERVISOR_FLOW_H
#define SUPERVISOR_FLOW_H

#include "act/puller.h"
#include "tell/state_json.h"
#include <jansson.h>

struct flow;

struct flow_options {
    const struct config *config;
    bool act;       /* opens the state directory; without it nothing can be done */
    bool automatic; /* raised verdicts are acted on by themselves (the daemon); else by the caller's
                       word */
    bool repair;    /* the database may be set aside when it is corrupt (the daemon) */
    bool dry_run;
    struct keep_lock *lock; /* the daemon's, borrowed (keep_own); else NULL */
    const char *named;      /* the container that the command line named, or NULL */
    void (*look)(void *userdata, const struct world *world, const struct judgement *judgement);
    void (*note)(void *userdata, enum sense_note note, const struct container *container,
                 const char *text);
    void (*heal)(void *userdata, const struct heal_event *event);
    /* NULL: not told. The state has no room kept for the day when its disk is full. */
    void (*no_room)(void *userdata, const struct error *err);
    /* historian_options.tell: the history stops, goes on, or was begun anew. NULL: not told. */
    void (*history)(void *userdata, const struct error *err, const char *set_aside);
    /* keep_guard_options.tell: what must be remembered cannot be, or can again; and its tell_place.
     * Needed where automatic is set. */
    void (*keep)(void *userdata, const struct error *err, const struct keep_report *report);
    void (*place)(void *userdata, const struct error *err);
    /* puller_new's progress; NULL: not told. */
    void (*pulling)(void *userdata, const struct wanted_pull *pull);
    void *userdata;
};

int flow_new(const struct flow_options *options, struct flow **ret_flow, struct error *err);
/* Turns the loop until flow_stop; returns its status. */
int flow_run(struct flow *flow);
/* The daemon is told to end: nothing new is begun, what is throttled gets back what was taken.
 * true: something is under way; asked until it is not, or patience is over. */
bool flow_wind_up(struct flow *flow);
void flow_stop(struct flow *flow, int status);
void flow_free(struct flow *flow);

uv_loop_t *flow_loop(struct flow *flow);
struct sense *flow_sense(struct flow *flow);
struct healer *flow_healer(struct flow *flow);
struct historian *flow_historian(struct flow *flow); /* NULL: nothing is taken down */
/* The settings of config changed. */
void flow_settings_changed(struct flow *flow);

/* The last look, after one of what changed since; false before the first. */
bool flow_state(struct flow *flow, struct state *ret_state);
/* The last look as `status --json` prints it: a world with `verdicts`. A new reference; NULL before
 * the first look. */
json_t *flow_to_json(struct flow *flow);
/* The same as text, for the caller to free, with the members of `more`. */
char *flow_to_text(struct flow *flow, json_t *more);

#endif
