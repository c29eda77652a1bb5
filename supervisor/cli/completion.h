/* Completion for the shells, made from the table of commands and the table of settings. */
#ifndef SUPERVISOR_CLI_COMPLETION_H
#define SUPERVISOR_CLI_COMPLETION_H

#include "cli/cli.h"

enum value_kind {
    VALUE_NONE,     /* nothing can stand there */
    VALUE_ANY,      /* something that no list can name: a size, a model */
    VALUE_OPTIONAL, /* of an option: a number may follow */
    VALUE_FILE,
    VALUE_DIRECTORY,
    VALUE_WORDS,    /* one of `words` */
    VALUE_SETTING,  /* section.key=value */
    VALUE_CONTAINER /* a container's name, asked of the engine */
};

enum { VALUE_WORDS_MAX = 640 };

struct value {
    enum value_kind kind;
    char words[VALUE_WORDS_MAX]; /* separated by spaces; only of VALUE_WORDS */
    char name[64];               /* of the placeholder without what is around it: "FILE" */
    bool optional, repeated;     /* of operands: "[FILE]", "MODEL..." */
};

/* What an option takes. */
void completion_option(const struct option_spec *option, struct value *ret_value);
/* What the n-th operand of a command is, from 0 on; false: it has no such operand. */
bool completion_operand(const struct command *command, size_t n, struct value *ret_value);
/* The values that a setting can have, separated by spaces, into words; false: no list can name
 * them. row: of settings_table. */
bool completion_setting(size_t row, char words[static VALUE_WORDS_MAX]);
/* The name of every command, separated by spaces. */
void completion_commands(char words[static VALUE_WORDS_MAX]);

/* One script each. */
void completion_bash(FILE *to);
void completion_zsh(FILE *to);
void completion_fish(FILE *to);

#endif
