/* The API of Ollama: the routes and who answers them. */
#ifndef SIMOLLAMA_API_H
#define SIMOLLAMA_API_H

#include "http.h"

#include <jansson.h>

/* Listens where OLLAMA_HOST says (0.0.0.0:11434). */
void api_start(void);
/* Settings changed: the listener may have to open or close. */
void api_recheck(void);
/* No more connections. */
void api_end(void);
/* How often each route was asked: {"GET /api/ps": 7, …}. */
json_t *api_counts(void);

/* The answers, by file. api_models.c */
void api_tags(struct http_conn *conn);
void api_show(struct http_conn *conn);
void api_ps(struct http_conn *conn);
void api_copy(struct http_conn *conn);
void api_delete(struct http_conn *conn);
void api_v1_models(struct http_conn *conn);
void api_v1_model(struct http_conn *conn);
/* api_pull.c */
void api_pull(struct http_conn *conn);
/* api_native.c */
void api_generate(struct http_conn *conn);
void api_chat(struct http_conn *conn);
/* api_embed.c */
void api_embed(struct http_conn *conn);
void api_embeddings(struct http_conn *conn);
void api_v1_embeddings(struct http_conn *conn);
/* api_openai.c */
void api_v1_chat(struct http_conn *conn);
void api_v1_completions(struct http_conn *conn);
/* api_responses.c */
void api_v1_responses(struct http_conn *conn);
/* api_anthropic.c */
void api_v1_messages(struct http_conn *conn);

#define V1_MODEL_PREFIX "/v1/models/"

#endif
