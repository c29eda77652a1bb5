#include "configs.h"

#include "base/config_layers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct config *new_config(void)
{
    struct config *config;
    struct error err;
    if (config_new(&config, &err) < 0)
        fail_msg("%s", err.message);
    return config;
}

int read_text(struct config *config, const char *text, struct error *err)
{
    return config_read_text(config, "test.conf", text, strlen(text), err);
}

const char *config_origin(const struct config *config, const char *name)
{
    int row = setting_find_name(name);
    return row < 0 ? NULL : config_origin_name((enum config_origin)config->origin[row]);
}
