#include "base/config_layers.h"

#include <unistd.h>

#define PREFIX "SUPERVISOR_"

static const char *const origin_names[LAYERS_N] = {"built-in", "preset",      "file",
                                                   "label",    "environment", "command line"};

const char *config_origin_name(enum config_origin origin)
{
    return origin_names[origin];
}

/* The settings' own words are right by a unit test; each is read once. */
static void fill_builtin(struct layer *layer)
{
    for (int i = 0; i < SETTINGS_N; i++)
        layer->given[i] =
            setting_parse(&settings_table[i], settings_table[i].initial, &layer->values, NULL) == 0;
}

static void fill_preset(struct layer *layer, const char *name)
{
    memset(layer->given, 0, sizeof(layer->given));
    for (const struct preset *p = presets_table; p->name; p++) {
        int row = strcmp(p->name, name) == 0 ? setting_find(p->section, p->key) : -1;
        if (row >= 0)
            layer->given[row] =
                setting_parse(&settings_table[row], p->value, &layer->values, NULL) == 0;
    }
}

static void resolve_row(struct config *config, int row)
{
    for (int origin = 0; origin < LAYERS_N; origin++)
        if (config->layers[origin].given[row]) {
            const struct setting *setting = &settings_table[row];
            memcpy((char *)&config->settings + setting->offset,
                   setting_field(setting, &config->layers[origin].values), setting->size);
            config->origin[row] = (uint8_t)origin;
        }
}

void config_resolve(struct config *config)
{
    resolve_row(config, setting_find("supervisor", "preset"));
    fill_preset(&config->layers[ORIGIN_PRESET], config->settings.preset);
    for (int i = 0; i < SETTINGS_N; i++)
        resolve_row(config, i);
}

/* Variables that the process manager supervisord sets in what it starts: not meant for us. */
static bool is_supervisord(const char *variable)
{
    static const char *const theirs[] = {"SUPERVISOR_ENABLED", "SUPERVISOR_SERVER_URL",
                                         "SUPERVISOR_PROCESS_NAME", "SUPERVISOR_GROUP_NAME"};
    return word_find(theirs, sizeof(theirs) / sizeof(theirs[0]), variable) >= 0;
}

static int unknown_variable(const char *variable, struct error *err)
{
    char all[SETTINGS_N][SETTING_NAME_MAX];
    const char *names[SETTINGS_N];
    for (int i = 0; i < SETTINGS_N; i++)
        names[i] = setting_environment(&settings_table[i], all[i]) + strlen(PREFIX);
    return error_set(
        err, FAILURE_USAGE, -EINVAL, "unknown environment variable %s: %s", variable,
        MEANT(variable + strlen(PREFIX), names, SETTINGS_N, "did you mean " PREFIX, "unset it"));
}

static int set_row(struct config *config, int row, const char *value, enum config_origin origin,
                   const char *name, struct error *err)
{
    struct layer *layer = &config->layers[origin];
    int code = setting_parse(&settings_table[row], value, &layer->values, err);
    if (code < 0) {
        error_wrap(err, "%s", name);
        return code;
    }
    layer->given[row] = true;
    return 0;
}

/* MAX_MODEL_MEMORY_GB=24: a number of GiB, the name that the budget of models had before. */
static int read_budget(struct config *config, struct error *err)
{
    const char *const name = "MAX_MODEL_MEMORY_GB", *text = getenv(name);
    char gigabytes[32];
    if (!text || text[0] == '\0')
        return 0;
    if (text[strspn(text, "0123456789.")] != '\0' || strlen(text) > sizeof(gigabytes) - 2)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "%s: \"%.64s\" is no number of gigabytes: write it as in %s=24", name,
                         text, name);
    snprintf(gigabytes, sizeof(gigabytes), "%.30sg", text);
    return set_row(config, setting_find("memory", "max_model_memory"), gigabytes,
                   ORIGIN_ENVIRONMENT, name, err);
}

static int read_environment(struct config *config, struct error *err)
{
    int read = read_budget(config, err);
    if (read < 0)
        return read;
    const char *docker_host = getenv("DOCKER_HOST");
    if (docker_host && docker_host[0] != '\0') {
        int code = set_row(config, setting_find("docker", "host"), docker_host, ORIGIN_ENVIRONMENT,
                           "DOCKER_HOST", err);
        if (code < 0)
            return code;
    }
    for (char **entry = environ; entry && *entry; entry++) {
        const char *equals = strchr(*entry, '=');
        if (!equals || strncmp(*entry, PREFIX, strlen(PREFIX)) != 0 || equals[1] == '\0')
            continue;
        char variable[SETTING_NAME_MAX];
        snprintf(variable, sizeof(variable), "%.*s", (int)(equals - *entry), *entry);
        int row = setting_find_environment(variable);
        if (row < 0 && is_supervisord(variable))
            continue;
        int code = row < 0 ? unknown_variable(variable, err)
                           : set_row(config, row, equals + 1, ORIGIN_ENVIRONMENT, variable, err);
        if (code < 0)
            return code;
    }
    return 0;
}

int config_new(struct config **ret_config, struct error *err)
{
    struct config *config = calloc(1, sizeof(*config));
    if (!config)
        return error_set(err, FAILURE_JOB, -ENOMEM, "no memory for the configuration");
    fill_builtin(&config->layers[ORIGIN_BUILTIN]);
    int code = read_environment(config, err);
    if (code < 0) {
        config_free(config);
        return code;
    }
    config_resolve(config);
    *ret_config = config;
    return 0;
}

void config_free(struct config *config)
{
    if (config) {
        free(config->profiles);
        free(config->tiers);
    }
    free(config);
}

int config_set(struct config *config, const char *assignment, enum config_origin origin,
               struct error *err)
{
    const char *equals = strchr(assignment, '=');
    if (!equals)
        return error_set(err, FAILURE_USAGE, -EINVAL,
                         "\"%.*s\" sets nothing: write section.key=value, as in leak.hold=30s",
                         SETTING_NAME_MAX, assignment);
    char name[SETTING_NAME_MAX];
    snprintf(name, sizeof(name), "%.*s", (int)(equals - assignment), assignment);
    int row = setting_find_name(name);
    int code =
        row < 0 ? setting_unknown(name, err) : set_row(config, row, equals + 1, origin, name, err);
    if (code == 0)
        config_resolve(config);
    return code;
}

int config_misfit(const struct settings *settings, int ret_rows[2], struct error *err)
{
    static const struct {
        const char *lower, *upper;
        double factor; /* of the lower one */
        bool may_be_equal;
        const char *remedy;
    } pairs[] = {
        {"pressure.level_medium", "pressure.level_high", 1, false, "must be below it"},
        {"pressure.level_high", "pressure.level_critical", 1, false, "must be below it"},
        {"pressure.action_warn", "pressure.action_optimize", 1, false, "must be below it"},
        {"pressure.action_optimize", "pressure.action_unload", 1, false, "must be below it"},
        {"pressure.action_optimize", "pressure.action_kill_switch", 1, false, "must be below it"},
        {"pressure.action_unload", "pressure.action_kill_switch", 1, false, "must be below it"},
        {"memory.high", "memory.limit", 1, true, "must not be above it"},
        {"remedy.backoff", "remedy.backoff_cap", 1, true, "must not be above it"},
        /* Who is throttled and works must not look idle. */
        {"leak.busy_cpu", "remedy.throttle_cpu", 2, true, "must not be above half of it"},
    };
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        int low = setting_find_name(pairs[i].lower), up = setting_find_name(pairs[i].upper);
        double lower = setting_number(&settings_table[low], settings) * pairs[i].factor,
               upper = setting_number(&settings_table[up], settings);
        if (lower < 0 || upper < 0 || lower < upper || (pairs[i].may_be_equal && lower <= upper))
            continue;
        char is[64], bound[64];
        ret_rows[0] = low;
        ret_rows[1] = up;
        setting_format(&settings_table[low], settings, is, sizeof(is));
        setting_format(&settings_table[up], settings, bound, sizeof(bound));
        return error_set(err, FAILURE_USAGE, -EINVAL, "%s = %s does not fit %s = %s: it %s",
                         pairs[i].lower, is, pairs[i].upper, bound, pairs[i].remedy);
    }
    return 0;
}

int config_check(const struct config *config, struct error *err)
{
    int rows[2];
    return config_misfit(&config->settings, rows, err);
}

const struct settings *config_settings(const struct config *config)
{
    return &config->settings;
}

void config_replace(struct config *config, struct config *fresh)
{
    free(config->profiles);
    free(config->tiers);
    *config = *fresh; /* its profiles and tiers too */
    free(fresh);
}
