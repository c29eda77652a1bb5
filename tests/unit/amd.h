/* An AMD GPU in a tree of sysfs. */
#ifndef TESTS_UNIT_AMD_H
#define TESTS_UNIT_AMD_H

#include "tree.h"

/* A card as amdgpu shows it, with the compute driver's number 4711. */
void put_amd(const struct tree *tree);

#endif
