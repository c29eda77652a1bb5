/* From the command line to the configuration; what is told of a failure; the terminal. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int apply(struct config *config, const char *name, const char *value, struct error *err)
{
    static const struct {
        const char *option, *setting;
    } shorthands[] = {
        {"host", "docker.host"}, {"state", "supervisor.state"}, {"mode", "supervisor.mode"}};
    if (strcmp(name, "set") == 0)
        return config_set(config, value, ORIGIN_COMMAND_LINE, err);
    for (size_t i = 0; i < sizeof(shorthands) / sizeof(shorthands[0]); i++) {
        if (strcmp(name, shorthands[i].option) != 0)
            continue;
        char assignment[512];
        int length =
            snprintf(assignment, sizeof(assignment), "%s=%s", shorthands[i].setting, value);
        if (length < 0 || (size_t)length >= sizeof(assignment))
            return error_set(err, FAILURE_USAGE, -EINVAL, "--%s: its argument is too long", name);
        return config_set(config, assignment, ORIGIN_COMMAND_LINE, err);
    }
    return 0;
}

int cli_config_new(const struct options *options, const char *path, struct config **ret_config,
                   const char **ret_path, struct error *err)
{
    struct config *config;
    int code = config_new(&config, err);
    if (code < 0)
        return code;
    for (size_t i = 0; code == 0 && i < options->given_n; i++)
        code = apply(config, options->given[i].name, options->given[i].value, err);
    if (!path)
        path = options_value(options, "config");
    if (!path && access(CLI_CONFIG_PATH, F_OK) == 0)
        path = CLI_CONFIG_PATH;
    if (code == 0)
        code = path ? config_read_file(config, path, err) : config_check(config, err);
    if (code < 0) {
        config_free(config);
        return code;
    }
    *ret_config = config;
    if (ret_path)
        *ret_path = path;
    return 0;
}

int cli_fail(const struct error *err)
{
    fflush(stdout);
    fprintf(stderr, "supervisor: %s\n", err->message);
    return (int)err->failure;
}

int cli_refuse(enum failure failure, const char *format, ...)
{
    struct error err = {.failure = failure};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err.message, sizeof err.message, format, arguments);
    va_end(arguments);
    return cli_fail(&err);
}

/* ---- what the terminal is and can */

bool cli_colour(FILE *to)
{
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(to)) && (!no_colour || no_colour[0] == '\0') && term && term[0] != '\0' &&
           strcmp(term, "dumb") != 0;
}

int cli_width(void)
{
    enum { WIDTH_USUAL = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };
    long width = 0;
    struct winsize window;
    const char *columns = getenv("COLUMNS");
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0)
        width = window.ws_col;
    if (width <= 0 && columns) {
        char *end;
        width = strtol(columns, &end, 10);
        width = end == columns || *end != '\0' ? 0 : width;
    }
    if (width <= 0)
        return WIDTH_USUAL;
    return (int)(width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width);
}
