/* too-many-models: the single-model policy keeps the model that was used last (docs/judgement.md).
 */
#include "base/model_name.h"
#include "judge/history.h"

#include <stdio.h>
#include <string.h>

struct candidate {
    const struct model *model;
    const struct runner *runner;
    bool busy;
};

/* Used later than the other; a tie goes to the newer start. */
static bool later(const struct candidate *a, const struct candidate *b)
{
    if (a->runner->used_s > b->runner->used_s || a->runner->used_s < b->runner->used_s)
        return a->runner->used_s > b->runner->used_s;
    return a->runner->started_us > b->runner->started_us;
}

/* Brings the verdict about one loaded model up to date. c: its runner, NULL if that is not known.
 */
static void settle(struct look *look, const struct model *model, const struct candidate *c,
                   enum tri surplus)
{
    struct history *h = look->history;
    size_t i = 0, cap = sizeof h->surplus / sizeof h->surplus[0];
    while (i < h->n_surplus && strcmp(h->surplus[i].model, model->name))
        i++;
    if (i == h->n_surplus) {
        if (surplus != TRI_TRUE || i == cap)
            return;
        h->n_surplus++;
        memset(&h->surplus[i], 0, sizeof h->surplus[i]);
        snprintf(h->surplus[i].model, sizeof h->surplus[i].model, "%s", model->name);
        condition_reset(&h->surplus[i].condition);
    }
    h->surplus[i].met = true;
    struct condition *condition = &h->surplus[i].condition;
    condition_take(condition, surplus, look->now_s, look->now_s, look->allowance_s);
    bool all_now, contradicted;
    double since_s = conditions_since(condition, 1, &all_now, &contradicted);
    /* Two polls: long enough to have seen whose CPU time advances. */
    struct verdict *v = look_settle(look, VERDICT_TOO_MANY_MODELS, &h->surplus[i].standing, since_s,
                                    all_now, contradicted, true, 2 * look->poll_s);
    if (!v)
        return;
    snprintf(v->model, sizeof v->model, "%s", model->name);
    v->remedy = REMEDY_UNLOAD;
    verdict_add(v, "models", UNIT_COUNT, (double)look->container->ollama.n_models);
    verdict_add_fact(v, "size", UNIT_BYTES, model->size);
    if (surplus == TRI_UNKNOWN)
        snprintf(v->missing, sizeof v->missing, "loaded models or processes");
    if (c) {
        v->pid = c->runner->pid;
        v->started_us = c->runner->started_us;
        if (c->runner->used_s >= 0)
            verdict_add(v, "unused", UNIT_SECONDS, look->now_s - c->runner->used_s);
    }
    snprintf(v->why, sizeof v->why,
             "one model at a time is wanted, and another one was used later");
}

/* One that is not among the candidates of this look. */
static void settle_unmet(struct look *look, size_t i, enum tri surplus)
{
    struct model model = {.size = FACT_UNKNOWN};
    memcpy(model.name, look->history->surplus[i].model, sizeof model.name);
    settle(look, &model, NULL, surplus);
}

void clear_surplus(struct look *look)
{
    for (size_t i = 0; i < look->history->n_surplus; i++)
        settle_unmet(look, i, TRI_FALSE);
}

void judge_single(struct look *look)
{
    struct history *h = look->history;
    const struct container *c = look->container;
    for (size_t i = 0; i < h->n_surplus; i++)
        h->surplus[i].met = false;
    struct candidate candidates[16];
    size_t n = 0, n_busy = 0;
    bool known = look->answered == TRI_TRUE && c->processes_known &&
                 c->ollama.n_models <= sizeof candidates / sizeof candidates[0];
    for (size_t i = 0; h->settings.models_single && known && i < c->ollama.n_models; i++) {
        if (model_in_list(h->settings.models_pin, c->ollama.models[i].name))
            continue; /* one beside what is pinned */
        const struct process *p = runner_of_blob(c, c->ollama.models[i].blob);
        struct runner *r = p ? history_runner(h, p) : NULL;
        if (!r)
            continue; /* a ghost holds nothing; one that nobody can find is not unloaded */
        struct window_use use = window_use(&r->window, look->now_s);
        bool busy = use.cpu_percent < 0 || use.cpu_percent > h->settings.leak_busy_cpu_percent;
        candidates[n++] = (struct candidate){&c->ollama.models[i], r, busy};
        n_busy += busy;
    }
    size_t keep = 0;
    for (size_t i = 1; i < n; i++)
        if (later(&candidates[i], &candidates[keep]))
            keep = i;
    for (size_t i = 0; i < n; i++)
        settle(look, candidates[i].model, &candidates[i],
               n > 1 && i != keep && !candidates[i].busy ? TRI_TRUE : TRI_FALSE);
    bool over = known || !h->settings.models_single;
    for (size_t i = 0; i < h->n_surplus;) {
        bool unmet = !h->surplus[i].met;
        if (unmet)
            settle_unmet(look, i, over ? TRI_FALSE : TRI_UNKNOWN);
        if (unmet && over)
            h->surplus[i] = h->surplus[--h->n_surplus];
        else
            i++;
    }
    if (n > 1 && n_busy > 1 && look->assessment->activity == ACTIVITY_BUSY)
        snprintf(look->assessment->why, sizeof look->assessment->why,
                 "%zu models are busy; one is wanted: waiting", n_busy);
}
