/* One value of a setting: from text, to text. */
#include "base/config_table.h"

#include "base/size.h"
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    SHOWN_MAX = 64, /* of a refused value, in the sentence that refuses it */
    TEXT_MAX = 170 /* with its key and its origin it must fit a line of the file: inih's have 200 */
};

static void *field(const struct setting *setting, struct settings *to)
{
    return (char *)to + setting->offset;
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
    return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s\" is no switch: write on or off",
                     SHOWN_MAX, text);
}

static int parse_choice(const struct setting *setting, const char *text, char *to,
                        struct error *err)
{
    enum { CHOICES_MAX = 8, CHOICE_MAX = 16 };
    char words[CHOICES_MAX][CHOICE_MAX];
    const char *list[CHOICES_MAX];
    size_t n = 0;
    for (const char *c = setting->choices; *c != '\0' && n < CHOICES_MAX;) {
        size_t length = strcspn(c, " ");
        snprintf(words[n], CHOICE_MAX, "%.*s", (int)length, c);
        list[n] = words[n];
        if (strcmp(words[n], text) == 0) {
            snprintf(to, setting->size, "%s", text);
            return 0;
        }
        n++;
        c += length + (c[length] == ' ');
    }
    const char *meant = nearest(text, list, n);
    return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s\" is none of: %s%s%s%s", SHOWN_MAX, text,
                     setting->choices, meant ? "; did you mean " : "", meant ? meant : "",
                     meant ? "?" : "");
}

/* Text that can stand in an INI file and in a log. */
static int parse_text(const struct setting *setting, const char *text, char *to, struct error *err)
{
    size_t length = strlen(text);
    size_t most = setting->size - 1 < TEXT_MAX ? setting->size - 1 : TEXT_MAX;
    if (length > most)
        return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s...\" is longer than %zu characters",
                         SHOWN_MAX, text, most);
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)text[i]))
            return error_set(err, FAILURE_USAGE, -EINVAL, "\"%.*s\" has a control character in it",
                             SHOWN_MAX, text);
        if (i > 0 && text[i] == ';' && text[i - 1] == ' ')
            return error_set(err, FAILURE_USAGE, -EINVAL,
                             "\"%.*s\" has \" ;\" in it, which begins a comment", SHOWN_MAX, text);
    }
    if (setting->type == SETTING_PATH && text[0] != '/')
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s\" is not an absolute path: begin it with /", SHOWN_MAX, text);
    memcpy(to, text, length + 1);
    return 0;
}

/* A number as people write it, in the setting's own unit; whole numbers are exact. */
static void format_number(enum setting_type type, double value, char *text, size_t size)
{
    if (type == SETTING_SIZE) {
        size_exact((fact)value, text, size);
    } else if (type == SETTING_COUNT) {
        count_exact((fact)value, text, size);
    } else { /* to the billionth, as the parser reads; without idle zeros */
        int length = snprintf(text, size, "%.9f", value);
        if (length < 0 || (size_t)length + 2 > size)
            return;
        while (text[length - 1] == '0')
            length--;
        if (text[length - 1] == '.')
            length--;
        text[length] = type == SETTING_PERCENT ? '%' : 's';
        text[length + 1] = '\0';
    }
}

static int parse_number(const struct setting *setting, const char *text, void *to,
                        struct error *err)
{
    fact whole = 0;
    double value = 0;
    int code;
    if (setting->type == SETTING_DURATION)
        code = duration_parse(text, &value, err);
    else if (setting->type == SETTING_PERCENT)
        code = percent_parse(text, &value, err);
    else if (setting->type == SETTING_SIZE)
        code = size_parse(text, &whole, err);
    else
        code = count_parse(text, &whole, err);
    if (code < 0)
        return code;
    bool is_fact = setting->type == SETTING_SIZE || setting->type == SETTING_COUNT;
    if (is_fact)
        value = (double)whole;
    if (value < setting->min || value > setting->max) {
        char least[48], most[48];
        format_number(setting->type, setting->min, least, sizeof(least));
        format_number(setting->type, setting->max, most, sizeof(most));
        return error_set(err, FAILURE_USAGE, -ERANGE, "\"%.*s\" is out of bounds: %s to %s",
                         SHOWN_MAX, text, least, most);
    }
    if (is_fact)
        *(fact *)to = whole;
    else
        *(double *)to = value;
    return 0;
}

int setting_parse(const struct setting *setting, const char *text, struct settings *to,
                  struct error *err)
{
    void *value = field(setting, to);
    if (text[0] == '\0') {
        if (!setting->optional)
            return error_set(err, FAILURE_USAGE, -EINVAL, "an empty value; the built-in one is %s",
                             setting->initial);
        switch (setting->type) {
        case SETTING_SIZE:
        case SETTING_COUNT:
            *(fact *)value = FACT_NONE;
            return 0;
        case SETTING_DURATION:
        case SETTING_PERCENT:
            *(double *)value = -1;
            return 0;
        case SETTING_SWITCH:
            *(bool *)value = false;
            return 0;
        default:
            *(char *)value = '\0';
            return 0;
        }
    }
    switch (setting->type) {
    case SETTING_TEXT:
    case SETTING_PATH:
        return parse_text(setting, text, value, err);
    case SETTING_CHOICE:
        return parse_choice(setting, text, value, err);
    case SETTING_SWITCH:
        return switch_parse(text, value, err);
    default:
        return parse_number(setting, text, value, err);
    }
}

bool setting_is_set(const struct setting *setting, const struct settings *from)
{
    const void *value = setting_field(setting, from);
    switch (setting->type) {
    case SETTING_SIZE:
    case SETTING_COUNT:
        return fact_known(*(const fact *)value);
    case SETTING_DURATION:
    case SETTING_PERCENT:
        return *(const double *)value >= 0;
    case SETTING_SWITCH:
        return true;
    default:
        return *(const char *)value != '\0';
    }
}

void setting_format(const struct setting *setting, const struct settings *from, char *text,
                    size_t size)
{
    const void *value = setting_field(setting, from);
    if (!setting_is_set(setting, from))
        snprintf(text, size, "%s", "");
    else if (setting->type == SETTING_SIZE || setting->type == SETTING_COUNT)
        format_number(setting->type, (double)*(const fact *)value, text, size);
    else if (setting->type == SETTING_DURATION || setting->type == SETTING_PERCENT)
        format_number(setting->type, *(const double *)value, text, size);
    else if (setting->type == SETTING_SWITCH)
        snprintf(text, size, "%s", *(const bool *)value ? "on" : "off");
    else
        snprintf(text, size, "%s", (const char *)value);
}

void setting_copy(const struct setting *setting, struct settings *to, const struct settings *from)
{
    memcpy(field(setting, to), setting_field(setting, from), setting->size);
}
