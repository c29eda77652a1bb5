/* supervisor completion SHELL: a shim for bash, zsh or fish, which asks `supervisor complete`
 * (complete.c) at every word. The program that stands in the line is the one that is asked. */
#include "base/size.h"
#include "cli/cli.h"

static const char bash[] =
    "# bash completion for supervisor: made by `supervisor completion bash`.\n"
    "# shellcheck shell=bash\n"
    "_supervisor() {\n"
    "  local i cur line kind prefix cut='' breaks=${COMP_WORDBREAKS//[^=:]/} words=() lines=()\n"
    "  # bash cuts words at = and at colons: they are put together, and the cut ones taken off "
    "again.\n"
    "  for ((i = 1; i <= COMP_CWORD; i++)); do\n"
    "    if ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:]* || ${COMP_WORDS[i - 1]} == *[=:] ]]; then\n"
    "      words[${#words[@]} - 1]+=${COMP_WORDS[i]}\n"
    "    else\n"
    "      words+=(\"${COMP_WORDS[i]}\")\n"
    "    fi\n"
    "  done\n"
    "  cur=${words[${#words[@]} - 1]}\n"
    "  [[ -z $breaks ]] || cut=${cur%\"${cur##*[\"$breaks\"]}\"}\n"
    "  mapfile -t lines < <(command \"${COMP_WORDS[0]/#\\~/$HOME}\" complete -- \"${words[@]}\" "
    "2>/dev/null)\n"
    "  IFS=$'\\t' read -r kind prefix <<<\"${lines[0]-}\"\n"
    "  if [[ $kind == :* ]]; then\n"
    "    mapfile -t lines < <(compgen -A \"${kind#:}\" -P \"$prefix\" -- \"${cur#\"$prefix\"}\")\n"
    "    compopt -o filenames\n"
    "  fi\n"
    "  COMPREPLY=()\n"
    "  for line in \"${lines[@]%%$'\\t'*}\"; do\n"
    "    [[ $line != \"$cur\"* ]] || COMPREPLY+=(\"${line#\"$cut\"}\")\n"
    "  done\n"
    "  [[ ${COMPREPLY[*]} != *= ]] || compopt -o nospace\n"
    "}\n"
    "complete -F _supervisor supervisor\n";

static const char zsh[] =
    "#compdef supervisor\n"
    "# zsh completion for supervisor: made by `supervisor completion zsh`.\n"
    "_supervisor() {\n"
    "  local -a lines\n"
    "  lines=(\"${(@f)$(command ${~words[1]} complete -- \"${(@Q)words[2,CURRENT-1]}\" "
    "\"${(Q)PREFIX}\" 2>/dev/null)}\")\n"
    "  case $lines[1] in\n"
    "  :*)\n"
    "    compset -p ${#lines[1]#*$'\\t'}\n"
    "    _files ${${(M)lines[1]:#:d*}:+-/}\n"
    "    ;;\n"
    "  ?*)\n"
    "    lines=(\"${(@)${(@)lines//:/\\\\:}/$'\\t'/:}\")\n"
    "    _describe -t words word lines ${${(M)lines[1]:#*=:*}:+-S} ${${(M)lines[1]:#*=:*}:+''}\n"
    "    ;;\n"
    "  esac\n"
    "}\n"
    "# As a function that is loaded by its name, or sourced.\n"
    "if [[ $funcstack[1] == _supervisor ]]; then\n"
    "  _supervisor \"$@\"\n"
    "else\n"
    "  compdef _supervisor supervisor\n"
    "fi\n";

static const char fish[] =
    "# fish completion for supervisor: made by `supervisor completion fish`.\n"
    "function __supervisor_complete\n"
    "    set -l words (commandline -opc) (commandline -ct)\n"
    "    set -l lines (command $words[1] complete -- $words[2..-1] 2>/dev/null)\n"
    "    set -l kind (string split \\t -- $lines[1])\n"
    "    set -l from (string sub -s (math 1 + (string length -- \"$kind[2]\")) -- \"$words[-1]\")\n"
    "    switch \"$kind[1]\"\n"
    "        case :file\n"
    "            printf \"$kind[2]%s\\n\" (__fish_complete_path \"$from\")\n"
    "        case :directory\n"
    "            printf \"$kind[2]%s\\n\" (__fish_complete_directories \"$from\" '')\n"
    "        case '*'\n"
    "            printf '%s\\n' $lines\n"
    "    end\n"
    "end\n"
    "complete -c supervisor -f -a '(__supervisor_complete)'\n";

int cmd_completion(struct cli *cli)
{
    static const char *const names[] = {"bash", "zsh", "fish"}, *const shims[] = {bash, zsh, fish};
    enum { SHELLS_N = sizeof(names) / sizeof(names[0]) };
    const char *shell = cli->operands[0];
    int at = word_find(names, SHELLS_N, shell);
    if (at < 0)
        return cli_refuse(
            FAILURE_USAGE, "no completion for \"%.64s\": %s", shell,
            MEANT(shell, names, SHELLS_N, "did you mean ", "there are bash, zsh and fish"));
    fputs(shims[at], stdout);
    return 0;
}
