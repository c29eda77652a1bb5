#include "base/size.h"
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

const struct option_spec options_global[] = {
    {"config", 'c', "FILE", "configuration file; must exist"},
    {"host", 0, "URL", "Docker Engine, unix:///path"},
    {"set", 0, "SETTING=VALUE", "sets section.key; may be repeated"},
    {"state", 0, "DIR", "state directory"},
    {"mode", 0, "MODE", "enforce: heals; observe: only tells; auto"},
    {"help", 'h', NULL, "this text"},
    {"version", 'V', NULL, "the version"},
    {NULL, 0, NULL, NULL},
};

enum { SHOWN_MAX = 64 }; /* of a refused word */

/* Where reading stands. */
struct reader {
    const struct command *command;
    int argc, at; /* at: the next word */
    char **argv;
    struct options *options;
    bool typed; /* what is wrong is passed over */
    struct error *err;
};

static const struct option_spec *find_in(const struct option_spec *list, const char *name,
                                         size_t length, char letter)
{
    for (; list && list->name; list++)
        if (name ? strlen(list->name) == length && strncmp(list->name, name, length) == 0
                 : list->letter == letter)
            return list;
    return NULL;
}

const struct option_spec *option_find(const struct command *command, const char *name,
                                      size_t length, char letter)
{
    const struct option_spec *found = find_in(options_global, name, length, letter);
    return found || !command ? found : find_in(command->options, name, length, letter);
}

static int unknown(const struct reader *reader, const char *word)
{
    enum { KNOWN_MAX = 32 };
    const char *known[KNOWN_MAX];
    const struct option_spec *lists[] = {options_global,
                                         reader->command ? reader->command->options : NULL};
    size_t n = 0, length = strcspn(word, "=");
    char name[SHOWN_MAX + 1], otherwise[MEANT_SIZE];
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct option_spec *o = lists[i]; o && o->name && n < KNOWN_MAX; o++)
            known[n++] = o->name;
    snprintf(name, sizeof(name), "%.*s", (int)(length > SHOWN_MAX ? SHOWN_MAX : length), word);
    const char *command = reader->command ? reader->command->name : "";
    snprintf(otherwise, sizeof(otherwise), "`supervisor help%s%s` lists those that there are",
             *command ? " " : "", command);
    return error_set(reader->err, FAILURE_USAGE, -EINVAL, "unknown option %s: %s", name,
                     MEANT(name + 2, known, n, "did you mean --", otherwise));
}

static int add(const struct reader *reader, const struct option_spec *spec, const char *value)
{
    struct options *options = reader->options;
    if (options->given_n == OPTIONS_MAX)
        return error_set(reader->err, FAILURE_USAGE, -E2BIG, "more than %d options", OPTIONS_MAX);
    options->given[options->given_n].name = spec->name;
    options->given[options->given_n].value = value;
    options->given_n++;
    return 0;
}

/* The option's argument: attached (NULL: nothing is), else the next word. */
static int take(struct reader *reader, const struct option_spec *spec, const char *attached)
{
    const char *next = reader->at < reader->argc ? reader->argv[reader->at] : NULL;
    if (!spec->argument && attached)
        return error_set(reader->err, FAILURE_USAGE, -EINVAL, "--%s takes no argument: \"%.*s\"",
                         spec->name, SHOWN_MAX, attached);
    if (!spec->argument || attached)
        return add(reader, spec, attached);
    if (spec->argument[0] == '[') {
        if (!next || !isdigit((unsigned char)next[0]))
            return add(reader, spec, NULL);
    } else if (reader->typed && !next) {
        reader->options->pending = spec;
        return 0;
    } else if (!next || (next[0] == '-' && next[1] != '\0' && !reader->typed)) {
        return error_set(reader->err, FAILURE_USAGE, -EINVAL, "--%s needs an argument: --%s %s",
                         spec->name, spec->name, spec->argument);
    }
    reader->at++;
    return add(reader, spec, next);
}

static int read_long(struct reader *reader, const char *word)
{
    const char *name = word + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct option_spec *spec = option_find(reader->command, name, length, 0);
    return spec ? take(reader, spec, equals ? equals + 1 : NULL) : unknown(reader, word);
}

/* "-j", "-jw" for two that take no argument, "-oFILE", "-o FILE". */
static int read_short(struct reader *reader, const char *word)
{
    for (const char *c = word + 1; *c != '\0'; c++) {
        const struct option_spec *spec = option_find(reader->command, NULL, 0, *c);
        if (!spec)
            return unknown(reader, (const char[]){'-', *c, '\0'});
        int code = take(reader, spec, spec->argument && c[1] != '\0' ? c + 1 : NULL);
        if (code < 0 || spec->argument)
            return code;
    }
    return 0;
}

static int read_words(struct reader *reader, const struct command *command)
{
    struct options *options = reader->options;
    while (reader->at < reader->argc) {
        char *word = reader->argv[reader->at++];
        int code = 0;
        if (options->only_operands || word[0] != '-' || word[1] == '\0') {
            if (options->operands_n == OPERANDS_MAX)
                return error_set(reader->err, FAILURE_USAGE, -E2BIG, "more than %d words",
                                 OPERANDS_MAX);
            options->operands[options->operands_n++] = word;
            reader->command = command;
            if (!command)
                break;
        } else if (strcmp(word, "--") == 0) {
            options->only_operands = true;
        } else if (word[1] == '-') {
            code = read_long(reader, word);
        } else {
            code = read_short(reader, word);
        }
        if (code < 0 && !reader->typed)
            return code;
    }
    return 0;
}

int options_parse(const struct command *command, int argc, char **argv, struct options *ret_options,
                  struct error *err)
{
    struct options options = {0};
    struct reader reader = {.argc = argc, .argv = argv, .at = 1, .options = &options, .err = err};
    int code = read_words(&reader, command);
    if (code == 0)
        *ret_options = options;
    return code;
}

void options_typed(const struct command *command, int argc, char **argv,
                   struct options *ret_options)
{
    struct reader reader = {
        .argc = argc, .argv = argv, .at = 1, .options = ret_options, .typed = true};
    *ret_options = (struct options){0};
    read_words(&reader, command);
}

bool options_has(const struct options *options, const char *name)
{
    for (size_t i = 0; i < options->given_n; i++)
        if (strcmp(options->given[i].name, name) == 0)
            return true;
    return false;
}

const char *options_value(const struct options *options, const char *name)
{
    for (size_t i = options->given_n; i > 0; i--)
        if (strcmp(options->given[i - 1].name, name) == 0)
            return options->given[i - 1].value;
    return NULL;
}
