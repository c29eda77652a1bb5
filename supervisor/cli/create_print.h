/* What `create` says, for a person and for a program. */
#ifndef SUPERVISOR_CLI_CREATE_PRINT_H
#define SUPERVISOR_CLI_CREATE_PRINT_H

#include "deploy/create.h"

/* The checks with their numbers, then the findings. */
void create_print_checks(const struct create_seen *seen, const struct deploy_plan *plan);
/* What the dry run would ask of the engine, with the ledger. */
void create_print_request(const struct create_result *result);
/* How it ended and what to do next. */
void create_print_end(const struct create_result *result);
/* Everything on one line. */
void create_print_json(const struct create_result *result);

#endif
