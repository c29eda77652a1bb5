#include "cli/cli.h"

int cmd_version(struct cli *cli, int argc, char **argv)
{
    (void)argc;
    (void)argv;
    if (options_has(&cli->options, "json"))
        puts("{\"version\": \"" SUPERVISOR_VERSION "\"}");
    else
        puts("supervisor " SUPERVISOR_VERSION);
    return 0;
}
