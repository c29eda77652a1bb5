/* The ledger of one container: what it holds, part by part, each with where the figure comes from.
 * Pure: one world in, parts out; what was learned before is given by the caller. The parts of what
 * is held add up to it to the byte: the residual takes the rest, and may be negative. */
#ifndef SUPERVISOR_JUDGE_LEDGER_H
#define SUPERVISOR_JUDGE_LEDGER_H

#include "sense/world.h"

enum {
    LEDGER_PARTS_MAX = 320,
    LEDGER_RUNNERS_MAX = 32, /* more are summed up with the other processes */
};

enum ledger_kind {
    /* Parts of what is held. */
    LEDGER_WEIGHTS,      /* of a model, as far as they are anonymous memory */
    LEDGER_KV_CACHE,     /* for all its slots */
    LEDGER_COMPUTE,      /* buffers */
    LEDGER_UNTOUCHED,    /* less what of these was never written: the kernel gives it when it is */
    LEDGER_PROMPT_CACHE, /* of finished requests; as much as it may have, of what is above the rest
                          */
    LEDGER_UNEXPLAINED,  /* what the model's runner holds beyond all that */
    LEDGER_RUNNER,       /* a runner of which nobody knows the model */
    LEDGER_SERVER,       /* Ollama itself */
    LEDGER_OTHER,        /* helpers and processes that are not Ollama's */
    LEDGER_PROCESSES,    /* all together, where processes cannot be seen */
    LEDGER_SHMEM,        /* tmpfs, shared memory */
    LEDGER_RESIDUAL,
    /* Not held, or already in one of the above. */
    LEDGER_SWAP,         /* how much of what is held is swapped out */
    LEDGER_WEIGHTS_FILE, /* of a model: mapped from its file, page cache */
    LEDGER_VRAM,         /* of a model, on GPUs */
    LEDGER_PAGE_CACHE,
    LEDGER_KERNEL,
    LEDGER_LEARNED, /* what runners of this model with these settings held after their load */
};

enum ledger_source {
    LEDGER_CGROUP,
    LEDGER_PROC,     /* /proc/PID/status of its processes */
    LEDGER_API,      /* Ollama's /api/ps */
    LEDGER_METADATA, /* its GGUF metadata, as /api/show has it */
    LEDGER_TABLE,    /* the table of known models (judge/footprint.h) */
    LEDGER_ESTIMATE, /* by the model's number of parameters, or what is left */
    LEDGER_HISTORY,  /* learned */
    LEDGER_REST,     /* computed: the whole less the other parts */
};

struct ledger_part {
    enum ledger_kind kind;
    enum ledger_source source;
    fact bytes;
    bool negative;     /* then bytes are to be subtracted: what is untouched, a residual */
    const char *model; /* points into the world; "" */
    fact pid;          /* of the runner; unknown */
    fact bound;        /* of the prompt cache: FACT_NONE without one; else unknown */
    fact seen;         /* learned: how often; else unknown */
    char note[96];     /* what it was computed from, "" */
};

struct ledger {
    fact held; /* unknown: there is no residual */
    struct ledger_part parts[LEDGER_PARTS_MAX];
    size_t n_parts;
};

/* What was learned of a runner; digest, context, parallel and KV type as ledger_* below say. */
struct ledger_learned {
    fact held, seen;
};
/* 0 and *ret_learned, or anything else: nothing is known. */
typedef int ledger_ask(void *userdata, const struct container *container, const struct model *model,
                       struct ledger_learned *ret_learned);

/* The container is one of the world's. Where no GPU was seen, what Ollama calls VRAM is memory like
 * all other (on CPUs with AMX it is). ask may be NULL. */
void ledger_of(const struct world *world, const struct container *container, ledger_ask *ask,
               void *userdata, struct ledger *ret_ledger);

/* Whether a part of that kind is one of what is held. */
bool ledger_is_held(enum ledger_kind kind);
const char *ledger_kind_name(enum ledger_kind kind);       /* "prompt-cache" */
const char *ledger_source_name(enum ledger_source source); /* "/api/ps" */

/* The live runner of a listed model, by its blob; NULL: none, or nobody can tell which. */
const struct process *ledger_runner(const struct container *container, const struct model *model);
/* llama-server's own default of --cache-ram (its README), in bytes; Ollama sets none. */
static const fact ledger_cache_default = (fact)8192 << 20;
/* Since 0.30 every model is served by llama-server, which has a prompt cache. A build that was not
 * released calls itself 0.0.0: then the program's name tells (p: the runner, or NULL). */
bool ledger_runs_llama_server(const struct container *container, const struct process *p);
/* OLLAMA_NUM_PARALLEL of its environment; unknown where it is not set: Ollama chooses. */
fact ledger_parallel(const struct container *container);
/* OLLAMA_KV_CACHE_TYPE, "f16" where it is not set. */
const char *ledger_kv_type(const struct container *container);

#endif
