/* Holding: conditions over time, and what rests on them (docs/judgement.md, "Holding"). Private to
 * the judge's room. */
#ifndef SUPERVISOR_JUDGE_HOLD_H
#define SUPERVISOR_JUDGE_HOLD_H

#include "judge/verdict.h"

enum tri { TRI_UNKNOWN, TRI_FALSE, TRI_TRUE };

/* What one condition is in a look, and why. */
struct ruling {
    enum tri value;
    double from_s; /* of a true one: since when at the latest; monotonic */
    struct reason reason;
};
/* Why the verdict does not stand, with the numbers that stand for each @ in the text; or the name
 * of what is not known. */
#define YES(since_s)   ((struct ruling){.value = TRI_TRUE, .from_s = (since_s)})
#define NO(words, ...) ((struct ruling){TRI_FALSE, -1, {words, .numbers = {__VA_ARGS__}}})
#define UNKNOWN(what)  UNKNOWN_AS(what, NULL)
#define UNKNOWN_AS(what, how)                                                                      \
    ((struct ruling){TRI_UNKNOWN, -1, {what, .detail = (how), .unknown = true}})
/* Neither bears a deed nor ends what was raised. */
#define STAYS(words, ...) ((struct ruling){TRI_UNKNOWN, -1, {words, .numbers = {__VA_ARGS__}}})
#define BYTES(bytes)      {UNIT_BYTES, (double)(bytes)}
#define PERCENT(percent)  {UNIT_PERCENT, (percent)}
#define SECONDS(seconds)  {UNIT_SECONDS, (seconds)}
#define COUNT(count)      {UNIT_COUNT, (double)(count)}

/* One condition of a verdict over time. */
struct condition {
    enum tri now;
    double since_s;         /* when it became true and was not contradicted since; < 0: it is not */
    double unknown_since_s; /* < 0: it is known */
    struct reason reason;   /* of the last look's value */
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

/* What several conditions say together. */
struct finding {
    double since_s; /* as of conditions_since */
    bool all_now, contradicted;
    const struct reason *against; /* of the first one that is not true; NULL: all are */
    size_t n_true;                /* before that */
};
struct finding conditions_find(const struct condition *conditions, size_t n);

/* A verdict's memory between looks. */
struct standing {
    bool raised;
    double since_s;  /* as the verdict's */
    double raised_s; /* when it was raised */
    unsigned told;   /* 1 << remedy: which it has been told to have since it was raised */
};

/* A verdict that rests on one condition. */
struct matter {
    struct condition condition;
    struct standing standing;
};
/* Of all kinds that may be about somebody: their conditions begin anew. */
void matters_reset(struct matter own[static VERDICT_KINDS]);

#endif
