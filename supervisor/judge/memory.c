#include "judge/memory.h"
#include "base/model_name.h"

#include <stdlib.h>
#include <string.h>

void history_restart(struct history *history, const char *model)
{
    for (size_t i = 0; i < IDLE_CONDITIONS; i++)
        condition_reset(&history->idle[i]);
    if (history->window)
        history->window->n = 0;
    history->connections_at_s = -1;
    for (size_t i = 0; i < history->n_runners; i++) {
        struct runner *runner = &history->runners[i];
        for (size_t k = 0; k < ORPHAN_CONDITIONS; k++)
            condition_reset(&runner->conditions[k]);
        runner->flat_from_s = -1;
        matters_reset(runner->own);
        growth_forget(&runner->growth);
    }
    if (history->growth)
        growth_forget(history->growth);
    condition_reset(&history->quiet);
    condition_reset(&history->own[VERDICT_UNREACHABLE].condition);
    for (size_t i = 0; i < history->n_models; i++) {
        struct matter *own = history->models[i].own;
        struct condition idle = own[VERDICT_IDLE_MODEL].condition;
        matters_reset(own);
        if (!*model || !model_same(history->models[i].name, model))
            own[VERDICT_IDLE_MODEL].condition = idle;
    }
}

void history_reset_holds(struct history *history)
{
    history_restart(history, "");
    history->list_seen = false;
    for (size_t i = 0; i < history->n_models; i++)
        condition_reset(&history->models[i].own[VERDICT_IDLE_MODEL].condition);
    history->relieved_s = -1;
    for (size_t i = 0; i < history->n_runners; i++)
        history->runners[i].window = (struct window){0};
    matters_reset(history->own);
}

void history_forget_settings(struct history *history)
{
    if (history->by_labels && --history->by_labels->users == 0)
        free(history->by_labels);
    history->by_labels = NULL;
}

struct own_settings *settings_like(struct history *const *histories, size_t n,
                                   const struct settings *wanted)
{
    struct own_settings *own = NULL;
    const char *bytes = (const char *)wanted; /* that differ by padding alone: a copy too many */
    for (size_t i = 0; !own && i < n; i++) {
        own = histories[i]->by_labels;
        if (own && memcmp((const char *)&own->are, bytes, sizeof *wanted) != 0)
            own = NULL;
    }
    if (!own && (own = calloc(1, sizeof *own)))
        memcpy(&own->are, wanted, sizeof *wanted);
    if (own)
        own->users++;
    return own;
}

void history_tell_deeds(struct history *history, const struct deeds *deeds)
{
    if (deeds->n == 0) {
        free(history->deeds);
        history->deeds = NULL;
    } else if (history->deeds || (history->deeds = malloc(sizeof *deeds))) {
        *history->deeds = *deeds;
        history->deeds->told_s = history->looked_s;
    }
}
