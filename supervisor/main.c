/* The command line, handed to one file of cli/. */
#include "base/log.h"
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* Help is never refused, whatever else is wrong with the line. */
static bool wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int check_operands(const struct command *command, const struct options *options,
                          struct error *err)
{
    int n = options->operands_n - 1; /* the first is the command's name */
    if (n < command->operands_min)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "%s needs %s: `supervisor help %s` tells more", command->name,
                         command->operands, command->name);
    if (n > command->operands_max)
        return error_set(err, FAILURE_USAGE, -EINVAL, "%s takes no \"%.64s\": its usage is %s %s",
                         command->name, options->operands[command->operands_max + 1], command->name,
                         command->operands[0] == '\0' ? "[OPTIONS]" : command->operands);
    return 0;
}

static int run_command(struct cli *cli, struct error *err)
{
    int code = check_operands(cli->command, &cli->options, err);
    if (code < 0)
        return cli_fail(err);
    if (!cli->command->no_config) {
        code = cli_config_new(&cli->options, NULL, &cli->config, &cli->config_path, err);
        if (code < 0)
            return cli_fail(err);
        const struct settings *settings = config_settings(cli->config);
        log_configure_named(settings->log_level, settings->log);
    }
    cli->operands = cli->options.operands + 1;
    cli->n_operands = cli->options.operands_n - 1;
    int status = cli->command->function(cli);
    config_free(cli->config);
    return status;
}

static int run(int argc, char **argv)
{
    static struct cli cli; /* large, and there is one */
    struct error err;
    bool help = wants_help(argc, argv);
    int code = options_parse(NULL, argc, argv, &cli.options, &err);
    if (code < 0 && !help)
        return cli_fail(&err);
    const char *name = code == 0 ? cli.options.operands[0] : NULL;
    if (!name && options_has(&cli.options, "version"))
        return cmd_version(&cli);
    if (!name) {
        help_print(help ? stdout : stderr, cli_width());
        return help ? 0 : FAILURE_USAGE;
    }
    cli.command = command_find(name);
    if (!cli.command) {
        command_unknown(name, &err);
        return cli_fail(&err);
    }
    if (help) {
        help_command(cli.command, stdout, cli_width());
        return 0;
    }
    if (options_parse(cli.command, argc, argv, &cli.options, &err) < 0)
        return cli_fail(&err);
    if (options_has(&cli.options, "version"))
        return cmd_version(&cli);
    return run_command(&cli, &err);
}

int main(int argc, char **argv)
{
    /* A reader that goes away (`supervisor status | head`) must not end a heal half way. */
    signal(SIGPIPE, SIG_IGN);
    int status = run(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && status == 0) {
        if (errno != EPIPE)
            fprintf(stderr, "supervisor: standard output cannot be written: %s\n", strerror(errno));
        status = FAILURE_JOB;
    }
    return status;
}
