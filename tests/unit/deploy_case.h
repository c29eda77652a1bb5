/* A host and a wish, for the tests of the plan. */
#ifndef TESTS_UNIT_DEPLOY_CASE_H
#define TESTS_UNIT_DEPLOY_CASE_H

#include "judge/deploy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(a)   (sizeof(a) / sizeof((a)[0]))
#define GIB(n) ((fact)(n) << 30)
#define MIB(n) ((fact)(n) << 20)

struct deploy_case {
    struct deploy_wish wish;
    struct deploy_facts facts;
    struct settings settings; /* by case_plan: the built-in ones */
    struct deploy_plan plan;
};

/* A built-in profile on a host of that memory, all of it available, no GPU, an engine that can
 * limit and a disk of 1 TiB. */
struct deploy_case case_of(const char *profile, fact total);
void case_plan(struct deploy_case *c);
/* One more that runs. */
void case_other(struct deploy_case *c, const char *name, enum priority priority, fact limit,
                fact held);
void case_model(struct deploy_case *c, const char *model);
/* One more of NVIDIA's, which the engine hands out. */
void case_gpu(struct deploy_case *c, const char *uuid, fact total, fact used);
/* The first finding of the kind; NULL: none. */
const struct deploy_finding *case_find(const struct deploy_case *c, enum deploy_severity severity,
                                       const char *about);

#endif
