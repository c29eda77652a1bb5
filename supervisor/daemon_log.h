/* What the daemon logs of verdicts, and of its own memory and locks (flow_options' callbacks of the
 * same names). */
#ifndef SUPERVISOR_DAEMON_LOG_H
#define SUPERVISOR_DAEMON_LOG_H

#include "act/puller.h"
#include "base/config.h"
#include "judge/judge.h"
#include "keep/keep.h"

/* One that was raised or cleared in this look. */
void daemon_log_verdict(const struct verdict *verdict);
void daemon_log_no_room(void *userdata, const struct error *err);
void daemon_log_history(void *userdata, const struct error *err, const char *set_aside);
void daemon_log_place(void *userdata, const struct error *err);
void daemon_log_keep(const struct error *err, const struct keep_report *report);
void daemon_log_pulling(void *userdata, const struct wanted_pull *pull);

#endif
