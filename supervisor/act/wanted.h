/* What is wanted at hand in a container: the models of the tiers, and those that are pinned (row
 * C14). */
#ifndef SUPERVISOR_ACT_WANTED_H
#define SUPERVISOR_ACT_WANTED_H

#include "base/config.h"
#include "base/model_name.h"
#include "sense/world.h"

struct wanted_model {
    char id[CONTAINER_ID_SIZE], container[CONTAINER_NAME_SIZE];
    char model[MODEL_NAME_SIZE], tier[TIER_NAME_SIZE]; /* tier "pinned": of models.pin */
    int64_t keep_alive_s;                              /* as sense/ollama_load.h has it */
};

/* Ultra-fast first, then fast, medium, the other tiers in the order of the file, then the pinned
 * ones, which stay for ever; each once. keep_alive_s: of all others, and of the pinned ones too
 * unless it is the default. Appends to models, of which there are n already; returns how many there
 * are then, at most max. */
size_t wanted_list(const struct config *config, const struct container *container,
                   int64_t keep_alive_s, struct wanted_model *models, size_t n, size_t max);

#endif
