/* too-many-models: the single-model policy keeps the model that was used last. */
#include "base/model_name.h"
#include "base/size.h"
#include "judge/rules.h"

#include <math.h>
#include <stdio.h>

/* Of more nobody says which was used last. */
static const size_t compared_max = 16;

static bool is_busy(const struct look *look, const struct runner *r)
{
    struct window_use use = window_use(&r->window, look->now_s);
    return r->work.request_s >= 0 || use.cpu_percent < 0 ||
           use.cpu_percent > look->history->settings->leak_busy_cpu_percent;
}

/* The loaded models of which one may stay: beside what is pinned. */
struct candidates {
    size_t n, n_busy;
    const struct runner *last; /* that was used last, */
    struct model_use use;      /* and when */
    const char *name;
    double others_s; /* the latest that one of the others can have been used */
};

static bool is_pinned(const struct look *look, const struct known_model *m)
{
    return model_in_list(look->history->settings->models_pin, m->name);
}

static struct candidates candidates_of(const struct look *look)
{
    struct history *h = look->history;
    struct candidates all = {.others_s = -HUGE_VAL};
    for (size_t i = 0; i < h->n_models; i++) {
        const struct known_model *m = &h->models[i];
        const struct runner *r = m->now ? model_runner(look, m->now) : NULL;
        if (!r || is_pinned(look, m))
            continue; /* a ghost holds nothing; one that nobody can find is not unloaded */
        all.n++;
        all.n_busy += is_busy(look, r);
        struct model_use use = uses_of(look, m->name, r), other = use;
        bool first = !all.last, later = first || use.from_s > all.use.from_s;
        if (later) {
            other = all.use;
            all.last = r;
            all.use = use;
            all.name = m->name;
        }
        if (!first && other.to_s > all.others_s)
            all.others_s = other.to_s;
    }
    return all;
}

/* Whether nobody knows that all others were used before the last one. */
static bool are_tied(const struct candidates *all)
{
    return all->n > 1 && all->others_s >= all->use.from_s;
}

static struct ruling surplus(const struct look *look, const struct known_model *m,
                             const struct runner *r)
{
    if (!look->history->settings->models_single)
        return NO("models.single is off");
    if (!m->now || !look->container->processes_known)
        return UNKNOWN("loaded models or processes");
    if (look->container->ollama.n_models > compared_max)
        return UNKNOWN("which of so many models was used last");
    if (!r)
        return NO("its runner cannot be told");
    struct candidates all = candidates_of(look);
    return is_pinned(look, m) ? NO("it is pinned (models.pin)")
           : all.n < 2        ? NO("fewer than two models are loaded that are not pinned")
           : r == all.last    ? are_tied(&all) ? NO("which of them was used last cannot be told")
                                               : NO("it is the one that was used last")
              : uses_of(look, m->name, r).to_s >= all.use.from_s
               ? NO("which of them was used last cannot be told")
           : is_busy(look, r) ? NO("the models beside the one used last are busy")
                              : YES(look->now_s);
}

static void judge(struct look *look, struct known_model *m)
{
    struct matter *own = &m->own[VERDICT_TOO_MANY_MODELS];
    const struct runner *r = m->now ? model_runner(look, m->now) : NULL;
    look_take(look, &own->condition, surplus(look, m, r));
    struct finding f = conditions_find(&own->condition, 1);
    /* Two polls: long enough to have seen whose CPU time advances. */
    struct verdict *v =
        look_found(look, VERDICT_TOO_MANY_MODELS, m->own, &f, f.since_s >= 0, 2 * look->poll_s);
    if (!v)
        return;
    snprintf(v->model, sizeof v->model, "%s", m->name);
    v->remedy = REMEDY_UNLOAD;
    struct model_use use = {.to_s = look->now_s + 1};
    if (r)
        use = uses_of(look, m->name, r);
    SHOW(look, v, NULL, {"size", UNIT_BYTES, m->now ? (double)m->now->size : -1},
         {"unused", UNIT_SECONDS, look->now_s - use.to_s});
    if (!r)
        return;
    v->pid = r->pid;
    v->started_us = r->started_us;
    struct candidates all = candidates_of(look);
    if (all.last)
        snprintf(v->why, sizeof v->why,
                 "one model at a time is wanted; %.100s was used %s ago (%s), this one %s ago (%s)",
                 all.name, SHOWN_S(look->now_s - all.use.from_s), use_name(all.use.use),
                 SHOWN_S(look->now_s - use.to_s), use_name(use.use));
}

static void tell_waiting(struct look *look)
{
    struct assessment *a = look->assessment;
    if (!look->history->settings->models_single)
        return;
    struct candidates all = candidates_of(look);
    if (a->activity == ACTIVITY_BUSY && all.n_busy > 1)
        snprintf(a->why, sizeof a->why, "%zu models are busy; one is wanted: waiting", all.n_busy);
    else if (a->activity == ACTIVITY_LOADED && are_tied(&all))
        snprintf(a->why, sizeof a->why,
                 "one model is wanted; which of %zu was used last cannot be told: waiting", all.n);
}

const struct rule rule_too_many_models = {
    {"too-many-models", SEVERITY_INFO, REMEDY_UNLOAD, REMEDY_UNLOAD,
     BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART),
     "`models.single` is on, two or more models are loaded, this one is neither pinned nor the one "
     "used last, and "
     "its runner is not busy",
     "two polls", "models size unused", "a busy model; a model whose runner cannot be told"},
    .unless = "no model is loaded",
    .of_container = tell_waiting,
    .of_model = judge,
};
