/* Remedies that were carried out and were not enough: what the judge remembers of one subject, so
 * that a rule can give the next step, or leave the subject alone for a while. All zero: none. */
#ifndef SUPERVISOR_JUDGE_FAILURES_H
#define SUPERVISOR_JUDGE_FAILURES_H

#include "judge/verdict.h"

/* A failed step is remembered so long: longer than the steps of a ladder take, each with its time
 * and the five seconds of rest before the next, and short enough that what is loaded for hours is
 * tried anew. */
static const double failure_kept_s = 600;

struct failures {
    unsigned remedies;     /* 1 << remedy */
    double at_s[REMEDIES]; /* of those: when it was last told, monotonic */
};

void failures_add(struct failures *failures, enum remedy remedy, double now_s);
/* Whether the remedy failed at most within_s ago; failure_kept_s at most. */
bool has_failed(const struct failures *failures, enum remedy remedy, double now_s, double within_s);
/* The first step of the kind's ladder, from that one on, that has not failed; REMEDY_NONE: all
 * have.
 */
enum remedy ladder_step(enum verdict_kind kind, enum remedy from, const struct failures *failures,
                        double now_s);

#endif
