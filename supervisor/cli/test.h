/* What `supervisor test` shares with full-optimization. */
#ifndef SUPERVISOR_CLI_TEST_H
#define SUPERVISOR_CLI_TEST_H

#include "cli/cli.h"
#include <jansson.h>

enum { TEST_SIZES_MAX = 16 };

/* Tests the sizes (bytes), one after the other; prints a table on stdout unless quiet. Returns the
 * exit status: 0 where all could be had; 128 + the signal. *ret_report (may be NULL) is a new
 * reference to what `--json` prints, NULL where nothing could be tested (said on stderr). */
int test_sizes(const struct config *config, const fact *sizes, size_t n, fact reserve, bool quiet,
               json_t **ret_report);

#endif
