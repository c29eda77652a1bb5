/* The models there are: the three of the recordings, with the sizes and digests that each version
 * showed, and those of SIMOLLAMA_MODELS="name=ANON[:FILE],…". */
#ifndef SIMOLLAMA_MODELS_H
#define SIMOLLAMA_MODELS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define MODELS_MAX      64
#define LISTED_BEND     4096
#define MODEL_NAME_SIZE 128
#define BLOB_DIR        "/root/.ollama/models/blobs"
#define BLOB_NAME_SIZE  72
#define BLOB_PATH_SIZE  128

/* Which of the two ways Ollama has served models. */
enum generation {
    RUNNER_OLLAMA, /* up to 0.24: `ollama runner` */
    RUNNER_LLAMA,  /* from 0.30: llama-server */
};

struct model {
    char name[MODEL_NAME_SIZE]; /* with its tag */
    char digest[65];
    char blob[BLOB_NAME_SIZE]; /* "sha256-…" */
    uint64_t size_bytes;       /* as /api/tags says */
    uint64_t file_bytes;       /* of the blob */
    char parameter_size[16];
    uint64_t parameters;
    unsigned layers, heads, embedding, feed_forward, train_context;
    uint64_t num_ctx;          /* PARAMETER num_ctx; 0: the server's default */
    uint64_t anon_bytes;       /* a runner's, at context 0 */
    uint64_t kv_bytes;         /* per token of context, and of a cached prompt */
    int64_t listed_bytes;      /* what /api/ps says at context 0, */
    uint64_t listed_per_token; /* per token of context up to LISTED_BEND, */
    int64_t listed_at_twice;   /* and at twice that; the slope goes on */
    int64_t modified_ns;
};

/* The version it plays, from SIMOLLAMA_VERSION: 0.33.0 if unset; "0.24" means 0.24.0. */
const char *sim_version(void);
enum generation sim_generation(void);

/* Fills the catalogue; ends the process on a SIMOLLAMA_MODELS it cannot read. */
void models_start(void);
/* By any of a model's names ("tiny", "Tiny:latest", "library/tiny"); NULL if there is none. */
struct model *models_find(const char *name);
/* name in lower case with its tag; what cannot be a name comes out empty. */
void model_full_name(const char *name, char full[MODEL_NAME_SIZE]);
/* A second name for the same blob; false for a bad name or a full catalogue. */
bool models_copy(const struct model *from, const char *name);
void models_delete(struct model *model);
/* SIMOLLAMA_PULLS="name=ANON[:FILE],…": what a pull can bring. Bytes of its download; 0: no such.
 */
uint64_t models_pullable(const char *name);
/* It came. */
void models_pulled(const char *name);
/* A newer one under the same name, as a pull brings it: what is loaded stays as it was. */
void models_renew(struct model *model);
/* All of them; how many. Valid until the catalogue changes. */
size_t models_newest_first(const struct model *list[MODELS_MAX]);

/* The context a runner gets for a request that asks for num_ctx (0: none). */
uint64_t model_context(const struct model *model, uint64_t num_ctx);
uint64_t model_runner_anon(const struct model *model, uint64_t context);
int64_t model_listed_size(const struct model *model, uint64_t context);
void model_blob_path(const struct model *model, char path[BLOB_PATH_SIZE]);

/* For the API: {"format": "gguf", …}; the lists of /api/tags and /v1/models; /api/show. */
json_t *model_details(const struct model *model);
json_t *models_tags(void);
json_t *models_v1(void);
json_t *model_v1(const struct model *model, const char *id);
json_t *model_show(const struct model *model, bool verbose);

#endif
