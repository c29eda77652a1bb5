/* The last look as `status --json` prints it: a world (sense/world_json.h) with `verdicts`, and
 * with what the judge and the healer know of it. */
#ifndef SUPERVISOR_TELL_STATE_JSON_H
#define SUPERVISOR_TELL_STATE_JSON_H

#include "act/healer.h"
#include "act/throttler.h"
#include <jansson.h>

struct state { /* all borrowed */
    const struct world *world;
    const struct judgement *judgement;
    const struct healer *healer;       /* NULL: nothing is done */
    const struct throttler *throttler; /* NULL: the same */
};

/* A new reference; NULL when memory is spent. */
json_t *state_to_json(const struct state *state);
/* The same as text, for the caller to free, with the members of `more`. No tree of all of it is
 * made: with hundreds of containers that would be more than what is known of them. */
char *state_to_text(const struct state *state, json_t *more);

#endif
