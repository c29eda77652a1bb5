/* Which containers a command without a name acts on (JUDGEMENT, acting 9): those in enforce mode,
 * or the only Ollama container there is. */
#ifndef SUPERVISOR_CLI_TARGETS_H
#define SUPERVISOR_CLI_TARGETS_H

#include "base/error.h"
#include "sense/world.h"
#include <stdio.h>

enum { TARGETS_MAX = 256 };

struct targets {
    char ids[TARGETS_MAX][CONTAINER_ID_SIZE];
    size_t n;
};

/* named: the name or id of the command line, or NULL. Running ones only. -ENOENT: none (a sentence,
 * with the nearest name). What is left out is told on `told` with the command that would do it
 * ("supervisor fix-ollama NAME"); NULL: it is not told. */
int targets_choose(const struct world *world, const char *named, const char *command, FILE *told,
                   struct targets *ret_targets, struct error *err);
bool targets_have(const struct targets *targets, const char *id);

#endif
