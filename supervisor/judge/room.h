/* The room for models in one container: its limit, the budgets of models, the host; and the models
 * that are loaded in it. Pure: made from a world, asked by admission and by the optimisation pass.
 */
#ifndef SUPERVISOR_JUDGE_ROOM_H
#define SUPERVISOR_JUDGE_ROOM_H

#include "judge/runner_uses.h"
#include "judge/tiers.h"
#include "judge/verdict.h"

struct room {
    fact limit;        /* FACT_NONE: none */
    fact held, kernel; /* of the container; kernel unknown: 0 */
    fact budget,
        budget_held; /* memory.max_model_memory and what all runners of all containers hold */
    fact own_budget, own_held; /* the same of this container alone, where a label says so */
    fact host_total, host_available;
    struct settings settings; /* as they hold for this container */
    struct loaded_model models[LOADED_MAX];
    size_t n_models;
};

enum room_bound { BOUND_LIMIT, BOUND_OWN_BUDGET, BOUND_BUDGET, BOUND_HOST };
enum { BOUNDS = BOUND_HOST + 1 };

struct bound {
    bool bounded;     /* false: there is no such bound */
    bool known;       /* false: it could not be read */
    int64_t free;     /* bytes; below 0: more is held than it allows */
    fact of, used;    /* limit and what is held of it; host: total and in use */
    int cut_percent;  /* host: by so much the available figure is cut */
    fact reserve;     /* host */
    const char *name; /* static: "the container's limit" … */
};

/* What is left below that bound when models that hold `freed` bytes have gone. */
struct bound room_bound(const struct room *room, enum room_bound which, fact freed);

/* The level of pressure when models that hold `freed` bytes have gone: of the host, the
 * container and the budgets, the highest. */
enum pressure_level room_level(const struct room *room, fact freed);

struct room_options {
    const struct world *world;
    const struct container *container; /* one of the world's */
    const struct judgement *judgement; /* of that world */
    const struct config *config;
    const struct runner_uses *uses; /* NULL: whether a model is busy is unknown */
    /* When a model of that name was last seen to be used, by the wall clock; 0: it never was. NULL:
     * nobody remembers. */
    int64_t (*last_used_ms)(void *userdata, const char *model);
    void *userdata;
};
/* The loaded model of that name, or another name's of the same digest (`ollama cp`); NULL: none. */
const struct loaded_model *room_model(const struct room *room, const char *name,
                                      const char *digest);
/* Fills *ret_room, everything that was not read as unknown. */
void room_of(const struct room_options *options, struct room *ret_room);

#endif
