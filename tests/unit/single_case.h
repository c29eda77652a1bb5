/* Two loaded models, of which one may be too many. */
#ifndef TESTS_UNIT_SINGLE_CASE_H
#define TESTS_UNIT_SINGLE_CASE_H

#include "worlds.h"

#define SINGLE_A "sha256-aaaa"
#define SINGLE_B "sha256-bbbb"
#define SINGLE_C "sha256-cccc"

/* Those that are raised, as letters in order of the alphabet. */
const char *single_surplus(const struct scene *s);
/* Two models with their runners: a (pid 200) is older than b (201). */
void single_begin(struct scene *s, const char *settings);

#endif
