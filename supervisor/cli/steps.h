/* The commands as steps of full-optimization: what they would print with --json, as values. The
 * command line's --dry-run holds. Each returns the command's exit status (128 + the signal after
 * Ctrl-C) and a new reference, or leaves *ret untouched where it did not come so far (the reason is
 * on stderr then). */
#ifndef SUPERVISOR_CLI_STEPS_H
#define SUPERVISOR_CLI_STEPS_H

#include "cli/cli.h"
#include <jansson.h>

/* From the daemon, which knows more, where it is to be asked; from a look of our own where none
 * answers. `source` in the world says which. named: the container that the command line named, or
 * NULL. */
int step_status(struct cli *cli, const char *named, bool ask, json_t **ret_world);
/* Rows for each container that the command acts on without a name. */
int step_fix(struct cli *cli, json_t **ret_rows);    /* fix-ollama */
int step_limits(struct cli *cli, json_t **ret_rows); /* enforce: memory limits, memory.high */
int step_policy(struct cli *cli, json_t **ret_rows); /* enforce: the single-model policy */

enum { TEST_SIZES_MAX = 16 };
struct test_wish { /* of `supervisor test`; bytes */
    fact sizes[TEST_SIZES_MAX], reserve;
    size_t n;
};
/* From the operands and --reserve; more: what is said beside of a size that is too little. 0, or
 * the exit status (said on stderr). */
int test_wish_read(const struct cli *cli, const char *more, struct test_wish *ret_wish);
/* Tests the sizes, one after the other; prints a table on stdout unless quiet. Exit status: 0 where
 * all could be had; 128 + the signal. *ret_report is a new reference. */
int test_sizes(const struct config *config, const struct test_wish *wish, bool quiet,
               json_t **ret_report);

#endif
