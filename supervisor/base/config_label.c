/* What a container's own labels say. */
#include "base/config_layers.h"

#include "base/size.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define PREFIX "supervisor."

struct told {
    struct label_error *errors;
    size_t n;
};

/* As much as has room, as one line: labels are anybody's. */
static void copy_line(char *to, const char *from, size_t size)
{
    size_t i = 0;
    for (; i + 1 < size && from[i] != '\0'; i++)
        to[i] = iscntrl((unsigned char)from[i]) ? '?' : from[i];
    to[i] = '\0';
}

static void tell(struct told *told, const char *label, const char *message)
{
    if (told->n >= CONFIG_LABEL_ERRORS_MAX)
        return;
    size_t at = told->n++;
    if (!told->errors)
        return; /* only counted */
    struct label_error *error = &told->errors[at];
    copy_line(error->label, label, sizeof(error->label));
    copy_line(error->message, message, sizeof(error->message));
}

static void tell_unknown(struct told *told, const char *label)
{
    const char *known[SETTINGS_N + 2] = {"enable",
                                         "priority"}; /* behind the prefix, which all have */
    size_t n = 2, prefix = strlen(PREFIX);
    for (int i = 0; i < SETTINGS_N; i++)
        if (settings_table[i].label)
            known[n++] = settings_table[i].label + prefix;
    const char *meant = nearest(label + prefix, known, n);
    char message[sizeof(told->errors->message)];
    if (meant)
        snprintf(message, sizeof(message), "unknown label: did you mean " PREFIX "%s?", meant);
    else
        snprintf(message, sizeof(message), "unknown label: remove it");
    tell(told, label, message);
}

/* Labels that are known and are no settings. True if it was one. */
static bool take_other(const struct config *config, const struct config_label *label,
                       struct told *told)
{
    static const char *const priorities[] = {"low", "normal", "high"};
    /* Written by `create`, for itself and for people. */
    static const char *const ours[] = {"supervisor.profile", "supervisor.exclusive",
                                       "supervisor.kind", "supervisor.evicted",
                                       "supervisor.create"};
    const char *own = config->settings.docker_label; /* "key" or "key=value" */
    size_t own_length = strcspn(own, "=");
    if (strcmp(label->key, "supervisor.enable") == 0) {
        struct error err;
        bool on;
        if (switch_parse(label->value, &on, &err) < 0)
            tell(told, label->key, err.message);
        return true;
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(label->key, ours[i]) == 0)
            return true;
    if (strcmp(label->key, "supervisor.priority") == 0) {
        for (size_t i = 0; i < sizeof(priorities) / sizeof(priorities[0]); i++)
            if (strcmp(label->value, priorities[i]) == 0)
                return true;
        char message[sizeof(told->errors->message)];
        snprintf(message, sizeof(message), "\"%.64s\" is none of: low normal high", label->value);
        tell(told, label->key, message);
        return true;
    }
    return strlen(label->key) == own_length && strncmp(label->key, own, own_length) == 0;
}

size_t config_for_labels(const struct config *config, const struct config_label *labels, size_t n,
                         struct settings *ret_settings, struct label_error *errors)
{
    struct told told = {.errors = errors};
    struct config own = *config;
    struct layer *layer = &own.layers[ORIGIN_LABEL];
    for (size_t i = 0; i < n; i++) {
        const struct config_label *label = &labels[i];
        if (strncmp(label->key, PREFIX, strlen(PREFIX)) != 0 || take_other(config, label, &told))
            continue;
        int row = setting_find_label(label->key);
        struct error err;
        if (row < 0)
            tell_unknown(&told, label->key);
        else if (setting_parse(&settings_table[row], label->value, &layer->values, &err) < 0)
            tell(&told, label->key, err.message);
        else
            layer->given[row] = true;
    }
    config_resolve(&own);

    /* What does not fit together is left out as long as a label has a part in it. */
    int rows[2];
    struct error err;
    while (config_misfit(&own.settings, rows, &err) < 0) {
        bool by_label = false;
        for (int i = 0; i < 2; i++)
            if (layer->given[rows[i]]) {
                layer->given[rows[i]] = false;
                tell(&told, settings_table[rows[i]].label, err.message);
                by_label = true;
            }
        if (!by_label)
            break;
        config_resolve(&own);
    }
    *ret_settings = own.settings;
    return told.n;
}
