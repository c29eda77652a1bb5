/* What the daemon logs of its own memory and locks: flow_options' callbacks of the same names. */
#ifndef SUPERVISOR_DAEMON_LOG_H
#define SUPERVISOR_DAEMON_LOG_H

#include "keep/keep.h"

void daemon_log_no_room(void *userdata, const struct error *err);
void daemon_log_history(void *userdata, const struct error *err, const char *set_aside);
void daemon_log_place(void *userdata, const struct error *err);
void daemon_log_keep(const struct error *err, const struct keep_report *report);

#endif
