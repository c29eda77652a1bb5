/* supervisor complete -- WORDS...: what can stand as the last of them, for the shells
 * (completion.c). One candidate a line, a tab and what it is behind. A first line ":file" or
 * ":directory" has the shell name those, behind a tab the part of the word that is not of their
 * names. It prints nothing where it knows nothing, and ends within a second whatever the engine
 * does. */
#include "base/config_table.h"
#include "base/profile.h"
#include "cli/cli.h"
#include "deploy/await.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* Where the line stands. */
struct line {
    int n;        /* of words, without the last */
    char **words; /* words[0] is no word of the line */
    const char *last;
    const struct command *command;
    int spoken;                        /* words that are no options: the command and its operands */
    const struct option_spec *pending; /* whose argument the last word is */
    bool only_operands;
};

/* length < 0: all of the word. */
static void say(const char *prefix, const char *word, int length, const char *about)
{
    printf("%s%.*s%s%s\n", prefix, length, word, about[0] ? "\t" : "", about);
}

static void say_commands(const char *prefix)
{
    size_t n;
    const struct command *const *list = commands(&n);
    for (size_t i = 0; i < n; i++)
        say(prefix, list[i]->name, -1, list[i]->summary);
}

/* Those parts of "auto|all|none|ID", or of "on off", that are to be written as they stand. */
static void say_literal(const char *prefix, const char *text)
{
    for (size_t length; *text != '\0'; text += length + (text[length] != '\0')) {
        length = strcspn(text, "| ");
        if (islower((unsigned char)text[0]))
            say(prefix, text, (int)length, "");
    }
}

static void say_values(const char *prefix, const struct setting *setting)
{
    say_literal(prefix, setting->type == SETTING_SWITCH   ? "on off"
                        : setting->type == SETTING_CHOICE ? setting->choices
                                                          : "");
}

/* "leak.hold=", behind the = what it can be. */
static void say_settings(const char *prefix, const char *word)
{
    char name[SETTING_NAME_MAX], whole[2 * SETTING_NAME_MAX];
    for (size_t i = 0; i < SETTINGS_N; i++) {
        setting_name(&settings_table[i], name);
        size_t length = strlen(name);
        snprintf(whole, sizeof(whole), "%s%s=", prefix, name);
        if (!strchr(word, '='))
            say(whole, "", 0, settings_table[i].reason);
        else if (strncmp(word, name, length) == 0 && word[length] == '=')
            say_values(whole, &settings_table[i]);
    }
}

static void too_late(int signal_number)
{
    (void)signal_number;
    _exit(0);
}

/* Of the engine that the line means. */
static void say_containers(const char *prefix, struct line *line)
{
    struct config *config = NULL;
    struct await *await = NULL;
    struct options options;
    json_t *list = NULL, *container;
    size_t i;
    signal(SIGALRM, too_late); /* an engine that hangs must not hold up who types */
    alarm(1);
    if (options_parse(line->command, line->n - (line->pending ? 1 : 0), line->words, &options,
                      NULL) == 0 &&
        cli_config_new(&options, NULL, &config, NULL, NULL) == 0 &&
        await_new(config, &await, NULL) == 0)
        await_list(await, &list, NULL);
    json_array_foreach(list, i, container)
    {
        const char *name =
            json_string_value(json_array_get(json_object_get(container, "Names"), 0));
        if (name)
            say(prefix, name + (name[0] == '/'), -1, "");
    }
    json_decref(list);
    await_free(await);
    config_free(config);
}

/* By the placeholder, which the tables use for the same thing everywhere. */
static void say_placeholder(struct line *line, const char *prefix, const char *word,
                            const char *placeholder, size_t length)
{
    char name[64];
    snprintf(name, sizeof(name), "%.*s", (int)length, placeholder);
    if (strchr(name, '|'))
        say_literal(prefix, name);
    else if (strcmp(name, "FILE") == 0)
        printf(":file\t%s\n", prefix);
    else if (strcmp(name, "DIR") == 0)
        printf(":directory\t%s\n", prefix);
    else if (strcmp(name, "CONTAINER") == 0)
        say_containers(prefix, line);
    else if (strcmp(name, "SETTING=VALUE") == 0)
        say_settings(prefix, word);
    else if (strcmp(name, "COMMAND") == 0)
        say_commands(prefix);
    else if (strcmp(name, "MODE") == 0)
        say_values(prefix, &settings_table[setting_find("supervisor", "mode")]);
    for (size_t i = 0; strcmp(name, "PROFILE") == 0 && i < PROFILES_BUILTIN_N; i++)
        say(prefix, profiles_builtin_table[i].name, -1, "");
}

/* "MODEL...", "[FILE]": the one of that number, from 0 on. */
static void say_operand(struct line *line)
{
    const char *text = line->command->operands;
    for (int n = line->spoken - 1; n > 0 && text[strcspn(text, " ")] != '\0'; n--)
        text += strcspn(text, " ") + 1;
    text += text[0] == '[';
    if (line->spoken <= line->command->operands_max)
        say_placeholder(line, "", line->last, text, strcspn(text, " ]."));
}

static bool given(const struct line *line, const struct option_spec *option)
{
    size_t length = strlen(option->name);
    for (int i = 1; i < line->n; i++) {
        const char *word = line->words[i];
        if (word[0] == '-' && word[1] == '-' && strncmp(word + 2, option->name, length) == 0 &&
            (word[2 + length] == '\0' || word[2 + length] == '='))
            return strcmp(option->name, "set") != 0;
    }
    return false;
}

static void say_options(const struct line *line, const struct option_spec *option)
{
    for (; option && option->name; option++) {
        if (given(line, option))
            continue;
        say("--", option->name, -1, option->help);
        if (option->letter)
            say("-", &option->letter, 1, option->help);
    }
}

/* The option that a word of the line is, and what is attached to it: "--output=F", "-oF". */
static const struct option_spec *option_of(const struct line *line, const char *word,
                                           const char **ret_attached)
{
    *ret_attached = NULL;
    if (word[1] == '-') {
        size_t length = strcspn(word + 2, "=");
        if (word[2 + length] == '=')
            *ret_attached = word + length + 3;
        return option_find(line->command, word + 2, length, 0);
    }
    const struct option_spec *option = NULL;
    for (const char *c = word + 1; *c != '\0'; c++) {
        option = option_find(line->command, NULL, 0, *c);
        if (!option || !option->argument)
            continue;
        *ret_attached = c[1] != '\0' ? c + 1 : NULL;
        break;
    }
    return option;
}

static void read_words(struct line *line)
{
    for (int i = 1; i < line->n; i++) {
        const char *word = line->words[i], *attached;
        if (line->only_operands || word[0] != '-' || word[1] == '\0') {
            if (line->spoken++ == 0)
                line->command = command_find(word);
            continue;
        }
        line->only_operands = strcmp(word, "--") == 0;
        const struct option_spec *option =
            line->only_operands ? NULL : option_of(line, word, &attached);
        if (!option || !option->argument || attached)
            continue;
        bool optional = option->argument[0] == '[';
        if (i + 1 == line->n)
            line->pending = optional ? NULL : option;
        else if (!optional || isdigit((unsigned char)line->words[i + 1][0]))
            i++;
    }
}

int cmd_complete(struct cli *cli)
{
    struct line line = {.n = cli->n_operands,
                        .words = cli->options.operands,
                        .last = cli->operands[cli->n_operands - 1]};
    const char *attached = NULL;
    read_words(&line);
    const struct option_spec *option = line.pending;
    if (!option && !line.only_operands && line.last[0] == '-') {
        option = option_of(&line, line.last, &attached);
        if (!attached) {
            say_options(&line, options_global);
            say_options(&line, line.command ? line.command->options : NULL);
            return 0;
        }
    }
    if ((attached && !option) || (option && !option->argument))
        return 0;
    if (option) {
        char prefix[64];
        snprintf(prefix, sizeof(prefix), "%.*s", attached ? (int)(attached - line.last) : 0,
                 line.last);
        say_placeholder(&line, prefix, attached ? attached : line.last, option->argument,
                        strlen(option->argument));
    } else if (line.spoken == 0) {
        say_commands("");
    } else if (line.command) {
        say_operand(&line);
    }
    return 0;
}
