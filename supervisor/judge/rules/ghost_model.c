/* ghost-model: listed, and nobody serves it. */
#include "judge/rules.h"

#include <stdio.h>

static const double ghost_hold_s = 10;

static struct ruling ghost(const struct look *look, const struct known_model *m)
{
    enum tri haunted = m->now ? model_haunted(look, m->now) : TRI_UNKNOWN;
    return haunted == TRI_TRUE    ? YES(look->now_s)
           : haunted == TRI_FALSE ? NO("each listed model has its runner")
           : m->now               ? UNKNOWN("which file a listed model, or a runner, is of")
                                  : UNKNOWN("loaded models or processes");
}

static void judge(struct look *look, struct known_model *m)
{
    double hold_s = ghost_hold_s > 2 * look->poll_s ? ghost_hold_s : 2 * look->poll_s;
    struct verdict *v = look_judge(look, VERDICT_GHOST_MODEL, m->own, ghost(look, m), hold_s);
    if (!v)
        return;
    snprintf(v->model, sizeof v->model, "%s", m->name);
    SHOW(look, v, NULL, {"size", UNIT_BYTES, m->now ? (double)m->now->size : -1});
    snprintf(v->why, sizeof v->why,
             "it is listed as loaded, but its runner is gone; the next request loads it again");
}

const struct rule rule_ghost_model = {
    {"ghost-model", SEVERITY_INFO, REMEDY_NONE, REMEDY_NONE, DEEDS,
     "Ollama answers and lists the model, its blob is known, and no live runner serves that blob",
     "10 s, two polls at least", "size models runners",
     "any deed: the next request loads it again, and it holds nothing"},
    .unless = "no model is listed",
    .of_model = judge,
};
