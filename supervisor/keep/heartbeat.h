/* The daemon's sign of life for `supervisor health`: a small file in the state directory, written
 * over in place, which needs no room on a full disk, and locked as long as the daemon lives. */
#ifndef SUPERVISOR_KEEP_HEARTBEAT_H
#define SUPERVISOR_KEEP_HEARTBEAT_H

#include "base/error.h"
#include "base/fact.h"
#include <stdbool.h>

struct heartbeat;

/* Begins DIRECTORY/heartbeat: started, not looked yet. The boot's identity is read below procfs.
 * -ENOSPC: the disk was full before the file was ever made; -EROFS … */
int heartbeat_open(const char *directory, const char *procfs, double interval_s,
                   struct heartbeat **ret_heartbeat, struct error *err);
/* A look was made at now_s (CLOCK_BOOTTIME), the next one follows after interval_s. Most calls
 * write nothing. 0, or -errno of the write. heartbeat may be NULL. */
int heartbeat_beat(struct heartbeat *heartbeat, double now_s, double interval_s);
/* Whether that call would write something, as slowly as the disk is: one for a worker then, during
 * which nobody else uses the heartbeat. */
bool heartbeat_due(const struct heartbeat *heartbeat, double now_s, double interval_s);
/* Says in the file why nothing can be remembered, at once; "": it can. heartbeat may be NULL. */
void heartbeat_forgets(struct heartbeat *heartbeat, const char *why);
/* Says in the file that the daemon ended in good order. */
void heartbeat_close(struct heartbeat *heartbeat);

struct heartbeat_seen {
    bool fresh;
    bool alive;   /* its process holds the file, fresh or not */
    bool missing; /* there is no file: why says which part is not there */
    bool forgets; /* it looks, but what it must remember cannot be kept */
    fact pid;     /* as its own pid namespace has it; unknown where nothing was read */
    double age_s; /* since the last look, or since the start where there was none; < 0 unknown */
    double interval_s, bound_s; /* fresh = younger than bound_s; < 0 unknown */
    char why[320];              /* one sentence, "" if fresh */
};

/* What the file says at now_s (CLOCK_BOOTTIME), of this boot and of a process that still lives. */
void heartbeat_see(const char *directory, const char *procfs, double now_s,
                   struct heartbeat_seen *ret_seen);

#endif
