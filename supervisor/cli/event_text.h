/* An event of the history as a row of a table and as a JSON line. */
#ifndef SUPERVISOR_CLI_EVENT_TEXT_H
#define SUPERVISOR_CLI_EVENT_TEXT_H

#include "keep/history.h"
#include <stdio.h>

/* Local time, container, what happened with its numbers; wrapped at width. heading: the names of
 * the columns go before it. */
void event_row(const struct history_event *event, bool heading, int width, FILE *to);
/* {"id":…,"time":"…Z","boot":"…","boottime":…,"container":"…","container_id":"…","event":"raised",
 * "verdict":…,"step":…,"text":…,"numbers":{…}}; what is not there is absent. */
void event_json(const struct history_event *event, FILE *to);

#endif
