/* What the files of the table of commands share. */
#ifndef SUPERVISOR_CLI_COMMANDS_H
#define SUPERVISOR_CLI_COMMANDS_H

#include "cli/cli.h"

enum { COMMANDS_DEPLOY_N = 13 };
/* The commands that deploy; one without a function is left out. */
extern const struct command commands_deploy[COMMANDS_DEPLOY_N];

#define END                                                                                        \
    {                                                                                              \
        NULL, 0, NULL, NULL                                                                        \
    }
#define JSON                                                                                       \
    {                                                                                              \
        "json", 0, NULL, "for programs"                                                            \
    }
#define DRY                                                                                        \
    {                                                                                              \
        "dry-run", 0, NULL, "tells what would be done and does nothing"                            \
    }

#endif
