/* The completion for fish: one `complete` a line. */
#include "base/config_table.h"
#include "cli/completion.h"

#include <string.h>

static void quoted(FILE *to, const char *text)
{
    fputc('\'', to);
    for (; *text != '\0'; text++)
        fprintf(to, "%s%c", strchr("'\\", *text) ? "\\" : "", *text);
    fputc('\'', to);
}

static void value_print(FILE *to, const struct value *value)
{
    switch (value->kind) {
    case VALUE_FILE:
        fputs(" -F", to);
        break;
    case VALUE_DIRECTORY:
        fputs(" -a '(__fish_complete_directories)'", to);
        break;
    case VALUE_WORDS:
        fprintf(to, " -a '%s'", value->words);
        break;
    case VALUE_SETTING:
        fputs(" -a '(__supervisor_settings)'", to);
        break;
    case VALUE_CONTAINER:
        fputs(" -a '(timeout 1 docker ps -a --format \"{{.Names}}\" 2>/dev/null)'", to);
        break;
    default:
        break;
    }
}

static void option_print(FILE *to, const struct option_spec *option)
{
    struct value value;
    completion_option(option, &value);
    if (option->letter)
        fprintf(to, " -s %c", option->letter);
    fprintf(to, " -l %s", option->name);
    if (value.kind != VALUE_NONE && value.kind != VALUE_OPTIONAL)
        fputs(" -r", to);
    value_print(to, &value);
    fputs(" -d ", to);
    quoted(to, option->help);
    fputc('\n', to);
}

static void command_print(FILE *to, const struct command *command)
{
    fprintf(to, "\ncomplete -c supervisor -n '__supervisor_at \"\"' -a %s -d ", command->name);
    quoted(to, command->summary);
    fputc('\n', to);
    for (const struct option_spec *o = command->options; o && o->name; o++) {
        fprintf(to, "complete -c supervisor -n '__supervisor_at %s'", command->name);
        option_print(to, o);
    }
    struct value value;
    for (size_t n = 0; completion_operand(command, n, &value); n++) {
        if (value.kind == VALUE_ANY)
            continue;
        fprintf(to, "complete -c supervisor -n '__supervisor_at %s", command->name);
        fprintf(to, value.repeated ? "'" : " %zu'", n);
        value_print(to, &value);
        fputc('\n', to);
    }
}

/* Which words take the next one as their argument: "unload --container". */
static void with_argument_print(FILE *to, const char *command, const struct option_spec *options)
{
    for (; options && options->name; options++) {
        struct value value;
        completion_option(options, &value);
        if (value.kind == VALUE_NONE || value.kind == VALUE_OPTIONAL)
            continue;
        fprintf(to, " '%s --%s'", command, options->name);
        if (options->letter)
            fprintf(to, " '%s -%c'", command, options->letter);
    }
}

static void functions_print(FILE *to)
{
    size_t n;
    const struct command *const *list = commands(&n);
    fputs(
        "function __supervisor_at # COMMAND [OPERANDS]: is it the command's turn, after so many?\n"
        "    set -l command ''\n"
        "    set -l operands 0\n"
        "    set -l skip 0\n"
        "    for word in (commandline -opc)[2..-1]\n"
        "        if test $skip = 1\n"
        "            set skip 0\n"
        "            continue\n"
        "        end\n"
        "        switch $word\n"
        "            case '-*'\n"
        "                switch \"$command $word\"\n"
        "                    case",
        to);
    with_argument_print(to, "*", options_global);
    for (size_t i = 0; i < n; i++)
        with_argument_print(to, list[i]->name, list[i]->options);
    fputs("\n"
          "                        set skip 1\n"
          "                end\n"
          "            case '*'\n"
          "                if test -z $command\n"
          "                    set command $word\n"
          "                else\n"
          "                    set operands (math $operands + 1)\n"
          "                end\n"
          "        end\n"
          "    end\n"
          "    test \"$command\" = \"$argv[1]\"\n"
          "    and begin\n"
          "        test (count $argv) = 1\n"
          "        or test $operands = $argv[2]\n"
          "    end\n"
          "end\n\n"
          "function __supervisor_settings\n"
          "    printf '%s\\n'",
          to);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        char words[VALUE_WORDS_MAX];
        if (!completion_setting(i, words)) {
            fprintf(to, " \\\n        %s.%s=", settings_table[i].section, settings_table[i].key);
            continue;
        }
        for (const char *w = words; *w != '\0'; w += strcspn(w, " "), w += *w == ' ')
            fprintf(to, " \\\n        %s.%s=%.*s", settings_table[i].section, settings_table[i].key,
                    (int)strcspn(w, " "), w);
    }
    fputs("\nend\n\n", to);
}

void completion_fish(FILE *to)
{
    size_t n;
    const struct command *const *list = commands(&n);
    fputs("# fish completion for supervisor: made by `supervisor completion fish`.\n\n", to);
    functions_print(to);
    fputs("complete -c supervisor -f\n", to);
    for (const struct option_spec *o = options_global; o->name; o++) {
        fputs("complete -c supervisor", to);
        option_print(to, o);
    }
    for (size_t i = 0; i < n; i++)
        command_print(to, list[i]);
}
