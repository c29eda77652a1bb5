/* Loaded models: which of them may go when room is wanted, and in which order
 * (docs/judgement.md, "Loading"). Pure. */
#ifndef SUPERVISOR_JUDGE_TIERS_H
#define SUPERVISOR_JUDGE_TIERS_H

#include "base/tier.h"
#include "judge/pressure.h"

enum { LOADED_MAX = 64 }; /* loaded models of one container; more are not unloaded to make room */

enum rest { REST_UNKNOWN, REST_BUSY, REST_IDLE };

struct loaded_model {
    char name[CONTAINER_NAME_SIZE];
    char digest[65]; /* "": unknown */
    bool ghost;      /* it is listed, and no runner serves it */
    fact held;       /* by its runner, bytes; unknown: which runner is its own cannot be told */
    fact size;       /* as Ollama lists it */
    enum tier_rank tier;
    bool pinned;
    enum rest rest;
    double idle_s; /* how long nobody has used it; < 0 unknown */
    double used_s; /* when it was used last, of any clock that they share: for the order */
};

enum staying {
    STAYS_NOT, /* it may go */
    STAYS_PINNED,
    STAYS_BUSY,
    STAYS_UNKNOWN,   /* whether it is busy is not known (yet) */
    STAYS_UNMATCHED, /* what would come back is not known */
    STAYS_PROTECTED, /* its tier */
};

/* Why the model stays. lifted: the tiers' protection is (a person's --force). */
enum staying model_stays(const struct loaded_model *model, enum pressure_level level, bool lifted);
/* "it is pinned" … ; for STAYS_PROTECTED with tier and idle time. text: at least 128 bytes. */
const char *staying_text(const struct loaded_model *model, enum staying staying, char *text,
                         size_t size);

/* Which class of models goes when: large ones without a protected tier, small ones of these, then
 * medium, fast, ultra-fast. */
enum going_class { GOING_LARGE, GOING_SMALL, GOING_MEDIUM, GOING_FAST, GOING_ULTRA_FAST };
enum going_class model_class(const struct loaded_model *model, fact small_model);

/* Whether a goes before b: by class, of a class the one first that was used longest ago, then the
 * larger one. */
bool model_before(const struct loaded_model *a, enum going_class a_class,
                  const struct loaded_model *b, enum going_class b_class);
/* The indices of all n (at most LOADED_MAX) models in the order in which they would go. */
void models_order(const struct loaded_model *models, size_t n, fact small_model, size_t *ret_order);

#endif
