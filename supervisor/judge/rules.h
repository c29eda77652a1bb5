/* A rule: what its verdict means, and the functions that judge it. Each has a file of its own in
 * judge/rules/, which ends with it; the table of them is VERDICTS in judge/verdict.h. What a rule
 * raised is cleared with whom it is about, and why it did not stand is left in the assessment,
 * without its doing (judge/look.h). Private to the judge's room. */
#ifndef SUPERVISOR_JUDGE_RULES_H
#define SUPERVISOR_JUDGE_RULES_H

#include "judge/kinds.h"
#include "judge/look.h"

#define BIT(remedy) (1u << (remedy))
/* What moves or ends processes. */
#define DEEDS (BIT(REMEDY_UNLOAD) | BIT(REMEDY_KILL_RUNNER) | BIT(REMEDY_RESTART))

struct rule {
    struct kind kind;
    const char *unless; /* why it does not stand where nothing is there that it could be about */
    /* Called in each look that it may say something of; those that it has. A container runs. */
    void (*of_container)(struct look *look);
    void (*of_stopped)(struct look *look); /* it does not run; no life's end clears it */
    void (*of_runner)(struct look *look, struct runner *runner);
    void (*of_model)(struct look *look, struct known_model *model);
    void (*of_host)(struct look *look); /* after all containers */
};

#define ROW(KIND, name) extern const struct rule rule_##name;
VERDICTS(ROW)
#undef ROW

extern const struct rule *const rules_table[VERDICT_KINDS];

#endif
