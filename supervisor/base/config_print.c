/* Every value and where it came from, for people and for programs. */
#include "base/config_layers.h"

#include <jansson.h>
#include <string.h>

static void print_ini(const struct config *config, FILE *to)
{
    const char *section = "";
    for (int i = 0; i < SETTINGS_N; i++) {
        const struct setting *setting = &settings_table[i];
        char value[512];
        if (strcmp(section, setting->section) != 0)
            fprintf(to, "%s[%s]\n", i > 0 ? "\n" : "", setting->section);
        section = setting->section;
        setting_format(setting, &config->settings, value, sizeof(value));
        fprintf(to, "; %s\n%s =%s%s  ; %s\n", setting->reason, setting->key,
                value[0] == '\0' ? "" : " ", value,
                config_origin_name((enum config_origin)config->origin[i]));
    }
}

static json_t *json_value(const struct setting *setting, const struct settings *settings)
{
    const void *value = setting_field(setting, settings);
    if (!setting_is_set(setting, settings))
        return json_null();
    switch (setting->type) {
    case SETTING_SIZE:
    case SETTING_COUNT:
        return json_integer(*(const fact *)value);
    case SETTING_DURATION:
    case SETTING_PERCENT:
        return json_real(*(const double *)value);
    case SETTING_SWITCH:
        return json_boolean(*(const bool *)value);
    default:
        return json_string(value); /* NULL for what is not UTF-8 */
    }
}

static void print_json(const struct config *config, FILE *to)
{
    json_t *sections = json_object();
    for (int i = 0; i < SETTINGS_N; i++) {
        const struct setting *setting = &settings_table[i];
        json_t *section = json_object_get(sections, setting->section);
        if (!section) {
            section = json_object();
            json_object_set_new(sections, setting->section, section);
        }
        json_t *entry = json_object();
        json_object_set_new(entry, "value", json_value(setting, &config->settings));
        json_object_set_new(entry, "origin",
                            json_string(config_origin_name((enum config_origin)config->origin[i])));
        json_object_set_new(section, setting->key, entry);
    }
    json_dumpf(sections, to, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    fputc('\n', to);
    json_decref(sections);
}

void config_print(const struct config *config, FILE *to, bool json)
{
    if (json)
        print_json(config, to);
    else
        print_ini(config, to);
}
