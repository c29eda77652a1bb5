/* A container's room with its models, for the tests of admission and of the optimisation pass. */
#ifndef TESTS_UNIT_ROOM_CASE_H
#define TESTS_UNIT_ROOM_CASE_H

#include "judge/room.h"

#define MIB ((fact)1 << 20)
#define GIB ((fact)1 << 30)

/* A limit of 16 GiB of which 1 GiB is held, a host of 64 GiB of which 32 are available, no budget,
 * the built-in settings; no model. */
struct room room_case(void);
/* One more that is loaded, idle, used `used_s` after the beginning, idle for an hour. What its
 * runner holds comes on top of what the container holds and is not available on the host. */
struct loaded_model *room_add(struct room *room, const char *name, fact held, double used_s);

#endif
