/* supervisor completion bash|zsh|fish: what can stand where, read from the tables. */
#include "cli/completion.h"
#include "base/config_table.h"
#include "base/profile.h"
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static void add_word(char words[static VALUE_WORDS_MAX], const char *word, size_t length)
{
    size_t at = strlen(words);
    snprintf(words + at, VALUE_WORDS_MAX - at, "%s%.*s", at > 0 ? " " : "", (int)length, word);
}

void completion_commands(char words[static VALUE_WORDS_MAX])
{
    size_t n;
    const struct command *const *list = commands(&n);
    words[0] = '\0';
    for (size_t i = 0; i < n; i++)
        add_word(words, list[i]->name, strlen(list[i]->name));
}

bool completion_setting(size_t row, char words[static VALUE_WORDS_MAX])
{
    const struct setting *setting = &settings_table[row];
    const char *choices = setting->type == SETTING_SWITCH   ? "on off"
                          : setting->type == SETTING_CHOICE ? setting->choices
                                                            : NULL;
    snprintf(words, VALUE_WORDS_MAX, "%s", choices ? choices : "");
    return choices != NULL;
}

static void profile_words(char words[static VALUE_WORDS_MAX])
{
    for (size_t i = 0; i < PROFILES_BUILTIN_N; i++)
        add_word(words, profiles_builtin_table[i].name, strlen(profiles_builtin_table[i].name));
}

/* "auto|all|none|ID": those that are to be written as they stand. */
static void literal_words(const char *text, char words[static VALUE_WORDS_MAX])
{
    for (size_t length; *text != '\0'; text += length + (text[length] == '|')) {
        length = strcspn(text, "|");
        if (islower((unsigned char)text[0]))
            add_word(words, text, length);
    }
}

static bool is(const struct value *value, const char *name)
{
    return strcmp(value->name, name) == 0;
}

/* By the placeholder's name, which the tables use for the same thing everywhere. */
static void decide(struct value *value)
{
    value->kind = VALUE_ANY;
    if (strchr(value->name, '|')) {
        literal_words(value->name, value->words);
        value->kind = value->words[0] == '\0' ? VALUE_ANY : VALUE_WORDS;
    } else if (is(value, "FILE")) {
        value->kind = VALUE_FILE;
    } else if (is(value, "DIR")) {
        value->kind = VALUE_DIRECTORY;
    } else if (is(value, "CONTAINER")) {
        value->kind = VALUE_CONTAINER;
    } else if (is(value, "SETTING=VALUE")) {
        value->kind = VALUE_SETTING;
    } else if (is(value, "COMMAND")) {
        completion_commands(value->words);
        value->kind = VALUE_WORDS;
    } else if (is(value, "PROFILE")) {
        profile_words(value->words);
        value->kind = VALUE_WORDS;
    } else if (is(value, "MODE")) {
        completion_setting((size_t)setting_find("supervisor", "mode"), value->words);
        value->kind = VALUE_WORDS;
    }
}

void completion_option(const struct option_spec *option, struct value *ret_value)
{
    *ret_value = (struct value){.kind = VALUE_NONE};
    if (!option->argument)
        return;
    size_t length = strlen(option->argument);
    bool optional = option->argument[0] == '[' && option->argument[length - 1] == ']';
    snprintf(ret_value->name, sizeof(ret_value->name), "%.*s", (int)(length - (optional ? 2 : 0)),
             option->argument + (optional ? 1 : 0));
    if (optional)
        ret_value->kind = VALUE_OPTIONAL;
    else
        decide(ret_value);
}

bool completion_operand(const struct command *command, size_t n, struct value *ret_value)
{
    const char *text = command->operands;
    for (; n > 0 && *text != '\0'; n--)
        text += strcspn(text, " ") + (text[strcspn(text, " ")] == ' ');
    size_t length = strcspn(text, " ");
    if (length == 0)
        return false;
    *ret_value = (struct value){.optional = text[0] == '['};
    if (ret_value->optional) {
        text++;
        length = strcspn(text, "]");
    }
    if (length > 3 && strncmp(text + length - 3, "...", 3) == 0) {
        ret_value->repeated = true;
        length -= 3;
    }
    snprintf(ret_value->name, sizeof(ret_value->name), "%.*s", (int)length, text);
    decide(ret_value);
    return true;
}

int cmd_completion(struct cli *cli, int argc, char **argv)
{
    (void)cli, (void)argc;
    static const struct {
        const char *name;
        void (*print)(FILE *to);
    } shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    enum { SHELLS_N = sizeof(shells) / sizeof(shells[0]) };
    const char *names[SHELLS_N];
    for (size_t i = 0; i < SHELLS_N; i++) {
        names[i] = shells[i].name;
        if (strcmp(argv[1], names[i]) == 0) {
            shells[i].print(stdout);
            return 0;
        }
    }
    const char *meant = nearest(argv[1], names, SHELLS_N);
    struct error err;
    error_set(&err, FAILURE_USAGE, -EINVAL, "no completion for \"%.64s\": %s%s%s", argv[1],
              meant ? "did you mean " : "there are bash, zsh and fish", meant ? meant : "",
              meant ? "?" : "");
    return cli_fail(&err);
}
