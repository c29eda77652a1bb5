/* What the recordings say about their three models, and what differs between the generations. */
#ifndef SIMOLLAMA_MODELS_RECORDED_H
#define SIMOLLAMA_MODELS_RECORDED_H

#include <stddef.h>
#include <stdint.h>

#define RECORDED_MODELS  3
#define RECORDED_NUM_CTX 2048
/* An `ollama runner` held 3 MiB more than a llama-server with the same model and context. */
#define OLD_RUNNER_EXTRA_BYTES (3u << 20)

struct recorded_generation {
    const char *digest, *blob;
    uint64_t size_bytes;       /* /api/tags */
    int64_t listed_bytes;      /* /api/ps less the context's share, */
    uint64_t listed_per_token; /* that share up to 4,096 tokens, */
    int64_t listed_at_8192;    /* and all of it there: beyond 4,096 it may be steeper */
};

struct recorded_model {
    const char *name, *parameter_size;
    uint64_t parameters;
    unsigned layers, heads, embedding, feed_forward, train_context;
    uint64_t anon_bytes, kv_bytes; /* of a llama-server: less the KV cache, and that per token */
    struct recorded_generation by[2];
};

extern const struct recorded_model recorded_models[RECORDED_MODELS];

#endif
