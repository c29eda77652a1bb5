/* The ledger as JSON. */
#ifndef SUPERVISOR_JUDGE_LEDGER_JSON_H
#define SUPERVISOR_JUDGE_LEDGER_JSON_H

#include "judge/ledger.h"
#include <jansson.h>

/* {"part":…,"held":true,"bytes":…,"from":…,"model":…,"pid":…,"bound":…,"seen":…,"note":…}: what is
 * unknown is absent, bytes to be subtracted are negative. A new reference. */
json_t *ledger_part_to_json(const struct ledger_part *part);

#endif
