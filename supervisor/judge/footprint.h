/* What a model takes before anybody has measured it: a table of known models, else an estimate by
 * the number of parameters in its name. */
#ifndef SUPERVISOR_JUDGE_FOOTPRINT_H
#define SUPERVISOR_JUDGE_FOOTPRINT_H

#include "base/fact.h"
#include <stdbool.h>
#include <stddef.h>

enum footprint_source { FOOTPRINT_UNKNOWN, FOOTPRINT_ESTIMATED, FOOTPRINT_KNOWN };

struct footprint {
    enum footprint_source source;
    double parameters; /* 33e9; 0 unknown */
    fact download;     /* bytes of disk and of the network */
    fact weights;      /* bytes in memory, on a CPU all anonymous */
    fact kv_per_token; /* bytes, f16, all layers */
    fact compute;      /* buffers at the default batch */
};

/* llama.cpp's buffers for a model whose graph is known (struct model_shape), with the attention's
 * mask over a context: 512 tokens of it, 2 bytes each. */
fact footprint_buffers(fact graph, fact context);
/* What a KV cache of that type ("q8_0") takes of f16's: 1 for a type that is not known. */
double footprint_kv_scale(const char *kv_type);
/* Bytes of a KV cache; unknown where one is, or no fact can hold them. */
fact footprint_kv(fact per_token, fact context, fact parallel, double scale);

/* "deepseek-coder:33b", "llama3.1:70b-instruct-q4_K_M", with or without registry and ":latest".
 * FOOTPRINT_UNKNOWN with unknown facts where neither table nor name tells. */
struct footprint footprint_of(const char *model);
/* Known models, largest first, that fit by what the caller is told of them; at most max (32) names
 * (static strings) into ret_models; how many. */
typedef bool footprint_fits(const struct footprint *footprint, const void *userdata);
size_t footprints_that_fit(footprint_fits *fits, const void *userdata, const char **ret_models,
                           size_t max);

#endif
