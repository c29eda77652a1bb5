/* The JSON form of a world (WORLD.md), both ways. */
#ifndef SUPERVISOR_SENSE_WORLD_JSON_H
#define SUPERVISOR_SENSE_WORLD_JSON_H

#include "sense/world.h"
#include <jansson.h>

/* A new JSON object (one world, without verdicts); NULL when memory is spent. Unknown facts are
 * absent, FACT_NONE is null. */
json_t *world_to_json(const struct world *world);

enum { WORLD_LINE_MAX = 16 * 1024 * 1024 }; /* bytes of one line that a reader takes */

enum world_line { WORLD_LINE_WORLD, WORLD_LINE_EVENT, WORLD_LINE_FOREIGN };

/* Reads one line (without newline). On WORLD_LINE_WORLD *ret_world is filled (owned by the caller:
 * world_clear); it may be a world that was cleared or one of an earlier call, whose memory is
 * reused. On WORLD_LINE_EVENT, ret_event (size bytes, may be NULL) gets the remark's text. Torn,
 * foreign or wrongly typed: WORLD_LINE_FOREIGN. A member of the wrong type is unknown. Never fails
 * otherwise; memory spent counts as foreign. */
enum world_line world_from_json(const char *line, size_t length, struct world *ret_world,
                                char *ret_event, size_t event_size);

#endif
