/* What the two files of growth share; nobody else includes it. */
#ifndef SUPERVISOR_JUDGE_GROWTH_H
#define SUPERVISOR_JUDGE_GROWTH_H

#include "judge/look.h"

/* Brings growth-leak and prompt-cache of one runner (r; p as it was seen in this look, NULL: it was
 * not) or of the server (r NULL) up to date: its condition was taken. held: unknown too. */
void growth_settle(struct look *look, struct growth *growth, const struct runner *r,
                   const struct process *p, fact held);
/* The step that may be taken now about growth-leak of the runner (r) or of the server (r NULL).
 * Fills v->failed. */
enum remedy growth_remedy(struct look *look, const struct runner *r, struct verdict *v);

#endif
