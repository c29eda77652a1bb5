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
    struct options said;
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
    if (options_parse(line->command, line->n - (line->said.pending ? 1 : 0), line->words, &options,
                      NULL) == 0 &&
        cli_config_new(&options, NULL, &config, NULL, NULL) == 0 &&
        await_new(config, &await, NULL) == 0)
        await_json(await, DOCKER_LIST, "", &list, NULL);
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
    for (int n = line->said.operands_n - 1; n > 0 && text[strcspn(text, " ")] != '\0'; n--)
        text += strcspn(text, " ") + 1;
    text += text[0] == '[';
    if (line->said.operands_n <= line->command->operands_max)
        say_placeholder(line, "", line->last, text, strcspn(text, " ]."));
}

static void say_options(const struct line *line, const struct option_spec *option)
{
    for (; option && option->name; option++) {
        if (options_has(&line->said, option->name) && strcmp(option->name, "set") != 0)
            continue;
        say("--", option->name, -1, option->help);
        if (option->letter)
            say("-", &option->letter, 1, option->help);
    }
}

int cmd_complete(struct cli *cli)
{
    static const struct command unknown = {.name = "", .operands = ""};
    struct line line = {.n = cli->n_operands,
                        .words = cli->options.operands,
                        .last = cli->operands[cli->n_operands - 1]};
    const char *attached = NULL;
    options_typed(NULL, line.n, line.words, &line.said);
    bool spoken = line.said.operands_n > 0;
    if (spoken) {
        line.command = command_find(line.said.operands[0]);
        line.command = line.command ? line.command : &unknown;
        options_typed(line.command, line.n, line.words, &line.said);
    }
    const struct option_spec *option = line.said.pending;
    if (!option && !line.said.only_operands && line.last[0] == '-') {
        char *words[] = {"", "a", (char *)line.last};
        struct options last;
        options_typed(line.command, spoken ? 3 : 2, words + !spoken, &last);
        const char *name = last.given_n > 0 ? last.given[last.given_n - 1].name : "";
        attached = options_value(&last, name); /* "--output=F", "-oF" */
        if (!attached && (line.last[1] != '-' || !strchr(line.last, '='))) {
            say_options(&line, options_global);
            say_options(&line, line.command ? line.command->options : NULL);
        }
        if (!attached)
            return 0;
        option = option_find(line.command, name, strlen(name), 0);
    }
    if (option) {
        char prefix[64];
        snprintf(prefix, sizeof(prefix), "%.*s", attached ? (int)(attached - line.last) : 0,
                 line.last);
        say_placeholder(&line, prefix, attached ? attached : line.last, option->argument,
                        strlen(option->argument));
    } else if (!spoken) {
        say_commands("");
    } else if (line.command != &unknown) {
        say_operand(&line);
    }
    return 0;
}
