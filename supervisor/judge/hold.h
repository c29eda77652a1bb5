/* Holding: conditions over time, and what rests on them (docs/judgement.md, "Holding"). Private to
 * the judge's room. */
#ifndef SUPERVISOR_JUDGE_HOLD_H
#define SUPERVISOR_JUDGE_HOLD_H

#include <stdbool.h>
#include <stddef.h>

enum tri { TRI_UNKNOWN, TRI_FALSE, TRI_TRUE };

/* One condition of a verdict over time. */
struct condition {
    enum tri now;
    double since_s;         /* when it became true and was not contradicted since; < 0: it is not */
    double unknown_since_s; /* < 0: it is known */
};

/* Takes one look's value. true_from_s: since when a true value has held at the latest (now, or
 * earlier if one look proves more). Unknown neither counts nor contradicts, for allowance_s;
 * longer, and the condition starts anew. */
void condition_take(struct condition *condition, enum tri value, double true_from_s, double now_s,
                    double allowance_s);
void condition_reset(struct condition *condition);

/* The last of them to become true; < 0 if one is not. *ret_all_now: all are true in this look.
 * *ret_contradicted: one is false now. */
double conditions_since(const struct condition *conditions, size_t n, bool *ret_all_now,
                        bool *ret_contradicted);

/* A verdict's memory between looks. */
struct standing {
    bool raised;
    double since_s;
    unsigned told; /* 1 << remedy: which it has been told to have since it was raised */
};

/* A verdict that rests on one condition. */
struct matter {
    struct condition condition;
    struct standing standing;
};

#endif
