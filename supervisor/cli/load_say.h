/* What the commands that load models say. */
#ifndef SUPERVISOR_CLI_LOAD_SAY_H
#define SUPERVISOR_CLI_LOAD_SAY_H

#include "act/load.h"
#include "cli/progress.h"
#include <jansson.h>

/* "loaded in 1.2 s; …": one sentence for a person. text: at least 800 bytes. */
const char *load_say(const struct load_report *report, char *text, size_t size);
/* The same with every number; a new reference. */
json_t *load_json(const struct load_report *report);

/* A line or a bar on the terminal; in a log a line every few seconds while the load is under way.
 */
void load_say_progress(struct progress *progress, const struct load_progress *now);

/* --keep-alive: "10m", "forever" or "-1"; absent: as the server has it. -EINVAL with a sentence. */
int load_keep_alive(const char *text, int64_t *ret_keep_alive_s, struct error *err);

#endif
