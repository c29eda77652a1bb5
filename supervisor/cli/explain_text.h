/* One container's ledger, its verdicts, and what was ruled out: for a person, and as JSON. */
#ifndef SUPERVISOR_CLI_EXPLAIN_TEXT_H
#define SUPERVISOR_CLI_EXPLAIN_TEXT_H

#include "judge/ledger.h"
#include <jansson.h>
#include <stdio.h>

struct explained {
    const struct container *container;
    struct ledger *ledger;
    const json_t *verdicts; /* of all containers, as `status --json` has them */
    const json_t *seen;     /* the container's own, there: activity, ruled_out */
    size_t samples;         /* of the last hour, from the history: least and most held */
    fact least, most;
};

/* next: it is not the first one. */
void explain_print(const struct explained *explained, bool next, int width, FILE *to);
/* {"name":…,"id":…,"held":…,"ledger":[{"part":…,"held":true,"bytes":…,"from":…,"model":…,"pid":…}],
 * "verdicts":[…],"ruled_out":[{"verdict":…,"why":…}]}; a new reference. */
json_t *explain_json(const struct explained *explained);

#endif
