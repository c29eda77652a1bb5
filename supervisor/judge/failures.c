#include "judge/kinds.h"
#include "judge/look.h"

#include <string.h>

void failures_add(struct failures *failures, enum remedy remedy, double now_s)
{
    failures->remedies |= 1u << remedy;
    failures->at_s[remedy] = now_s;
}

bool has_failed(const struct failures *failures, enum remedy remedy, double now_s, double within_s)
{
    double since_s = now_s - failures->at_s[remedy];
    return failures->remedies & 1u << remedy && since_s <= within_s && since_s <= failure_kept_s;
}

enum remedy ladder_step(enum verdict_kind kind, enum remedy from, const struct failures *failures,
                        double now_s)
{
    enum remedy step = from;
    while (step != REMEDY_NONE && has_failed(failures, step, now_s, failure_kept_s))
        step = kind_next(kind, step);
    return step;
}

void history_tell_failed(struct history *history, const struct verdict *verdict, double now_s)
{
    bool runner = fact_known(verdict->pid), model = verdict->model[0] != 0;
    if (strcmp(history->started_at, verdict->started_at) || verdict->remedy == REMEDY_NONE)
        return;
    for (size_t i = 0; runner && i < history->n_runners; i++)
        if (history->runners[i].pid == verdict->pid &&
            history->runners[i].started_us == verdict->started_us)
            failures_add(&history->runners[i].failures, verdict->remedy, now_s);
    struct known_model *known = model ? history_model(history, verdict->model) : NULL;
    if (known)
        failures_add(&known->failures, verdict->remedy, now_s);
    if (!runner && !model)
        failures_add(&history->failures, verdict->remedy, now_s);
}
