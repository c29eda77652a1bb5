/* Verdicts as JSON. */
#ifndef SUPERVISOR_JUDGE_VERDICT_JSON_H
#define SUPERVISOR_JUDGE_VERDICT_JSON_H

#include "judge/verdict.h"
#include <jansson.h>

/* A member of `verdicts`; acted may be NULL or "". NULL when memory is spent. */
json_t *verdict_to_json(const struct verdict *verdict, const char *acted);
/* {"held": B, …}: bytes and counts are integers. */
json_t *evidence_to_json(const struct verdict *verdict);

#endif
