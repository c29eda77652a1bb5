/* May this model be loaded into this container now, and what must go for it? Rows C7, B6 to B9;
 * docs/judgement.md, "Loading". Pure: what was seen goes in, the decision with every number comes
 * out. */
#ifndef SUPERVISOR_JUDGE_ADMISSION_H
#define SUPERVISOR_JUDGE_ADMISSION_H

#include "judge/footprint.h"
#include "judge/room.h"

/* What is known of the model before it is loaded. */
struct admission_model {
    char name[CONTAINER_NAME_SIZE];
    char digest[65];   /* "": unknown */
    fact file;         /* its files' size as Ollama lists it, bytes; unknown */
    fact kv_per_token; /* of its GGUF metadata, f16, bytes; unknown */
    fact graph;        /* the same: its buffers (struct model_shape) */
    fact parameters;   /* of its GGUF metadata; unknown */
    fact context;      /* its own num_ctx (Modelfile); unknown */
    fact trained;      /* the longest context that it can; unknown */
    fact learned;      /* what its runner held when a load before had ended; unknown */
    bool cloud;        /* runs elsewhere: needs nothing here */
};

/* What the container says about its models' memory (its environment). */
struct admission_server {
    fact context;    /* tokens of a request */
    fact parallel;   /* requests at once of one model */
    double kv_scale; /* 1: f16; q8_0 0.53, q4_0 0.28 */
    fact vram;       /* free in the GPUs that it can use; 0: none */
    fact runner;     /* of a runner itself, beside its model */
};
void admission_server_of(const struct container *container, struct admission_server *ret_server);

enum need_source { NEED_UNKNOWN, NEED_NONE, NEED_LEARNED, NEED_METADATA, NEED_TABLE, NEED_NAME };

/* What it will take of the host's memory, bytes. */
struct need {
    enum need_source source;
    fact weights, kv, compute; /* unknown where it was learned as a whole */
    fact vram;                 /* of these in VRAM, not counted */
    fact bytes;                /* the sum, or what was learned, less vram */
    double margin_percent;     /* memory.safety_margin */
    fact wanted;               /* bytes and the margin: what must be free */
    fact context, parallel;    /* tokens, requests: what kv is of */
    fact parameters;
};
/* Measured before, else by its metadata, else the table of known models, else by its name. */
void need_of(const struct admission_model *model, const struct admission_server *server,
             double margin_percent, struct need *ret_need);
const char *need_source_name(enum need_source source); /* "its metadata" … */

enum admission_answer {
    ADMISSION_THERE,   /* it is loaded already */
    ADMISSION_FITS,    /* now, after those of `go` were unloaded (none: at once) */
    ADMISSION_WAIT,    /* it depends on models of which it is not known yet whether they are busy */
    ADMISSION_REFUSED, /* text says why, with the number that is short */
};

struct admission_wish {
    const struct admission_model *model;
    const struct admission_server *server;
    bool force;       /* a person's: lifts the tiers' protection, and is loaded although it does not
                         fit; pinned and busy models stay all the same */
    bool keep_others; /* nothing goes for it: preload */
    bool no_waiting;  /* what is not known yet counts as busy */
};

enum { ADMISSION_TEXT_SIZE = 640 };

struct admission {
    enum admission_answer answer;
    struct need need;
    bool small;                     /* only the container's limit counts */
    bool forced;                    /* it does not fit, and is loaded all the same */
    struct bound bounds[BOUNDS];    /* after those of `go` have gone */
    int tightest;                   /* the bound that leaves least; -1: none counts */
    fact missing;                   /* bytes that are short; unknown: no such number */
    size_t go[LOADED_MAX], n_go;    /* indices into room.models, in the order in which they go */
    fact freed;                     /* what they hold */
    char text[ADMISSION_TEXT_SIZE]; /* one sentence */
};

void admission_decide(const struct admission_wish *wish, const struct room *room,
                      struct admission *ret_admission);

#endif
