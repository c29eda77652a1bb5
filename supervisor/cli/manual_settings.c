/* What the manual says of the settings. */
#include "base/config_table.h"
#include "base/profile.h"
#include "cli/manual.h"

#include <string.h>

static void setting_print(FILE *to, const struct setting *setting)
{
    char name[SETTING_NAME_MAX], rule[SETTING_NAME_MAX];
    roff_tag(to, setting_name(setting, name),
             setting->initial[0] == '\0' ? NULL : setting->initial);
    roff_prose(to, setting->reason);
    if (setting->label) {
        snprintf(rule, sizeof(rule), "Label `%s`.", setting->label);
        fputs(".br\n", to);
        roff_prose(to, rule);
    }
}

static void presets_print(FILE *to)
{
    fputs(".PP\nWhat the presets set otherwise:\n", to);
    for (const struct preset *p = presets_table; p->name; p++) {
        char text[128];
        snprintf(text, sizeof(text), "%s.%s = %s", p->section, p->key, p->value);
        roff_tag(to, p->name, text);
        fputs("\\&\n", to);
    }
}

static void profiles_print(FILE *to)
{
    fputs(".SS [profile \\(dqNAME\\(dq]\n", to);
    roff_prose(
        to, "Changes a built-in profile of `supervisor create` or adds one of your own. Each key "
            "with its value in a new one; those of the built-in ones: `supervisor profiles`.");
    for (const char *const *key = profile_keys; *key; key++) {
        char text[PROFILE_TEXT_SIZE];
        profile_format(&profiles_builtin_table[0], *key, text, sizeof(text));
        fputs(key == profile_keys ? ".PP\n" : ".br\n", to);
        fputs("\\fB", to);
        roff_literal(to, *key);
        fprintf(to, " =\\fP%s", text[0] == '\0' ? "" : " ");
        roff_literal(to, text);
        fputc('\n', to);
    }
}

static void tiers_print(FILE *to)
{
    fputs(".SS [tier \\(dqNAME\\(dq]\n", to);
    roff_prose(to, "Models that are wanted at hand, as `models = llama3.2, qwen3:8b`. Those of the "
                   "tiers ultra-fast, fast and medium are not unloaded to make room, unless they "
                   "have not been used for 30 minutes and the pressure is critical. `supervisor "
                   "preload` loads those of all tiers, and so does the daemon after a heal. The "
                   "preset runbook has the three, with one model each.");
}

void manual_settings(FILE *to)
{
    const char *section = "";
    fputs(".SH CONFIGURATION\n", to);
    roff_prose(
        to, "The file has sections in brackets and lines `key = value`; a semicolon behind a space "
            "begins a comment. `supervisor config show` prints every setting with its value and "
            "where that came from, and its output is such a file. A setting `key` of `[section]` "
            "is also the option `--set section.key=value`, the environment variable "
            "`SUPERVISOR_SECTION_KEY` (for the section supervisor without its name: "
            "`SUPERVISOR_MODE`) and, where it is for one container, a label. Where several say "
            "something, the first of these holds: command line, environment, label, file, preset, "
            "built-in. Sizes take k, m, g, t (1 GB is 1 GiB), times ms, s, m, h, d. In the "
            "following the built-in value stands behind the name; without one the setting is "
            "unset.");
    for (size_t i = 0; i < SETTINGS_N; i++) {
        if (strcmp(section, settings_table[i].section) != 0)
            fprintf(to, ".SS [%s]\n", settings_table[i].section);
        section = settings_table[i].section;
        setting_print(to, &settings_table[i]);
        if (i + 1 == SETTINGS_N || strcmp(section, settings_table[i + 1].section) != 0)
            if (strcmp(section, "supervisor") == 0)
                presets_print(to);
    }
    tiers_print(to);
    profiles_print(to);
}

void manual_labels(FILE *to)
{
    fputs(".SH LABELS\n", to);
    roff_prose(to,
               "What a container says of itself. A label that is malformed is told and left out.");
    roff_tag(to, "supervisor.enable", "true|false");
    roff_prose(to,
               "true: supervise it, and act. false: leave it alone. Without it a container whose "
               "image is Ollama's is found and only told about.");
    roff_tag(to, "supervisor.priority", "low|normal|high");
    roff_prose(to,
               "Who gives way to whom, where memory is short: `create --evict` stops the lower "
               "ones, and low is throttled while the host is at its limit (remedy.throttle_cpu).");
    for (size_t i = 0; i < SETTINGS_N; i++) {
        char name[SETTING_NAME_MAX], text[SETTING_NAME_MAX + 32];
        if (!settings_table[i].label)
            continue;
        roff_tag(to, settings_table[i].label, NULL);
        snprintf(text, sizeof(text), "The setting `%s`.", setting_name(&settings_table[i], name));
        roff_prose(to, text);
    }
}
