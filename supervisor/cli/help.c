/* The help texts, made from the table of commands. */
#include "cli/cli.h"

#include <string.h>

enum { WIDTH_MIN = 40, WIDTH_MAX = 80, LEFT_MAX = 26, LEFT_TEXT = 64 };

/* Words of text, wrapped at width; the first line begins at column `at`, the others at `indent`.
 * Ends the line. */
void help_wrap(FILE *to, const char *text, int at, int indent, int width)
{
    for (bool first = true; *text != '\0'; first = false) {
        int length = (int)strcspn(text, " ");
        if (!first && at + 1 + length > width) {
            fprintf(to, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        fprintf(to, "%s%.*s", first ? "" : " ", length, text);
        at += length + (first ? 0 : 1);
        text += length + (text[length] == ' ');
    }
    fputc('\n', to);
}

/* "  left   text text", the text in a column of its own. */
static void row(FILE *to, const char *left, int left_width, const char *text, int width)
{
    int length = (int)strlen(left), column = left_width + 4;
    fprintf(to, "  %s", left);
    if (length > left_width)
        fprintf(to, "\n%*s", column, "");
    else
        fprintf(to, "%*s", column - 2 - length, "");
    help_wrap(to, text, column, column, width);
}

static void option_left(const struct option_spec *option, char left[static LEFT_TEXT])
{
    char letter[8] = "    ";
    if (option->letter)
        snprintf(letter, sizeof(letter), "-%c, ", option->letter);
    snprintf(left, LEFT_TEXT, "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
             option->argument ? option->argument : "");
}

static void options_print(FILE *to, const char *title, const struct option_spec *options,
                          int left_width, int width)
{
    if (!options || !options->name)
        return;
    fprintf(to, "\n%s\n", title);
    for (; options->name; options++) {
        char left[LEFT_TEXT];
        option_left(options, left);
        row(to, left, left_width, options->help, width);
    }
}

static int options_width(const struct option_spec *options, int least)
{
    for (; options && options->name; options++) {
        char left[LEFT_TEXT];
        option_left(options, left);
        int length = (int)strlen(left);
        if (length > least && length <= LEFT_MAX)
            least = length;
    }
    return least;
}

static int clamp(int width)
{
    return width < WIDTH_MIN ? WIDTH_MIN : width > WIDTH_MAX ? WIDTH_MAX : width;
}

/* Lines of text, each indented by two. */
static void lines(FILE *to, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        fprintf(to, "  %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void help_print(FILE *to, int width)
{
    width = clamp(width);
    size_t n;
    const struct command *const *list = commands(&n);
    int left = 0;
    for (size_t i = 0; i < n; i++)
        if ((int)strlen(list[i]->name) > left)
            left = (int)strlen(list[i]->name);
    fputs("Usage: supervisor [OPTIONS] COMMAND [OPTIONS]\n\n", to);
    help_wrap(to, "Keeps Dockerized Ollama healthy in the memory it has.", 0, 0, width);
    fputs("\nCommands:\n", to);
    for (size_t i = 0; i < n; i++)
        row(to, list[i]->name, left, list[i]->summary, width);
    options_print(to, "Options, before or after the command:", options_global,
                  options_width(options_global, 0), width);
    fputc('\n', to);
    help_wrap(
        to,
        "Every setting has an environment variable, SUPERVISOR_<SECTION>_<KEY>; DOCKER_HOST is "
        "heard too. `supervisor config show` lists them with where they came from.",
        0, 0, width);
    help_wrap(to, "`supervisor help COMMAND` tells more of one.", 0, 0, width);
}

void help_command(const struct command *command, FILE *to, int width)
{
    width = clamp(width);
    int left = options_width(options_global, options_width(command->options, 0));
    fprintf(to, "Usage: supervisor %s%s%s [OPTIONS]\n\n", command->name,
            command->operands[0] == '\0' ? "" : " ", command->operands);
    fprintf(to, "supervisor %s ", command->name);
    help_wrap(to, command->summary, (int)strlen("supervisor ") + (int)strlen(command->name) + 1, 0,
              width);
    if (command->details) {
        fputc('\n', to);
        help_wrap(to, command->details, 0, 0, width);
    }
    options_print(to, "Options:", command->options, left, width);
    options_print(to, "Options of every command:", options_global, left, width);
    if (command->examples) {
        fputs("\nExamples:\n", to);
        lines(to, command->examples);
    }
    fputs("\nExit status:\n", to);
    lines(to, command->exits ? command->exits : "0  done\n1  failed\n");
    lines(to, "2  bad command line or configuration; nothing was changed\n");
    if (!command->no_config)
        lines(to, "3  the engine, the cgroups or the state cannot be reached\n");
}

int cmd_help(struct cli *cli)
{
    if (!cli->operands[0]) {
        help_print(stdout, cli_width());
        return 0;
    }
    const struct command *command = command_find(cli->operands[0]);
    if (!command) {
        struct error err;
        command_unknown(cli->operands[0], &err);
        return cli_fail(&err);
    }
    help_command(command, stdout, cli_width());
    return 0;
}

int cmd_version(struct cli *cli)
{
    if (cli_has(cli, "json"))
        puts("{\"version\": \"" SUPERVISOR_VERSION "\"}");
    else
        puts("supervisor " SUPERVISOR_VERSION);
    return 0;
}
