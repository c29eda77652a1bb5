/* What the tests of the configuration share. */
#ifndef TESTS_UNIT_CONFIGS_H
#define TESTS_UNIT_CONFIGS_H

#include "base/config.h"

/* The built-in values and the environment's; a failure fails the test. The caller frees it. */
struct config *new_config(void);
/* Reads text as the file "test.conf". */
int read_text(struct config *config, const char *text, struct error *err);
/* Where the value of "section.key" came from: "built-in", "preset", "file", "environment", "command
 * line"; NULL for an unknown key. */
const char *config_origin(const struct config *config, const char *name);

#endif
