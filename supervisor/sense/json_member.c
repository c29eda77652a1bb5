#include "sense/json_member.h"
#include "base/text_clean.h"
#include <math.h>
#include <string.h>

/* Counted over the bytes, before a tree is built of them. */
static bool too_much(const char *text, size_t length, size_t values_max)
{
    size_t values = 0, depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        char byte = text[i];
        if (in_string) {
            if (byte == '\\')
                i++;
            in_string = byte != '"';
            continue;
        }
        in_string = byte == '"';
        values += byte == ',' || byte == ':' || byte == '{' || byte == '[';
        depth += byte == '{' || byte == '[';
        if (depth > ANSWER_DEPTH_MAX || values > values_max)
            return true;
        if ((byte == '}' || byte == ']') && depth > 0)
            depth--;
    }
    return false;
}

json_t *answer_parse(const char *text, size_t length)
{
    return answer_parse_within(text, length, ANSWER_VALUES_MAX);
}

json_t *answer_parse_within(const char *text, size_t length, size_t values_max)
{
    if (too_much(text, length, values_max))
        return NULL;
    json_error_t why;
    json_t *answer = json_loadb(text, length, JSON_ALLOW_NUL, &why);
    if (!answer && json_error_code(&why) == json_error_numeric_overflow)
        answer = json_loadb(text, length, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    return answer;
}

fact member_fact(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    if (json_is_integer(member))
        return json_integer_value(member) >= 0 ? (fact)json_integer_value(member) : FACT_UNKNOWN;
    if (!json_is_real(member))
        return FACT_UNKNOWN;
    double value = json_real_value(member);
    return value >= 0 && value <= 0x1p53 && value == trunc(value) ? (fact)value : FACT_UNKNOWN;
}

fact member_limit(const json_t *object, const char *key)
{
    return json_is_null(json_object_get(object, key)) ? FACT_NONE : member_fact(object, key);
}

fact member_truth(const json_t *object, const char *key)
{
    const json_t *member = json_object_get(object, key);
    return json_is_boolean(member) ? (json_is_true(member) ? 1 : 0) : FACT_UNKNOWN;
}

const char *member_string(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *member_string_or(const json_t *object, const char *key, const char *otherwise)
{
    const char *text = member_string(object, key);
    return text ? text : otherwise;
}

const json_t *member_find(const json_t *list, const char *key, const char *value)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(member_string_or(json_array_get(list, i), key, ""), value) == 0)
            return json_array_get(list, i);
    return NULL;
}

void member_text(const json_t *object, const char *key, char *text, size_t size)
{
    const char *value = member_string(object, key);
    size_t length = value ? strlen(value) : 0;
    text[0] = '\0';
    if (length > 0 && length < size)
        memcpy(text, value, length + 1);
    text_clean(text);
}
