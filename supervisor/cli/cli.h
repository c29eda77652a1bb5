/* The command line: one table of commands (commands.c), from which options are read and help is
 * made. main.c reads the command line and the configuration and calls the command's function. */
#ifndef SUPERVISOR_CLI_CLI_H
#define SUPERVISOR_CLI_CLI_H

#include "base/config.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* One option of a command. */
struct option_spec {
    const char *name; /* "hold": --hold; NULL ends a list */
    char letter;      /* 'o': -o; 0: none */
    const char
        *argument;    /* NULL: takes none. "FILE": must have one ("--output F", "--output=F",
                         "-o F", "-oF"). "[SECONDS]": a number may follow ("--watch 5", "--watch=5") */
    const char *help; /* one line of the help text, at most 48 columns */
};

enum { OPTIONS_MAX = 96, OPERANDS_MAX = 256 }; /* of one command line */

/* What one command line said. Strings point into argv. */
struct options {
    struct {
        const char *name, *value;
    } given[OPTIONS_MAX]; /* in the order of the command line */
    size_t given_n;
    char *operands[OPERANDS_MAX + 1]; /* what is no option, in order; NULL after the last */
    int operands_n;
    bool only_operands;                /* "--" was among them */
    const struct option_spec *pending; /* of options_typed: the last word lacks its argument */
};

struct cli;
typedef int command_function(struct cli *cli);

struct command {
    const char *name, *summary; /* the summary: at most 60 columns */
    const char *operands;       /* "[CONTAINER]", "MODEL..."; "" for none */
    int operands_min, operands_max;
    bool no_config; /* works without a configuration: cli->config is NULL when it is called */
    bool hidden;    /* for the program itself: in no list */
    const struct option_spec *options; /* ends with a NULL name; NULL: none */
    const char *details;               /* paragraphs for the help text */
    const char *examples;              /* one a line, "supervisor ...\n" */
    const char *exits;                 /* "0  healthy\n1  ...\n"; NULL: the usual ones. 2 and, for
                                          those with a configuration, 3 are added */
    command_function *function;
};

/* What a command gets. It returns the exit status: 0, or an enum failure (cli_fail). */
struct cli {
    const struct command *command;
    struct options options;
    char **operands; /* of options, behind the command's name; NULL after the last */
    int n_operands;
    struct config *config;   /* main's; NULL for commands with no_config */
    const char *config_path; /* the file that was read, or NULL where none was: for SIGHUP */
};

/* Every option that the command (NULL: none) and the command line as a whole know. Before the first
 * operand only those of the whole command line; "--" ends the options. -EINVAL: an unknown one (the
 * nearest known one is named), a missing or a superfluous argument. */
int options_parse(const struct command *command, int argc, char **argv, struct options *ret_options,
                  struct error *err);
/* Of a line that is being typed: what is wrong with it is passed over. */
void options_typed(const struct command *command, int argc, char **argv,
                   struct options *ret_options);
bool options_has(const struct options *options, const char *name);
/* The last value given, NULL where it was not given (or, for "[SECONDS]", given without one). */
const char *options_value(const struct options *options, const char *name);

/* By name (length bytes of it), or by letter where name is NULL; of the command (NULL: none) or of
 * the command line as a whole. NULL: there is none. */
const struct option_spec *option_find(const struct command *command, const char *name,
                                      size_t length, char letter);

/* -c, --host, --set, --state, --mode, --help, --version: with any command. */
extern const struct option_spec options_global[];

/* All commands, in the order of the help text. */
const struct command *const *commands(size_t *ret_n);
const struct command *command_find(const char *name);
/* "unknown command "statsu": did you mean status?" */
int command_unknown(const char *name, struct error *err);

/* The file that is read where it exists and -c names no other. */
#define CLI_CONFIG_PATH "/etc/supervisor/supervisor.conf"

/* The configuration as this command line wants it: built-in, environment, file, command line,
 * checked as a whole. path NULL: what -c names, else CLI_CONFIG_PATH where it exists. run calls it
 * again on SIGHUP. ret_path (may be NULL): the file that was read, or NULL. */
int cli_config_new(const struct options *options, const char *path, struct config **ret_config,
                   const char **ret_path, struct error *err);
/* Prints "supervisor: MESSAGE" on stderr; returns the exit status that belongs to it. */
int cli_fail(const struct error *err);
/* The same for a message of one's own. */
int cli_refuse(enum failure failure, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An event of that kind ("released") in the history. Where it cannot be written nothing is said:
 * what was asked for is done all the same. */
void cli_remember(const struct cli *cli, const char *name, const char *kind);

static inline bool cli_has(const struct cli *cli, const char *option)
{
    return options_has(&cli->options, option);
}
/* The container that was named, by the operand or by --container, as the commands have it that are
 * given a model as well; NULL: none. */
const char *cli_container(const struct cli *cli);
static inline const char *cli_value(const struct cli *cli, const char *option)
{
    return options_value(&cli->options, option);
}

void help_print(FILE *to, int width);                                  /* all commands */
void help_command(const struct command *command, FILE *to, int width); /* one of them */

/* Words of text, wrapped at width: the first line goes on at column `at`, the others begin at
 * `indent`. Ends with a newline. */
void help_wrap(FILE *to, const char *text, int at, int indent, int width);

/* Whether colours are wanted on it: a terminal, NO_COLOR unset or empty, TERM neither unset, empty
 * nor "dumb". */
bool cli_colour(FILE *to);
/* Columns of the terminal on stdout, else $COLUMNS, else 80; 20 to 1000. */
int cli_width(void);

/* One for each command. */
command_function cmd_status, cmd_fix_ollama, cmd_run, cmd_enforce, cmd_unload, cmd_load,
    cmd_preload, cmd_optimize, cmd_emergency_restart, cmd_record, cmd_replay, cmd_config,
    cmd_full_optimization, cmd_health, cmd_doctor, cmd_profiles, cmd_create, cmd_events,
    cmd_explain, cmd_release, cmd_adopt, cmd_complete, cmd_completion, cmd_api, cmd_test,
    cmd_probe_memory, cmd_version, cmd_help;

#endif
