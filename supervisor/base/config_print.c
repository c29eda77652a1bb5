/* Every value and where it came from, for people and for programs. */
#include "base/config_layers.h"

/* A value as it is shown. */
struct shown {
    const char *section; /* as between brackets */
    const char *key, *text;
    json_t *value; /* taken over */
    const char *origin;
    const struct setting *setting; /* NULL: a profile's or a tier's */
};
typedef void show(void *userdata, const struct shown *shown);

static void each_setting(const struct config *config, show *each, void *userdata)
{
    for (int i = 0; i < SETTINGS_N; i++) {
        const struct setting *setting = &settings_table[i];
        char text[512];
        setting_format(setting, &config->settings, text, sizeof(text));
        each(userdata,
             &(struct shown){.section = setting->section,
                             .key = setting->key,
                             .text = text,
                             .value = setting_json(setting, &config->settings),
                             .origin = config_origin_name((enum config_origin)config->origin[i]),
                             .setting = setting});
    }
}

static void each_value(const struct config *config, show *each, void *userdata)
{
    char name[PROFILE_NAME_SIZE + 16], text[PROFILE_TEXT_SIZE];
    size_t n;
    each_setting(config, each, userdata);
    const struct profile *profiles = config_profiles(config, &n);
    for (size_t i = 0; i < n; i++) {
        json_t *values = profile_json(&profiles[i]);
        snprintf(name, sizeof(name), "profile \"%s\"", profiles[i].name);
        for (const char *const *key = profile_keys; *key; key++) {
            bool given = config_profile_given(config, i, *key);
            profile_format(&profiles[i], *key, text, sizeof(text));
            each(userdata, &(struct shown){
                               .section = name,
                               .key = *key,
                               .text = text,
                               .value = json_incref(json_object_get(values, *key)),
                               .origin = config_origin_name(given ? ORIGIN_FILE : ORIGIN_BUILTIN)});
        }
        json_decref(values);
    }
    const struct tier *tiers = config_tiers(config, &n);
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof(name), "tier \"%s\"", tiers[i].name);
        each(userdata, &(struct shown){.section = name,
                                       .key = "models",
                                       .text = tiers[i].models,
                                       .value = json_string(tiers[i].models),
                                       .origin = config_origin_name(
                                           config->tiers ? ORIGIN_FILE : ORIGIN_PRESET)});
    }
}

struct ini {
    FILE *to;
    char section[PROFILE_NAME_SIZE + 16]; /* the last one */
};

static void print_line(void *userdata, const struct shown *shown)
{
    struct ini *ini = userdata;
    if (strcmp(ini->section, shown->section) != 0)
        fprintf(ini->to, "%s[%s]\n", ini->section[0] != '\0' ? "\n" : "", shown->section);
    snprintf(ini->section, sizeof(ini->section), "%s", shown->section);
    if (shown->setting)
        fprintf(ini->to, "; %s\n", shown->setting->reason);
    bool hidden =
        shown->setting && shown->setting->type == SETTING_SECRET && shown->text[0] != '\0';
    fprintf(ini->to, "%s%s =%s%s  ; %s\n", hidden ? ";" : "", shown->key,
            shown->text[0] == '\0' ? "" : " ", shown->text, shown->origin);
    json_decref(shown->value);
}

static void add_member(void *userdata, const struct shown *shown)
{
    json_t *sections = userdata, *section = json_object_get(sections, shown->section);
    if (!section) {
        json_object_set_new(sections, shown->section, json_object());
        section = json_object_get(sections, shown->section);
    }
    char variable[SETTING_NAME_MAX];
    json_t *entry = json_object();
    json_object_set_new(entry, "value", shown->value);
    json_object_set_new(entry, "origin", json_string(shown->origin));
    if (shown->setting)
        json_object_set_new(entry, "environment",
                            json_string(setting_environment(shown->setting, variable)));
    if (shown->setting && shown->setting->label)
        json_object_set_new(entry, "label", json_string(shown->setting->label));
    json_object_set_new(section, shown->key, entry);
}

json_t *config_to_json(const struct config *config)
{
    json_t *sections = json_object();
    each_value(config, add_member, sections);
    return sections;
}

void config_print(const struct config *config, FILE *to, bool json)
{
    if (!json) {
        each_value(config, print_line, &(struct ini){.to = to});
        return;
    }
    json_t *sections = config_to_json(config);
    json_dumpf(sections, to, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    fputc('\n', to);
    json_decref(sections);
}
