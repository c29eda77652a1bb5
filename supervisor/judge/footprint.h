/* What a model takes before anybody has measured it: a table of known models, else an estimate by
 * the number of parameters in its name (row B7). */
#ifndef SUPERVISOR_JUDGE_FOOTPRINT_H
#define SUPERVISOR_JUDGE_FOOTPRINT_H

#include "base/fact.h"
#include <stddef.h>

enum footprint_source { FOOTPRINT_UNKNOWN, FOOTPRINT_ESTIMATED, FOOTPRINT_KNOWN };

struct footprint {
    enum footprint_source source;
    double parameters; /* 33e9; 0 unknown */
    fact download;     /* bytes of disk and of the network */
    fact weights;      /* bytes in memory, on a CPU all anonymous (facts/ollama.md 3) */
    fact kv_per_token; /* bytes, f16, all layers */
    fact compute;      /* buffers at the default batch */
};

/* "deepseek-coder:33b", "llama3.1:70b-instruct-q4_K_M", with or without registry and ":latest".
 * FOOTPRINT_UNKNOWN with unknown facts where neither table nor name tells. */
struct footprint footprint_of(const char *model);
/* Known models, largest first, whose weights, KV cache of `context` tokens and buffers fit in
 * `bytes`; at most max (32) names (static strings) into ret_models; how many. */
size_t footprints_that_fit(fact bytes, fact context, const char **ret_models, size_t max);

#endif
