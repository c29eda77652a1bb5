/* What Ollama says of a model before it is loaded: /api/tags and /api/show. */
#ifndef SUPERVISOR_SENSE_OLLAMA_MODEL_H
#define SUPERVISOR_SENSE_OLLAMA_MODEL_H

#include "sense/ollama.h"

struct ollama_model {
    char name[CONTAINER_NAME_SIZE]; /* as it is listed */
    char digest[65];
    fact file;                /* bytes of its files */
    struct model_shape shape; /* unknown where it does not say */
    fact parameters;
    fact context; /* num_ctx of its Modelfile; unknown: none */
    fact trained; /* the longest context it can */
    bool cloud;   /* runs elsewhere */
};

typedef void ollama_model_asked(void *userdata, int result, const struct ollama_model *model,
                                const struct error *err);
/* done is called exactly once. -ENOENT: it is not installed there (the sentence says so). */
void ollama_ask_model(struct ollama_client *client, const char *model, long timeout_ms,
                      ollama_model_asked *done, void *userdata);

/* The answers, read: functions of the bytes alone. */
void ollama_model_init(struct ollama_model *model);
/* GET /api/tags: the entry of `model` into *ret_model. 0, -ENOENT, or -EBADMSG. */
int ollama_parse_tags(const char *body, size_t length, const char *model,
                      struct ollama_model *ret_model);
/* POST /api/show: its metadata added to *model. 0 or -EBADMSG. */
int ollama_parse_metadata(const char *body, size_t length, struct ollama_model *model);

#endif
