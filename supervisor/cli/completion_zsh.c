/* The completion for zsh: specifications for _arguments. */
#include "base/config_table.h"
#include "cli/completion.h"

#include <string.h>

/* Inside single quotes of a specification; special: what must be escaped there besides. */
static void quoted(FILE *to, const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs("'\\''", to);
        else
            fprintf(to, "%s%c", strchr(special, *text) ? "\\" : "", *text);
    }
}

static void action_print(FILE *to, const struct value *value)
{
    switch (value->kind) {
    case VALUE_FILE:
        fputs("_files", to);
        break;
    case VALUE_DIRECTORY:
        fputs("_files -/", to);
        break;
    case VALUE_WORDS:
        fprintf(to, "(%s)", value->words);
        break;
    case VALUE_SETTING:
        fputs("_supervisor_settings", to);
        break;
    case VALUE_CONTAINER:
        fputs("_supervisor_containers", to);
        break;
    default:
        fputc(' ', to); /* only told */
    }
}

/* '(-o --output)'{-o+,--output=}'[help]:FILE:_files' */
static void option_print(FILE *to, const struct option_spec *option, const char *indent)
{
    struct value value;
    completion_option(option, &value);
    bool argument = value.kind != VALUE_NONE;
    const char *repeated = value.kind == VALUE_SETTING ? "*" : "";
    fprintf(to, "%s", indent);
    if (option->letter)
        fprintf(to, "'(-%c --%s)'{-%c%s,--%s%s}'[", option->letter, option->name, option->letter,
                argument ? "+" : "", option->name, argument ? "=" : "");
    else
        fprintf(to, "'%s--%s%s[", repeated, option->name, argument ? "=" : "");
    quoted(to, option->help, "[]\\");
    fputc(']', to);
    if (argument) {
        fputs(value.kind == VALUE_OPTIONAL ? "::" : ":", to);
        quoted(to, value.name, ":\\");
        fputc(':', to);
        action_print(to, &value);
    }
    fputc('\'', to);
}

static void command_print(FILE *to, const struct command *command)
{
    fprintf(to, "  %s)\n    _arguments -s -S : $every", command->name);
    for (const struct option_spec *o = command->options; o && o->name; o++)
        option_print(to, o, " \\\n      ");
    struct value value;
    for (size_t n = 0; completion_operand(command, n, &value); n++) {
        if (value.repeated)
            fputs(" \\\n      '*:", to);
        else
            fprintf(to, " \\\n      '%zu:%s", n + 1, value.optional ? ":" : "");
        quoted(to, value.name, ":\\");
        fputc(':', to);
        action_print(to, &value);
        fputc('\'', to);
    }
    fputs("\n    ;;\n", to);
}

static void settings_print(FILE *to)
{
    fputs("_supervisor_settings() {\n"
          "  if ! compset -P '*='; then\n"
          "    compadd -S = --",
          to);
    for (size_t i = 0; i < SETTINGS_N; i++)
        fprintf(to, " \\\n      %s.%s", settings_table[i].section, settings_table[i].key);
    fputs("\n    return\n  fi\n  case ${${IPREFIX%=}##*=} in\n", to);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        char words[VALUE_WORDS_MAX];
        if (completion_setting(i, words))
            fprintf(to, "  %s.%s) compadd -- %s ;;\n", settings_table[i].section,
                    settings_table[i].key, words);
    }
    fputs("  *) _message value ;;\n  esac\n}\n\n", to);
}

void completion_zsh(FILE *to)
{
    size_t n;
    const struct command *const *list = commands(&n);
    fputs("#compdef supervisor\n"
          "# zsh completion for supervisor: made by `supervisor completion zsh`.\n\n"
          "_supervisor_containers() {\n"
          "  local -a names\n"
          "  names=(${(f)\"$(timeout 1 docker ps -a --format '{{.Names}}' 2>/dev/null)\"})\n"
          "  compadd -a names\n"
          "}\n\n",
          to);
    settings_print(to);
    fputs("_supervisor_commands() {\n  local -a list\n  list=(\n", to);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "    '%s:", list[i]->name);
        quoted(to, list[i]->summary, "\\");
        fputs("'\n", to);
    }
    fputs("  )\n  _describe command list\n}\n\n"
          "_supervisor_arguments() {\n  case $words[1] in\n",
          to);
    for (size_t i = 0; i < n; i++)
        command_print(to, list[i]);
    fputs("  esac\n}\n\n"
          "_supervisor() {\n  local curcontext=$curcontext state state_descr line\n"
          "  local -A opt_args\n  local -a every\n  every=(\n",
          to);
    for (const struct option_spec *o = options_global; o->name; o++) {
        option_print(to, o, "    ");
        fputc('\n', to);
    }
    fputs("  )\n"
          "  _arguments -s -S -C : $every \\\n"
          "    '1:command:_supervisor_commands' \\\n"
          "    '*::argument:_supervisor_arguments'\n"
          "}\n\n"
          /* As a function that is loaded by its name, or sourced. */
          "if [[ $funcstack[1] == _supervisor ]]; then\n"
          "  _supervisor \"$@\"\n"
          "else\n"
          "  compdef _supervisor supervisor\n"
          "fi\n",
          to);
}
