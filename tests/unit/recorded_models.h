/* The models of the recordings, and what was recorded of their loads. */
#ifndef TESTS_UNIT_RECORDED_MODELS_H
#define TESTS_UNIT_RECORDED_MODELS_H

#include "sense/world.h"

/* MiB; buffers: 0 where the log is not known. held: when the load had ended. */
struct recorded_load {
    const char *version, *model;
    fact context;
    double size, size_vram, held, weights, kv, buffers;
};
/* The end has no model. */
extern const struct recorded_load recorded_loads[];

/* Of "tiny", "small" or "medium", read from its /api/show. */
struct model_shape recorded_shape(const char *model);

#endif
