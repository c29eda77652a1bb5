/* The last look as `status --json` prints it: a world (sense/world_json.h) with `verdicts`, and
 * with what the judge and the healer know of it. */
#ifndef SUPERVISOR_TELL_STATE_JSON_H
#define SUPERVISOR_TELL_STATE_JSON_H

#include "act/puller.h"
#include <jansson.h>

struct state { /* all borrowed */
    const struct world *world;
    const struct judgement *judgement;
    const struct healer *healer; /* NULL: nothing is done */
    const struct puller *puller; /* NULL: nothing is pulled */
    double suspect_s;            /* suspicions that are younger are not told */
};

/* A new reference; NULL when memory is spent. */
json_t *state_to_json(const struct state *state);
/* The same as text, for the caller to free, with the members of `more`. No tree of all of it is
 * made: with hundreds of containers that would be more than what is known of them. */
char *state_to_text(const struct state *state, json_t *more);

/* Its verdicts that are not cleared, of the host and of all containers, or of one (64-hex id). */
json_t *state_verdicts(const struct state *state, const char *id);
/* What does not stand of a container that runs, and why, as the judge left it. */
json_t *state_ruled_out(const struct assessment *assessment);
/* One verdict of the judgement as there; NULL: it is cleared, or too young a suspicion. */
json_t *state_verdict(const struct state *state, size_t i);

#endif
