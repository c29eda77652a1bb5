/* The JSON form of a world, both ways. Members of our own: `mode_why` of a
 * container, `blob` and `parameters` of a
 * model, `health_exit` and `health_output` of a container (its health check's last run). */
#ifndef SUPERVISOR_SENSE_WORLD_JSON_H
#define SUPERVISOR_SENSE_WORLD_JSON_H

#include "sense/world.h"
#include <jansson.h>

/* A new JSON object (one world, without verdicts); NULL when memory is spent. Unknown facts are
 * absent, FACT_NONE is null. Text that is not UTF-8 (a process may call itself anything) has its
 * foreign bytes replaced by '?'. */
json_t *world_to_json(const struct world *world);

/* For json_dump*: one line; 15 digits, so that 1863.882 is not 1863.8820000000001. */
#define WORLD_JSON_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

enum { WORLD_LINE_MAX = 16 * 1024 * 1024 }; /* bytes of one line that a reader takes */

enum world_line { WORLD_LINE_WORLD, WORLD_LINE_EVENT, WORLD_LINE_FOREIGN };

/* Reads one line (without newline). On WORLD_LINE_WORLD *ret_world is filled (owned by the caller:
 * world_clear); it may be a world that was cleared or one of an earlier call, whose memory is
 * reused. On WORLD_LINE_EVENT, ret_event (size bytes, may be NULL) gets the remark's text, cut to
 * fit. Torn, foreign or wrongly typed, `world` another number than 1, no `monotonic`:
 * WORLD_LINE_FOREIGN. *ret_world is untouched but by a world (and by one for which memory ran out:
 * cleared then, and the line counts as foreign).
 *
 * A member of the wrong type is unknown. What would be taken for less than it is, is unknown as a
 * whole: `processes` with an element that is no process, an answer of Ollama without `models`. */
enum world_line world_from_json(const char *line, size_t length, struct world *ret_world,
                                char *ret_event, size_t event_size);
/* The same of a line that is parsed already; NULL: none. */
enum world_line world_from_tree(const json_t *object, struct world *ret_world, char *ret_event,
                                size_t event_size);

#endif
