#include "cli/cli.h"

int cmd_version(struct cli *cli)
{
    if (cli_has(cli, "json"))
        puts("{\"version\": \"" SUPERVISOR_VERSION "\"}");
    else
        puts("supervisor " SUPERVISOR_VERSION);
    return 0;
}
