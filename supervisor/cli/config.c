/* supervisor config show|check */
#include "base/http.h"
#include "base/size.h"
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

static int unknown_word(const char *word)
{
    static const char *const words[] = {"show", "check"};
    const char *meant = nearest(word, words, sizeof(words) / sizeof(words[0]));
    struct error err;
    error_set(&err, FAILURE_USAGE, -EINVAL, "config %.64s is not known: %s%s", word,
              meant ? "did you mean config " : "there are show and check", meant ? meant : "");
    if (meant)
        strncat(err.message, "?", sizeof(err.message) - strlen(err.message) - 1);
    return cli_fail(&err);
}

int cmd_config(struct cli *cli, int argc, char **argv)
{
    bool show = strcmp(argv[1], "show") == 0, json = options_has(&cli->options, "json");
    struct error err;
    if (!show && strcmp(argv[1], "check") != 0)
        return unknown_word(argv[1]);
    if ((show && argc > 2) || (!show && json)) {
        error_set(&err, FAILURE_USAGE, -EINVAL, "config %s takes no %s", argv[1],
                  show ? "FILE: name it by -c" : "--json");
        return cli_fail(&err);
    }
    struct config *config;
    const char *path;
    if (cli_config_new(&cli->options, argv[2], &config, &path, &err) < 0)
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
