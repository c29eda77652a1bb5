/* The configuration file: what is refused changes nothing, what is taken is read back from what is
 * printed. The same bytes go through labels and assignments too. */
#include "base/config_layers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct config *new_config(void)
{
    struct config *config;
    if (config_new(&config, NULL) < 0)
        abort();
    return config;
}

static void compare_profiles(const struct config *config, const struct config *again)
{
    size_t n, m;
    const struct profile *these = config_profiles(config, &n), *those = config_profiles(again, &m);
    if (n != m || n > PROFILES_MAX)
        abort();
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < PROFILE_KEYS_N; k++) {
            char one[PROFILE_TEXT_SIZE], two[PROFILE_TEXT_SIZE];
            profile_format(&these[i], profile_keys[k], one, sizeof(one));
            profile_format(&those[i], profile_keys[k], two, sizeof(two));
            if (strcmp(one, two) != 0 || config_profile(config, these[i].name) != &these[i])
                abort();
        }
}

static void read_back(const struct config *config)
{
    struct config *again = new_config();
    char *printed = NULL;
    size_t length;
    FILE *to = open_memstream(&printed, &length);
    config_print(config, to, false);
    fclose(to);
    struct error err;
    if (config_read_text(again, "printed", printed, length, &err) < 0) {
        fprintf(stderr, "%s\n%s", err.message, printed);
        abort();
    }
    for (int i = 0; i < SETTINGS_N; i++) {
        char one[512], two[512];
        setting_format(&settings_table[i], config_settings(config), one, sizeof(one));
        setting_format(&settings_table[i], config_settings(again), two, sizeof(two));
        if (strcmp(one, two) != 0)
            abort();
    }
    compare_profiles(config, again);
    free(printed);
    config_free(again);
}

/* Lines of the input as "key=value" labels and assignments. */
static void by_line(struct config *config, char *text)
{
    struct label_error errors[CONFIG_LABEL_ERRORS_MAX];
    struct config_label labels[16];
    struct settings settings;
    size_t n = 0;
    for (char *line = text, *next; line && n < sizeof(labels) / sizeof(labels[0]); line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        config_set(config, line, ORIGIN_COMMAND_LINE, NULL);
        char *equals = strchr(line, '=');
        if (equals)
            *equals = '\0';
        labels[n++] = (struct config_label){line, equals ? equals + 1 : ""};
    }
    if (config_for_labels(config, labels, n, &settings, errors) > CONFIG_LABEL_ERRORS_MAX)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config *config = new_config(), before = *config;
    struct error err = {0};
    if (config_read_text(config, "fuzz", (const char *)data, size, &err) < 0) {
        if (memcmp(&before, config, sizeof(before)) != 0 || err.message[0] == '\0' ||
            err.code >= 0 || strchr(err.message, '\n'))
            abort();
    } else {
        read_back(config);
    }
    char *text = malloc(size + 1);
    if (text) {
        memcpy(text, data, size);
        text[size] = '\0';
        by_line(config, text);
        free(text);
    }
    config_free(config);
    return 0;
}
