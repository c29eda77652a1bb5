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

struct config {
    struct layer layers[LAYERS_N]; /* by enum config_origin: the later one wins */
    struct settings settings;      /* what holds */
    uint8_t origin[SETTINGS_N];    /* and from which layer */
};

/* Puts the layers together, the preset's too. */
void config_resolve(struct config *config);
/* The first pair of settings that does not fit together; the sentence names both. Their rows go to
 * ret_rows. 0 or -EINVAL. */
int config_misfit(const struct settings *settings, int ret_rows[2], struct error *err);
/* config_read_file's inner part; name is for messages. */
int config_read_text(struct config *config, const char *name, const char *text, size_t length,
                     struct error *err);
const char *config_origin_name(enum config_origin origin);

enum { CONFIG_FILE_MAX = 64 * 1024 }; /* bytes */

#endif
