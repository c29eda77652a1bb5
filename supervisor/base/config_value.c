/* One value of a setting: from text, to text. */
#include "base/config_table.h"

#include <ctype.h>
#include <strings.h>

enum {
    SHOWN_MAX = VALUE_SHOWN_MAX,
    CHOICES_MAX = 8,
    WORD_SIZE = 16, /* of a choice */
    TEXT_MAX = 170 /* with its key and its origin it must fit a line of the file: inih's have 200 */
};

static bool is_fact(enum setting_type type)
{
    return type == SETTING_SIZE || type == SETTING_COUNT || type == SETTING_WHOLE ||
           type == SETTING_SWAP;
}

static bool is_real(enum setting_type type)
{
    return type == SETTING_DURATION || type == SETTING_PERCENT || type == SETTING_CPUS;
}

int switch_parse(const char *text, bool *ret_on, struct error *err)
{
    static const char *const words[][2] = {
        {"off", "on"}, {"false", "true"}, {"no", "yes"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        for (int on = 0; on < 2; on++)
            if (strcasecmp(text, words[i][on]) == 0) {
                *ret_on = on;
                return 0;
            }
    return value_refuse(err, -EINVAL, text, "is no switch: write on or off");
}

/* The n'th of words that are separated by spaces; false: there are not so many. */
static bool word_at(const char *words, unsigned n, char word[static WORD_SIZE])
{
    for (; n > 0 && *words != '\0'; n--)
        words += strcspn(words, " ") + (words[strcspn(words, " ")] == ' ');
    snprintf(word, WORD_SIZE, "%.*s", (int)strcspn(words, " "), words);
    return word[0] != '\0';
}

static int parse_choice(const struct setting *setting, const char *text, void *to,
                        struct error *err)
{
    char words[CHOICES_MAX][WORD_SIZE];
    const char *list[CHOICES_MAX];
    unsigned n = 0;
    for (; n < CHOICES_MAX && word_at(setting->choices, n, words[n]); n++) {
        list[n] = words[n];
        if (strcmp(words[n], text) != 0)
            continue;
        if (setting->type == SETTING_WORD)
            *(unsigned *)to = n;
        else
            snprintf(to, setting->size, "%s", text);
        return 0;
    }
    return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s\" is none of: %s%s", SHOWN_MAX, text,
                     setting->choices, MEANT(text, list, n, "; did you mean ", ""));
}

/* Text that can stand in an INI file and in a log. */
static int parse_text(const struct setting *setting, const char *text, char *to, struct error *err)
{
    size_t length = strlen(text);
    size_t most = setting->size - 1 < TEXT_MAX ? setting->size - 1 : TEXT_MAX;
    const char *shown = setting->type == SETTING_SECRET ? SETTING_HIDDEN : text;
    if (length > most)
        return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s...\" is longer than %zu characters",
                         SHOWN_MAX, shown, most);
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)text[i]))
            return value_refuse(err, -EINVAL, shown, "has a control character in it");
        if (i > 0 && text[i] == ';' && text[i - 1] == ' ')
            return value_refuse(err, -EINVAL, shown, "has \" ;\" in it, which begins a comment");
    }
    if (setting->type == SETTING_PATH && text[0] != '/')
        return value_refuse(err, -EINVAL, text, "is not an absolute path: begin it with /");
    if (setting->type == SETTING_SECRET && strcmp(text, SETTING_HIDDEN) == 0)
        return value_refuse(err, -EINVAL, text, "stands for a secret: it is none");
    if (setting->type == SETTING_LABEL && text[strcspn(text, "= ")] != '\0')
        return value_refuse(err, -EINVAL, text,
                            "is not the name of a label: write it without = and a value");
    memcpy(to, text, length + 1);
    return 0;
}

/* A number as people write it, in the setting's own unit; whole numbers are exact. */
static void format_number(enum setting_type type, double value, char *text, size_t size)
{
    if (type == SETTING_SIZE || type == SETTING_SWAP) {
        size_exact((fact)value, text, size);
    } else if (type == SETTING_COUNT) {
        count_exact((fact)value, text, size);
    } else if (type == SETTING_WHOLE) {
        snprintf(text, size, "%.0f", value);
    } else { /* to the billionth, as the parser reads; without idle zeros */
        int length = snprintf(text, size, "%.9f", value);
        if (length < 0 || (size_t)length + 2 > size)
            return;
        while (text[length - 1] == '0')
            length--;
        if (text[length - 1] == '.')
            length--;
        snprintf(text + length, size - (size_t)length, "%s",
                 type == SETTING_PERCENT    ? "%"
                 : type == SETTING_DURATION ? "s"
                                            : "");
    }
}

static int parse_number(const struct setting *setting, const char *text, void *to,
                        struct error *err)
{
    fact whole = 0;
    double value = 0;
    int code;
    if (setting->type == SETTING_WHOLE && text[strspn(text, "0123456789")] != '\0')
        code = value_refuse(err, -EINVAL, text, "is not a whole number");
    else if (setting->type == SETTING_DURATION)
        code = duration_parse(text, &value, err);
    else if (setting->type == SETTING_PERCENT)
        code = percent_parse(text, &value, err);
    else if (setting->type == SETTING_SIZE || setting->type == SETTING_SWAP)
        code = size_parse(text, &whole, err);
    else
        code = count_parse(text, &whole, err);
    if (code < 0)
        return code;
    if (is_fact(setting->type))
        value = (double)whole;
    if (value < setting->min || value > setting->max) {
        char least[48], most[48];
        format_number(setting->type, setting->min, least, sizeof(least));
        format_number(setting->type, setting->max, most, sizeof(most));
        return error_set(err, FAILURE_USAGE, -ERANGE, "\"%.*s\" is out of bounds: %s to %s",
                         SHOWN_MAX, text, least, most);
    }
    if (is_fact(setting->type))
        *(fact *)to = whole;
    else
        *(double *)to = value;
    return 0;
}

static int parse_empty(const struct setting *setting, void *to, struct error *err)
{
    if (!setting->optional)
        return error_set(err, FAILURE_USAGE, -EINVAL, "an empty value%s%s",
                         setting->initial ? "; the built-in one is " : "",
                         setting->initial ? setting->initial : "");
    if (is_fact(setting->type))
        *(fact *)to = setting->unset;
    else if (is_real(setting->type))
        *(double *)to = -1;
    else if (setting->type == SETTING_SWITCH)
        *(bool *)to = false;
    else
        *(char *)to = '\0';
    return 0;
}

int setting_parse(const struct setting *setting, const char *text, void *to, struct error *err)
{
    void *value = (char *)to + setting->offset;
    if (text[0] == '\0')
        return parse_empty(setting, value, err);
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_SECRET:
    case SETTING_PATH:
    case SETTING_LABEL:
        return parse_text(setting, text, value, err);
    case SETTING_CHOICE:
    case SETTING_WORD:
        return parse_choice(setting, text, value, err);
    case SETTING_SWITCH:
        return switch_parse(text, value, err);
    default:
        return parse_number(setting, text, value, err);
    }
}

double setting_number(const struct setting *setting, const void *from)
{
    const void *value = setting_field(setting, from);
    return is_fact(setting->type) ? (double)*(const fact *)value : *(const double *)value;
}

void setting_format(const struct setting *setting, const void *from, char *text, size_t size)
{
    const void *value = setting_field(setting, from);
    char word[WORD_SIZE];
    bool number = is_fact(setting->type) || is_real(setting->type);
    if (number && !(setting_number(setting, from) >= 0))
        text[0] = '\0';
    else if (number)
        format_number(setting->type, setting_number(setting, from), text, size);
    else if (setting->type == SETTING_SWITCH)
        snprintf(text, size, "%s", *(const bool *)value ? "on" : "off");
    else if (setting->type == SETTING_PORT)
        snprintf(text, size, "%u", *(const uint16_t *)value);
    else if (setting->type == SETTING_WORD &&
             word_at(setting->choices, *(const unsigned *)value, word))
        snprintf(text, size, "%s", word);
    else if (setting->type == SETTING_SECRET && *(const char *)value != '\0')
        snprintf(text, size, "%s", SETTING_HIDDEN);
    else
        snprintf(text, size, "%s", (const char *)value);
}

json_t *setting_json(const struct setting *setting, const void *from)
{
    const void *value = setting_field(setting, from);
    char text[512];
    setting_format(setting, from, text, sizeof(text));
    if (text[0] == '\0')
        return json_null();
    if (is_fact(setting->type))
        return json_integer(*(const fact *)value);
    if (is_real(setting->type))
        return json_real(*(const double *)value);
    if (setting->type == SETTING_SWITCH)
        return json_boolean(*(const bool *)value);
    if (setting->type == SETTING_PORT)
        return json_integer(*(const uint16_t *)value);
    return json_string(text); /* NULL for what is not UTF-8 */
}
