/* What each verdict is: what it means, how long it must hold, what it shows, and what may be done
 * about it. Stands in its rule's file (judge/rules); docs/judgement.md has the same table, and a
 * test compares them. */
#ifndef SUPERVISOR_JUDGE_KINDS_H
#define SUPERVISOR_JUDGE_KINDS_H

#include "judge/verdict.h"

struct kind {
    const char *name;        /* "idle-leak" */
    enum severity severity;  /* when it is raised; a verdict may say another one */
    enum remedy first, last; /* the ends of its ladder; both REMEDY_NONE: it is only told */
    unsigned never_remedies; /* what is never done about it: 1 << remedy */
    const char *when;        /* all that must be true, for a person */
    const char *hold;        /* for how long: a setting with its built-in value, or a time */
    const char *evidence;    /* the names of its numbers, separated by spaces */
    const char *never;       /* what is never done, and why */
};

const struct kind *kind_of(enum verdict_kind kind);

/* Whether a verdict of that kind may have the remedy: on its ladder, or none at all. */
bool kind_allows(enum verdict_kind kind, enum remedy remedy);
/* The step of its ladder that follows where the remedy was not enough; REMEDY_NONE: it was the
 * last, or, on a ladder that ends with stop, that of the host's pressure, which says itself how
 * far it goes. */
enum remedy kind_next(enum verdict_kind kind, enum remedy remedy);
/* Whether a number of that name is evidence of it. */
bool kind_shows(enum verdict_kind kind, const char *evidence);
/* The kind's row of the table in docs/judgement.md, without the newline. Returns what snprintf
 * does. */
int kind_row(enum verdict_kind kind, char *text, size_t size);

#endif
