#include "settings.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 64

struct settings settings;

static const struct {
    const char *name;
    size_t offset;
    uint64_t initial;
} table[] = {
#define SETTING(name, initial) {#name, offsetof(struct settings, name), initial}
    SETTING(load_ms, UNSET),
    SETTING(stall_load, 0),
    SETTING(mmap, 0),
    SETTING(amx, 0),
    SETTING(idle_us, UNSET),
    SETTING(tokens_per_s, 50),
    SETTING(prompt_tokens_per_s, 1000),
    SETTING(default_tokens, 64),
    SETTING(cpu_percent, 20),  /* well over what "busy" means (5 %), little for a shared machine */
    SETTING(abandon_ms, 5000), /* seen: 5 s of 30 to 55 % CPU after the client left */
    SETTING(leak_per_request, 0),
    SETTING(cache_per_prompt, UNSET),
    SETTING(cache_bound, UNSET),
    SETTING(hang, 0),
    SETTING(slow_ms, 0),
    SETTING(refuse, 0),
    SETTING(replace_ms, 23000), /* seen on 0.24 */
    SETTING(stuck_unload, 0),
    SETTING(keep_answering, 0),
    SETTING(stop_delay_ms, 0),
    SETTING(ignore_term, 0),
    SETTING(pull_ms, 60000),
    SETTING(pull_fails, 0),
    SETTING(pull_stall, 0),
#undef SETTING
};
#define TABLE_LEN (sizeof table / sizeof table[0])

static uint64_t *slot(struct settings *of, size_t i)
{
    return (uint64_t *)((char *)of + table[i].offset);
}

static int value_from_json(const json_t *value, uint64_t initial, uint64_t *ret)
{
    if (json_is_null(value))
        *ret = initial;
    else if (json_is_boolean(value))
        *ret = json_is_true(value);
    else if (json_is_integer(value) && json_integer_value(value) >= 0)
        *ret = (uint64_t)json_integer_value(value);
    else if (json_is_string(value))
        return bytes_parse(json_string_value(value), ret);
    else
        return -EINVAL;
    return 0;
}

int settings_set(const json_t *object, char *why, size_t why_size)
{
    struct settings next = settings;
    const char *name;
    json_t *value;
    if (!json_is_object(object)) {
        snprintf(why, why_size, "an object of settings is wanted");
        return -EINVAL;
    }
    json_object_foreach((json_t *)object, name, value)
    {
        size_t i = 0;
        while (i < TABLE_LEN && strcmp(table[i].name, name) != 0)
            i++;
        if (i == TABLE_LEN) {
            snprintf(why, why_size, "there is no setting \"%s\"", name);
            return -EINVAL;
        }
        if (value_from_json(value, table[i].initial, slot(&next, i)) < 0) {
            snprintf(why, why_size, "the value of \"%s\" is no number", name);
            return -EINVAL;
        }
    }
    settings = next;
    return 0;
}

json_t *settings_json(void)
{
    json_t *all = json_object();
    for (size_t i = 0; i < TABLE_LEN; i++) {
        uint64_t value = *slot(&settings, i);
        json_object_set_new(all, table[i].name,
                            value == UNSET ? json_null() : json_integer((json_int_t)value));
    }
    return all;
}

void settings_start(void)
{
    for (size_t i = 0; i < TABLE_LEN; i++) {
        char variable[NAME_MAX_LEN] = "SIMOLLAMA_";
        size_t n = strlen(variable);
        for (const char *c = table[i].name; *c && n + 1 < sizeof variable; c++)
            variable[n++] = (char)toupper((unsigned char)*c);
        *slot(&settings, i) = table[i].initial;
        const char *value = getenv(variable);
        if (value && *value && bytes_parse(value, slot(&settings, i)) < 0)
            die("%s=%s is no number", variable, value);
    }
}

int64_t duration_from_environment(const char *variable, int64_t otherwise_ns)
{
    const char *text = getenv(variable);
    char why[128], *end;
    int64_t ns;
    if (!text || !*text)
        return otherwise_ns;
    double seconds = strtod(text, &end);
    if (!*end)
        ns = (int64_t)(seconds * 1e9);
    else if (duration_parse(text, &ns, why, sizeof why) < 0)
        return otherwise_ns;
    return ns < 0 ? KEEP_FOREVER : ns;
}
