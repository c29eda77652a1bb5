/* A struct config from inside: one layer of values for each origin. Inside of config only. */
#ifndef SUPERVISOR_BASE_CONFIG_LAYERS_H
#define SUPERVISOR_BASE_CONFIG_LAYERS_H

#include "base/config_table.h"
#include <stdint.h>

enum { LAYERS_N = ORIGIN_COMMAND_LINE + 1 };

struct layer {
    bool given[SETTINGS_N];
    struct settings values;
};

/* Of a file that has profiles; those without one share the built-in table. */
struct file_profiles {
    size_t n;
    struct profile profiles[PROFILES_MAX];
    uint32_t given[PROFILES_MAX]; /* by its place in profile_keys: which keys are the file's */
};

/* Of a file that has tiers. */
struct file_tiers {
    size_t n;
    struct tier tiers[TIERS_MAX];
};

struct config {
    struct layer layers[LAYERS_N];  /* by enum config_origin: the later one wins */
    struct settings settings;       /* what holds */
    uint8_t origin[SETTINGS_N];     /* and from which layer */
    struct file_profiles *profiles; /* owned; NULL: the file has none */
    struct file_tiers *tiers;       /* owned; NULL: the file has none */
};

/* Puts the layers together, the preset's too. */
void config_resolve(struct config *config);
/* The first pair of settings that does not fit together; the sentence names both. Their rows go to
 * ret_rows. 0 or -EINVAL. */
int config_misfit(const struct settings *settings, int ret_rows[2], struct error *err);
/* config_read_file's inner part; name is for messages. */
int config_read_text(struct config *config, const char *name, const char *text, size_t length,
                     struct error *err);
/* The profile of that name, changed by the file from now on, and added where there is none: its
 * index. -EINVAL: no name, or one too many. -ENOMEM. */
int config_profile_add(struct config *config, const char *name, struct error *err);
/* Is the key's value of the index'th profile the file's? */
bool config_profile_given(const struct config *config, size_t index, const char *key);
/* The tier of that name, added where there is none: its index. Errors as config_profile_add. */
int config_tier_add(struct config *config, const char *name, struct error *err);
const char *config_origin_name(enum config_origin origin);

enum { CONFIG_FILE_MAX = 64 * 1024 }; /* bytes */

#endif
