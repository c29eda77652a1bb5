/* What status shows a person. */
#ifndef SUPERVISOR_CLI_STATUS_TABLE_H
#define SUPERVISOR_CLI_STATUS_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* A world with verdicts (the JSON of `status --json`) as lines. width: columns that may be used (at
 * least 40). What is unknown is shown as "?", what is none as "-". */
void status_table(const json_t *state, FILE *to, int width, bool colour);

#endif
