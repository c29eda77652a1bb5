/* supervisor config show|check */
#include "base/http.h"
#include "base/size.h"
#include "cli/cli.h"

#include <string.h>

static int unknown_word(const char *word)
{
    static const char *const words[] = {"show", "check"};
    return cli_refuse(FAILURE_USAGE, "config %.64s is not known: %s", word,
                      MEANT(word, words, 2, "did you mean config ", "there are show and check"));
}

int cmd_config(struct cli *cli)
{
    const char *word = cli->operands[0];
    bool show = strcmp(word, "show") == 0, json = cli_has(cli, "json");
    struct error err;
    if (!show && strcmp(word, "check") != 0)
        return unknown_word(word);
    if ((show && cli->operands[1]) || (!show && json))
        return cli_refuse(FAILURE_USAGE, "config %s takes no %s", word,
                          show ? "FILE: name it by -c" : "--json");
    struct config *config;
    const char *path;
    if (cli_config_new(&cli->options, cli->operands[1], &config, &path, &err) < 0)
        return cli_fail(&err);
    char socket[256];
    int code =
        show ? 0
             : http_unix_path(config_settings(config)->docker_host, socket, sizeof(socket), &err);
    if (code < 0)
        error_wrap(&err, "docker.host");
    else if (show)
        config_print(config, stdout, json);
    else if (path)
        printf("%s: good\n", path);
    else
        printf("no file (%s is not there); environment and command line: good\n", CLI_CONFIG_PATH);
    config_free(config);
    return code < 0 ? cli_fail(&err) : 0;
}
