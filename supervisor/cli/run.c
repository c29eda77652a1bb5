#include "cli/cli.h"
#include "daemon.h"

static int configure(void *userdata, struct config **ret_config, struct error *err)
{
    struct cli *cli = userdata;
    return cli_config_new(&cli->options, cli->config_path, ret_config, NULL, err);
}

int cmd_run(struct cli *cli)
{
    struct error err = {0};
    struct config *config = cli->config;
    cli->config = NULL; /* the daemon frees it */
    int r = daemon_run(config, configure, cli, &err);
    return r < 0 ? cli_fail(&err) : r;
}
