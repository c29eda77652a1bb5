/* What a container's own labels say. */
#include "base/config_layers.h"

#include <ctype.h>

#define PREFIX "supervisor."

/* Known and no settings; all but the first are also written by `create`, for itself and for people.
 */
static const char *const others[] = {"enable",  "priority", "profile",  "exclusive",       "kind",
                                     "evicted", "create",   "replaces", "replaces.restart"};
enum { OTHERS_N = sizeof(others) / sizeof(others[0]) };

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
    const char *known[SETTINGS_N + OTHERS_N]; /* behind the prefix, which all have */
    size_t n = 0, prefix = strlen(PREFIX);
    for (; n < OTHERS_N; n++)
        known[n] = others[n];
    for (int i = 0; i < SETTINGS_N; i++)
        if (settings_table[i].label)
            known[n++] = settings_table[i].label + prefix;
    tell(told, label,
         MEANT(label + prefix, known, n, "unknown label: did you mean " PREFIX,
               "unknown label: remove it"));
}

static void check_value(struct told *told, const struct config_label *label)
{
    char message[sizeof(told->errors->message)] = "";
    struct error err = {.message = ""};
    enum priority priority;
    enum server_kind server;
    bool on;
    if (strcmp(label->key, PREFIX "priority") == 0 && priority_parse(label->value, &priority) < 0)
        snprintf(message, sizeof(message), "\"%.64s\" is none of: low normal high", label->value);
    else if (strcmp(label->key, PREFIX "kind") == 0 && server_kind_parse(label->value, &server) < 0)
        snprintf(message, sizeof(message), "\"%.64s\" is none of: ollama localai", label->value);
    else if ((strcmp(label->key, PREFIX "enable") == 0 ||
              strcmp(label->key, PREFIX "exclusive") == 0) &&
             switch_parse(label->value, &on, &err) < 0)
        snprintf(message, sizeof(message), "%.*s", (int)sizeof(message) - 1, err.message);
    if (message[0] != '\0')
        tell(told, label->key, message);
}

/* Labels that are known and are no settings. True if it was one. */
static bool take_other(const struct config *config, const struct config_label *label,
                       struct told *told)
{
    if (word_find(others, OTHERS_N, label->key + strlen(PREFIX)) >= 0) {
        check_value(told, label);
        return true;
    }
    return strcmp(label->key, config->settings.docker_label) == 0;
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
