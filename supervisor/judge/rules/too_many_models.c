/* too-many-models: the single-model policy keeps the model that was used last. */
#include "base/model_name.h"
#include "base/size.h"
#include "judge/rules.h"

#include <stdio.h>

/* Of more nobody says which was used last. */
static const size_t compared_max = 16;

static bool is_busy(const struct look *look, const struct runner *r)
{
    struct window_use use = window_use(&r->window, look->now_s);
    return use.cpu_percent < 0 || use.cpu_percent > look->history->settings.leak_busy_cpu_percent;
}

/* The loaded models of which one may stay: beside what is pinned. */
struct candidates {
    size_t n, n_busy;
    double last_s; /* when one of them was used last */
    bool tied;     /* and another one in the same look: nobody can tell them apart */
    const char *last;
};

static bool is_pinned(const struct look *look, const struct known_model *m)
{
    return model_in_list(look->history->settings.models_pin, m->name);
}

static struct candidates candidates_of(const struct look *look)
{
    struct history *h = look->history;
    struct candidates all = {.last_s = -1};
    for (size_t i = 0; i < h->n_models; i++) {
        const struct known_model *m = &h->models[i];
        const struct runner *r = m->now ? model_runner(look, m->now) : NULL;
        if (!r || is_pinned(look, m))
            continue; /* a ghost holds nothing; one that nobody can find is not unloaded */
        double used_s = work_last_s(&r->work);
        all.n++;
        all.n_busy += is_busy(look, r);
        if (used_s > all.last_s) {
            all.last_s = used_s;
            all.last = m->name;
            all.tied = false;
        } else if (used_s >= all.last_s) {
            all.tied = true;
        }
    }
    return all;
}

static struct ruling surplus(const struct look *look, const struct known_model *m,
                             const struct runner *r)
{
    if (!look->history->settings.models_single)
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
           : work_last_s(&r->work) >= all.last_s
               ? all.tied ? NO("which of them was used last cannot be told")
                          : NO("it is the one that was used last")
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
    SHOW(look, v, NULL, {"size", UNIT_BYTES, m->now ? (double)m->now->size : -1},
         {"unused", UNIT_SECONDS, r ? look->now_s - work_last_s(&r->work) : -1});
    if (r) {
        v->pid = r->pid;
        v->started_us = r->started_us;
    }
    struct candidates all = candidates_of(look);
    snprintf(v->why, sizeof v->why,
             "one model at a time is wanted, and %.100s was used later, %s ago",
             all.last ? all.last : "another one", SHOWN_S(look->now_s - all.last_s));
}

static void tell_waiting(struct look *look)
{
    struct assessment *a = look->assessment;
    if (!look->history->settings.models_single || a->activity != ACTIVITY_BUSY)
        return;
    struct candidates all = candidates_of(look);
    if (all.n > 1 && all.n_busy > 1)
        snprintf(a->why, sizeof a->why, "%zu models are busy; one is wanted: waiting", all.n_busy);
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
