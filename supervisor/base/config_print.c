/* Every value and where it came from, for people and for programs. */
#include "base/config_layers.h"

#include <jansson.h>
#include <string.h>

static const char *profile_origin(const struct config *config, size_t index, const char *key)
{
    return config_origin_name(config_profile_given(config, index, key) ? ORIGIN_FILE
                                                                       : ORIGIN_BUILTIN);
}

static void print_tiers(const struct config *config, FILE *to)
{
    size_t n;
    const struct tier *tiers = config_tiers(config, &n);
    const char *origin = config_origin_name(config->tiers ? ORIGIN_FILE : ORIGIN_PRESET);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "\n[tier \"%s\"]\nmodels =%s%s  ; %s\n", tiers[i].name,
                tiers[i].models[0] == '\0' ? "" : " ", tiers[i].models, origin);
}

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
    size_t n;
    const struct profile *profiles = config_profiles(config, &n);
    for (size_t i = 0; i < n; i++) {
        fprintf(to, "\n[profile \"%s\"]\n", profiles[i].name);
        for (const char *const *key = profile_keys; *key; key++) {
            char value[PROFILE_TEXT_SIZE];
            profile_format(&profiles[i], *key, value, sizeof(value));
            fprintf(to, "%s =%s%s  ; %s\n", *key, value[0] == '\0' ? "" : " ", value,
                    profile_origin(config, i, *key));
        }
    }
    print_tiers(config, to);
}

static json_t *json_entry(json_t *value, const char *origin)
{
    json_t *entry = json_object();
    json_object_set_new(entry, "value", value);
    json_object_set_new(entry, "origin", json_string(origin));
    return entry;
}

static void add_profiles(json_t *sections, const struct config *config)
{
    size_t n;
    const struct profile *profiles = config_profiles(config, &n);
    for (size_t i = 0; i < n; i++) {
        char name[PROFILE_NAME_SIZE + 16];
        json_t *section = json_object(), *values = profile_json(&profiles[i]), *value;
        const char *key;
        json_object_foreach(values, key, value)
        {
            json_object_set_new(section, key,
                                json_entry(json_incref(value), profile_origin(config, i, key)));
        }
        json_decref(values);
        snprintf(name, sizeof(name), "profile \"%s\"", profiles[i].name);
        json_object_set_new(sections, name, section);
    }
}

static void add_tiers(json_t *sections, const struct config *config)
{
    size_t n;
    const struct tier *tiers = config_tiers(config, &n);
    const char *origin = config_origin_name(config->tiers ? ORIGIN_FILE : ORIGIN_PRESET);
    for (size_t i = 0; i < n; i++) {
        char name[TIER_NAME_SIZE + 16];
        json_t *section = json_object();
        json_object_set_new(section, "models", json_entry(json_string(tiers[i].models), origin));
        snprintf(name, sizeof(name), "tier \"%s\"", tiers[i].name);
        json_object_set_new(sections, name, section);
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
        char variable[SETTING_NAME_MAX];
        json_t *entry = json_entry(setting_json(setting, &config->settings),
                                   config_origin_name((enum config_origin)config->origin[i]));
        json_object_set_new(entry, "environment",
                            json_string(setting_environment(setting, variable)));
        json_object_set_new(section, setting->key, entry);
    }
    add_profiles(sections, config);
    add_tiers(sections, config);
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
