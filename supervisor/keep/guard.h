/* Watches on a worker that what has to be remembered can be, and tells when that begins and ends.
 */
#ifndef SUPERVISOR_KEEP_GUARD_H
#define SUPERVISOR_KEEP_GUARD_H

#include "keep/keep.h"
#include <uv.h>

struct keep_guard;

struct keep_guard_options {
    uv_loop_t *loop;
    struct keep *keep; /* borrowed */
    /* Once when it goes bad (err), and once when it is good again (err NULL, report empty); and
     * what a repair has cost (err NULL, something in the report). */
    void (*tell)(void *userdata, const struct error *err, const struct keep_report *report);
    /* Once when the host has no place for locks that all supervisors share, and once when it has
     * one again (err NULL). */
    void (*tell_place)(void *userdata, const struct error *err);
    void *userdata;
};

/* The first check is under way when it returns. 0 or -errno. */
int keep_guard_new(const struct keep_guard_options *options, struct keep_guard **ret_guard);
/* With each look: begins the next check where it is due. NULL: nothing. */
void keep_guard_look(struct keep_guard *guard);
/* No check is begun any more; the loop is turned until the last one is over, then it is freed. */
void keep_guard_stop(struct keep_guard *guard);
void keep_guard_free(struct keep_guard *guard);

#endif
