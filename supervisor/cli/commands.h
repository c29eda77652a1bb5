/* What the files of the table of commands share. */
#ifndef SUPERVISOR_CLI_COMMANDS_H
#define SUPERVISOR_CLI_COMMANDS_H

#include "cli/cli.h"

enum { COMMANDS_DEPLOY_N = 14 };
/* The commands that deploy, and the hidden ones. */
extern const struct command commands_deploy[COMMANDS_DEPLOY_N];
extern const struct option_spec json_options[]; /* --json alone */

/* How a row of the table begins: name, summary, operands and how many of them it takes. */
#define COMMAND(its_name, its_summary, its_operands, least, most)                                  \
    .name = (its_name), .summary = (its_summary), .operands = (its_operands),                      \
    .operands_min = (least), .operands_max = (most)
#define JSON "json", 0, NULL, "for programs"
#define DRY  "dry-run", 0, NULL, "tells what would be done and does nothing"

#endif
