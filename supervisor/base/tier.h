/* Tiers: models that are wanted at hand, from the fastest on. [tier "NAME"] models = a, b of the
 * configuration file. Those of the tiers ultra-fast, fast and medium are protected from unloading;
 * of any tier they are loaded by `supervisor preload`. */
#ifndef SUPERVISOR_BASE_TIER_H
#define SUPERVISOR_BASE_TIER_H

#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

enum { TIERS_MAX = 8, TIER_NAME_SIZE = 32, TIER_MODELS_SIZE = 176 };

/* In the order in which they are loaded; they go in the opposite one. */
enum tier_rank { TIER_ULTRA_FAST, TIER_FAST, TIER_MEDIUM, TIER_OTHER, TIER_NONE };

struct tier {
    char name[TIER_NAME_SIZE];
    char models[TIER_MODELS_SIZE]; /* "llama3.2, qwen3:8b" (base/model_name.h) */
};

/* TIER_OTHER for any name but the three. */
enum tier_rank tier_rank(const char *name);
/* "ultra-fast" "fast" "medium" "other" "none". */
const char *tier_rank_name(enum tier_rank rank);
static inline bool tier_protected(enum tier_rank rank)
{
    return rank < TIER_OTHER;
}

/* The tier in which the model is first: its rank, TIER_NONE if it is in none. */
enum tier_rank tier_of(const struct tier *tiers, size_t n, const char *model);

/* One without models. -EINVAL, FAILURE_USAGE: no name for a tier. */
int tier_init(struct tier *tier, const char *name, struct error *err);
/* The only key is "models". -EINVAL (FAILURE_USAGE, the sentence names key and value); the tier is
 * then unchanged. */
int tier_set(struct tier *tier, const char *key, const char *value, struct error *err);

/* The tiers that preset runbook brings where the file has none. */
enum { TIERS_RUNBOOK_N = 3 };
extern const struct tier tiers_runbook[TIERS_RUNBOOK_N];

#endif
