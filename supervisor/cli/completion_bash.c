/* The completion for bash: two tables as functions, and a part that is always the same. */
#include "base/config_table.h"
#include "cli/completion.h"

#include <string.h>

static void kind_print(FILE *to, const struct value *value)
{
    static const char *const names[] = {[VALUE_NONE] = "",
                                        [VALUE_ANY] = "any",
                                        [VALUE_OPTIONAL] = "optional",
                                        [VALUE_FILE] = "file",
                                        [VALUE_DIRECTORY] = "directory",
                                        [VALUE_WORDS] = "words",
                                        [VALUE_SETTING] = "setting",
                                        [VALUE_CONTAINER] = "container"};
    if (value->kind == VALUE_WORDS)
        fprintf(to, ") kind='words %s' ;;\n", value->words);
    else
        fprintf(to, ") kind='%s' ;;\n", names[value->kind]);
}

/* command: "" for the options of every command. */
static void options_print(FILE *to, const char *command, const struct option_spec *options)
{
    const char *any = command[0] == '\0' ? "*" : "";
    for (; options && options->name; options++) {
        struct value value;
        completion_option(options, &value);
        if (value.kind == VALUE_NONE)
            continue;
        fprintf(to, "  %s'%s --%s'", any, command, options->name);
        if (options->letter)
            fprintf(to, " | %s'%s -%c'", any, command, options->letter);
        kind_print(to, &value);
    }
}

static void flags_print(FILE *to, const struct option_spec *options)
{
    for (const char *space = ""; options && options->name; options++, space = " ")
        fprintf(to, "%s--%s", space, options->name);
}

static void operands_print(FILE *to, const struct command *command)
{
    struct value value;
    for (size_t n = 0; completion_operand(command, n, &value); n++) {
        if (value.repeated)
            fprintf(to, "  '%s '*", command->name);
        else
            fprintf(to, "  '%s %zu'", command->name, n + 1);
        kind_print(to, &value);
    }
}

static void tables_print(FILE *to)
{
    size_t n;
    const struct command *const *list = commands(&n);
    fputs("_supervisor_option() { # COMMAND OPTION: sets kind, what its argument is\n"
          "  case \"$1 $2\" in\n",
          to);
    options_print(to, "", options_global);
    for (size_t i = 0; i < n; i++)
        options_print(to, list[i]->name, list[i]->options);
    fputs("  *) kind= ;;\n  esac\n}\n\n"
          "_supervisor_operand() { # COMMAND NUMBER: sets kind, what that operand is\n"
          "  case \"$1 $2\" in\n",
          to);
    for (size_t i = 0; i < n; i++)
        operands_print(to, list[i]);
    fputs("  *) kind= ;;\n  esac\n}\n\n"
          "_supervisor_flags() { # COMMAND: sets kind, the options that it knows\n  kind='words ",
          to);
    flags_print(to, options_global);
    fputs("'\n  case $1 in\n", to);
    for (size_t i = 0; i < n; i++) {
        if (!list[i]->options || !list[i]->options->name)
            continue;
        fprintf(to, "  %s) kind+=' ", list[i]->name);
        flags_print(to, list[i]->options);
        fputs("' ;;\n", to);
    }
    fputs("  esac\n}\n\n"
          "_supervisor_setting() { # NAME: sets kind, the values that it can have\n"
          "  case $1 in\n",
          to);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        char words[VALUE_WORDS_MAX];
        if (completion_setting(i, words))
            fprintf(to, "  %s.%s) kind='words %s' ;;\n", settings_table[i].section,
                    settings_table[i].key, words);
    }
    fputs("  *) kind=any ;;\n  esac\n}\n\n", to);
}

static const char engine_walk[] =
    "_supervisor() {\n"
    "  local kind='' pending='' command='' operands=0 prefix='' cur word i\n"
    "  local -a line=()\n"
    "  COMPREPLY=()\n"
    "  # bash cuts words at = and at colons: they are put together again.\n"
    "  for ((i = 0; i <= COMP_CWORD; i++)); do\n"
    "    if ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then\n"
    "      line[${#line[@]} - 1]+=${COMP_WORDS[i]}\n"
    "    else\n"
    "      line+=(\"${COMP_WORDS[i]}\")\n"
    "    fi\n"
    "  done\n"
    "  cur=${line[${#line[@]} - 1]}\n"
    "  for ((i = 1; i < ${#line[@]} - 1; i++)); do\n"
    "    word=${line[i]}\n"
    "    if [[ -n $pending ]]; then\n"
    "      pending=''\n"
    "    elif [[ $word == --*=* ]]; then\n"
    "      :\n"
    "    elif [[ $word == -?* ]]; then\n"
    "      _supervisor_option \"$command\" \"$word\"\n"
    "      if [[ $kind != optional ]]; then\n"
    "        pending=$kind\n"
    "      elif [[ ${line[i + 1]} == [0-9]* ]] && ((i + 2 < ${#line[@]})); then\n"
    "        ((i += 1))\n"
    "      fi\n"
    "    elif [[ -z $command ]]; then\n"
    "      command=$word\n"
    "    else\n"
    "      ((operands += 1))\n"
    "    fi\n"
    "  done\n"
    "  if [[ -n $pending ]]; then\n"
    "    kind=$pending\n"
    "  elif [[ $cur == --*=* ]]; then\n"
    "    _supervisor_option \"$command\" \"${cur%%=*}\"\n"
    "    prefix=${cur%%=*}=\n"
    "    cur=${cur#*=}\n"
    "  elif [[ $cur == -* ]]; then\n"
    "    _supervisor_flags \"$command\"\n"
    "  elif [[ -z $command ]]; then\n"
    "    kind=\"words $_supervisor_commands\"\n"
    "  else\n"
    "    _supervisor_operand \"$command\" $((operands + 1))\n"
    "  fi\n"
    "  if [[ $kind == setting && $cur == *=* ]]; then\n"
    "    _supervisor_setting \"${cur%%=*}\"\n"
    "    prefix+=${cur%%=*}=\n"
    "    cur=${cur#*=}\n"
    "  fi\n";

static const char engine_reply[] =
    "  case $kind in\n"
    "  file)\n"
    "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "    compopt -o filenames\n"
    "    ;;\n"
    "  directory)\n"
    "    mapfile -t COMPREPLY < <(compgen -d -- \"$cur\")\n"
    "    compopt -o filenames\n"
    "    ;;\n"
    "  words\\ *) mapfile -t COMPREPLY < <(compgen -W \"${kind#words }\" -- \"$cur\") ;;\n"
    "  setting)\n"
    "    mapfile -t COMPREPLY < <(compgen -S = -W \"$_supervisor_settings\" -- \"$cur\")\n"
    "    compopt -o nospace\n"
    "    ;;\n"
    "  container)\n"
    "    while read -r word; do\n"
    "      [[ $word != \"$cur\"* ]] || COMPREPLY+=(\"$word\")\n"
    "    done < <(timeout 1 docker ps -a --format '{{.Names}}' 2>/dev/null)\n"
    "    ;;\n"
    "  esac\n"
    "  if [[ -n $prefix && $COMP_WORDBREAKS != *=* ]]; then\n"
    "    COMPREPLY=(\"${COMPREPLY[@]/#/$prefix}\")\n"
    "  fi\n"
    "}\n\n"
    "complete -F _supervisor supervisor\n";

void completion_bash(FILE *to)
{
    char words[VALUE_WORDS_MAX];
    completion_commands(words);
    fprintf(to,
            "# bash completion for supervisor: made by `supervisor completion bash`.\n"
            "# shellcheck shell=bash\n\n"
            "_supervisor_commands='%s'\n"
            "_supervisor_settings='",
            words);
    for (size_t i = 0; i < SETTINGS_N; i++)
        fprintf(to, "%s%s.%s", i > 0 ? " " : "", settings_table[i].section, settings_table[i].key);
    fputs("'\n\n", to);
    tables_print(to);
    fputs(engine_walk, to);
    fputs(engine_reply, to);
}
