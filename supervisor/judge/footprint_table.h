/* The table of known models. Inside of footprint only. */
#ifndef SUPERVISOR_JUDGE_FOOTPRINT_TABLE_H
#define SUPERVISOR_JUDGE_FOOTPRINT_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct known_model {
    const char *name;           /* as Ollama's library has it: "llama3.1:70b" */
    double parameters;          /* thousands of millions */
    double gigabytes;           /* of the default tag, 10^9 bytes */
    const char *quant;          /* which that is: "q4_K_M" */
    int layers, kv_heads, head; /* of the KV cache; all 0: it has none (embeddings) */
    bool latest;                /* the one that the name without a tag means */
};

extern const struct known_model known_models[];
extern const size_t known_models_n;

#endif
